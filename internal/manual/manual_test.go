package manual

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/trailhook/trailhook/internal/require"
)

// sample is a command line with one of each kind.
type sample struct {
	Config string `help:"A file." type:"path" env:"SAMPLE_CONFIG"`
	Serve  struct {
		Level  string        `help:"How much is logged: it's a word." enum:"debug,info" default:"info"`
		Wait   time.Duration `help:"How long."`
		Keep   bool          `help:"Leave it [running]."`
		Secret string        `hidden:"" help:"A secret." env:"SAMPLE_SECRET"`
	} `cmd:"" help:"Run the server."`
	Key struct {
		List   struct{} `cmd:"" help:"List keys."`
		Rotate struct {
			Names []string `arg:"" optional:"" help:"Which."`
		} `cmd:"" help:"Rotate keys."`
	} `cmd:"" help:"Work with keys."`
	Lost struct{} `cmd:"" hidden:"" help:"Not shown."`
}

func sampleProgram(t *testing.T) Command {
	t.Helper()
	parser, err := kong.New(&sample{}, kong.Name("sample"), kong.Description("A sample.\n\n.dots and 'quotes' \\ stay.\n\n  sample serve    runs it"))
	if err != nil {
		t.Fatal(err)
	}
	return Of(parser.Model)
}

func TestThePageHasEveryCommandAndFlag(t *testing.T) {
	page := Page(sampleProgram(t), "go test")
	for _, want := range []string{
		"## sample serve\n", "## sample key rotate\n", "    sample key rotate [NAMES…] [FLAGS]\n",
		"| `--config=PATH` | `SAMPLE_CONFIG` |  | A file. |", "| `--level=WORD` |  | `info` | How much is logged: it's a word. One of `debug, info`. |",
		"| `--wait=TIME` |", "| `--keep` |", "| (in the environment only) | `SAMPLE_SECRET` |", "    sample serve    runs it",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "Lost") || strings.Contains(page, "--secret") {
		t.Errorf("what is hidden is shown:\n%s", page)
	}
}

func TestTheManPagesAreGoodRoff(t *testing.T) {
	groff := require.Program(t, "groff", "apt-get install groff-base")
	for name, page := range Man(sampleProgram(t), "1.2", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		cmd := exec.Command(groff, "-man", "-Tascii", "-ww", "-rF0")
		cmd.Stdin = strings.NewReader(page)
		var out, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaints
		if err := cmd.Run(); err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v\n%s\n%s", name, err, complaints.String(), page)
		}
		if name == "sample.1" && (!strings.Contains(out.String(), `.dots and 'quotes' \ stay.`) || !strings.Contains(out.String(), "sample serve    runs it")) {
			t.Errorf("%s", out.String())
		}
	}
}

func TestBashCompletesCommandsFlagsAndWords(t *testing.T) {
	bash := require.Program(t, "bash", "apt-get install bash")
	script, err := Completion(sampleProgram(t), "bash")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "afile.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string // the last is to be completed
		want  string
	}{
		{[]string{"sample", ""}, "serve key --help --config"},
		{[]string{"sample", "k"}, "key"},
		{[]string{"sample", "key", ""}, "list rotate --help --config"},
		{[]string{"sample", "serve", "--le"}, "--level"},
		{[]string{"sample", "serve", "--level", ""}, "debug info"},
		{[]string{"sample", "serve", "--level", "=", "d"}, "debug"},
		{[]string{"sample", "serve", "--level", "="}, "debug info"},
		{[]string{"sample", "serve", "--wait", ""}, ""},
		{[]string{"sample", "--config", "afi"}, "afile.txt"},
		{[]string{"sample", "--config", "key", "key", "l"}, "list"},
		{[]string{"sample", "key", "rotate", "afi"}, "afile.txt"},
	} {
		run := script + "\nCOMP_WORDS=(" + quotedAll(c.words) + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_sample\necho \"${COMPREPLY[*]}\"\n"
		cmd := exec.Command(bash, "--norc", "-u", "-c", run)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != c.want {
			t.Errorf("%q: %q, %v; want %q", c.words, out, err, c.want)
		}
	}
}

func quotedAll(words []string) string {
	var all []string
	for _, word := range words {
		all = append(all, quoted(word))
	}
	return strings.Join(all, " ")
}

// Where the shells are installed, they read the scripts.
func TestTheOtherShellsReadTheirScripts(t *testing.T) {
	for _, shell := range []string{"zsh", "fish"} {
		script, err := Completion(sampleProgram(t), shell)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"serve", "rotate", "level", "debug info", "config"} {
			if !strings.Contains(script, want) {
				t.Errorf("%s: no %s", shell, want)
			}
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, "-n")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	if _, err := Completion(sampleProgram(t), "cmd.exe"); err == nil || !slices.Contains(Shells(), "fish") {
		t.Error("a shell that nobody knows has a completion")
	}
}
