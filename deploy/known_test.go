package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/trailhook/trailhook/internal/require"
)

// commands are what the program knows, by its reference, which a test of cmd/trailhook
// holds against its definitions.
type commands struct {
	flags     map[string][]string // by command
	variables map[string]bool
}

func knownCommands(t *testing.T) commands {
	t.Helper()
	page, err := os.ReadFile("../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	known := commands{map[string][]string{}, map[string]bool{}}
	heading := regexp.MustCompile("^## trailhook ?(.*)$")
	row := regexp.MustCompile("^\\| (?:`(?:-[a-z], )?(--[a-z-]+)[^`]*`|\\([^)]*\\)) \\| (?:`([A-Z_, ]+)`)? \\|")
	command := ""
	for line := range strings.SplitSeq(string(page), "\n") {
		if found := heading.FindStringSubmatch(line); found != nil {
			command = found[1]
			known.flags[command] = []string{}
		}
		if found := row.FindStringSubmatch(line); found != nil {
			known.flags[command] = append(known.flags[command], found[1])
			for name := range strings.SplitSeq(found[2], ", ") {
				known.variables[name] = true
			}
		}
	}
	if len(known.flags["serve"]) < 20 || !known.variables["TRAILHOOK_DATA_DIR"] || !known.variables["TRAILHOOK_MASTER_KEY"] {
		t.Fatalf("the reference cannot be read: %v", known)
	}
	return known
}

func (k commands) checkVariable(t *testing.T, where, name string) {
	t.Helper()
	if !k.variables[name] {
		t.Errorf("%s: there is no variable %s", where, name)
	}
}

// checkArguments takes a command and its flags.
func (k commands) checkArguments(t *testing.T, where string, arguments []string) {
	t.Helper()
	if len(arguments) == 0 {
		t.Errorf("%s: no command", where)
		return
	}
	flags, ok := k.flags[arguments[0]]
	if !ok {
		t.Errorf("%s: there is no command %s", where, arguments[0])
	}
	for _, argument := range arguments[1:] {
		name, _, _ := strings.Cut(argument, "=")
		if strings.HasPrefix(name, "--") && !slices.Contains(flags, name) {
			t.Errorf("%s: %s has no flag %s", where, arguments[0], name)
		}
	}
}

func TestTheUnitSetsWhatTheProgramKnows(t *testing.T) {
	text, err := os.ReadFile("systemd/trailhook.service")
	if err != nil {
		t.Fatal(err)
	}
	known := knownCommands(t)
	started := false
	for line := range strings.SplitSeq(string(text), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "ExecStart":
			started = true
			known.checkArguments(t, "the unit", strings.Fields(value)[1:])
		case "Environment":
			name, _, _ := strings.Cut(value, "=")
			known.checkVariable(t, "the unit", name)
		}
	}
	if !started {
		t.Error("the unit starts nothing")
	}
}

// The most that systemd-analyze may find wanting in the unit's sandbox, in tenths: 0 is
// nothing, 100 all.
const mostExposed = "20"

func TestTheUnitIsGoodAndShutIn(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	text, err := os.ReadFile("systemd/trailhook.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program that is started has to exist.
	unit := t.TempDir() + "/trailhook.service"
	good := strings.ReplaceAll(string(text), "/usr/bin/trailhook", require.Program(t, "true", "apt-get install coreutils"))
	if err := os.WriteFile(unit, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "trailhook.service:") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold="+mostExposed, unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}

func TestTheImageSetsWhatTheProgramKnows(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	known := knownCommands(t)
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	_, last, found := strings.Cut(joined, "FROM gcr.io/distroless/")
	if !found {
		t.Fatal("the last stage is another one")
	}
	for line := range strings.SplitSeq(last, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "ENV":
			for _, pair := range strings.Fields(rest) {
				name, _, _ := strings.Cut(pair, "=")
				known.checkVariable(t, "the image", name)
			}
		case "CMD", "HEALTHCHECK":
			_, list, _ := strings.Cut(rest, "[")
			var arguments []string
			if err := yaml.Unmarshal([]byte("["+list), &arguments); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if word == "HEALTHCHECK" && arguments[0] == "/usr/bin/trailhook" {
				arguments = arguments[1:]
			}
			known.checkArguments(t, "the image", arguments)
		case "USER":
			if rest == "root" || strings.HasPrefix(rest, "0") {
				t.Errorf("it runs as %s", rest)
			}
		}
	}
}

func TestTheReleaseIsReadable(t *testing.T) {
	text, err := os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var release struct {
		Version int
		Builds  []struct {
			ID           string
			Goos, Goarch []string
			Env, Flags   []string
			Ldflags      []string
			ModTimestamp string `yaml:"mod_timestamp"`
		}
		Checksum struct{ Algorithm string }
		Sboms    []struct{ Artifacts string }
	}
	if err := yaml.Unmarshal(text, &release); err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, b := range release.Builds {
		for _, system := range b.Goos {
			for _, machine := range b.Goarch {
				targets[system+"/"+machine] = true
			}
		}
		flags := strings.Join(b.Ldflags, " ")
		if !slices.Contains(b.Flags, "-trimpath") || !slices.Contains(b.Env, "CGO_ENABLED=1") || b.ModTimestamp == "" ||
			!strings.Contains(flags, "-X main.version=") || !strings.Contains(flags, "-buildid= ") {
			t.Errorf("%s: %+v", b.ID, b)
		}
	}
	for _, target := range []string{"linux/amd64", "linux/arm64", "darwin/arm64"} {
		if !targets[target] {
			t.Errorf("no binary for %s", target)
		}
	}
	if release.Version != 2 || release.Checksum.Algorithm != "sha256" || len(release.Sboms) == 0 {
		t.Errorf("%+v", release)
	}
}
