package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/manual"
	"github.com/trailhook/trailhook/internal/require"
)

// verbs are the commands that do something, as the program's definition has them.
func verbs() []manual.Command {
	return slices.DeleteFunc(definitions().All(), func(c manual.Command) bool { return len(c.Commands) > 0 })
}

var (
	inScript = regexp.MustCompile(`(?m)^(! |\? )?exec (?:sh -c '(?:exec )?)?(trailhook .*)$`)
	archive  = regexp.MustCompile(`(?m)^-- \S+ --$`)
)

// Each verb is run by a script as it is meant to be run, and also as it is not.
func TestEveryVerbHasAScriptThatRunsIt(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	all, succeeds, fails := verbs(), map[string]bool{}, map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script := archive.Split(string(text), 2)[0]
		for _, line := range inScript.FindAllStringSubmatch(script, -1) {
			for _, v := range all {
				if !strings.HasPrefix(line[2]+" ", v.Name()+" ") || strings.Contains(line[2], "--help") {
					continue
				}
				if line[1] == "" {
					succeeds[v.Name()] = true
				} else {
					fails[v.Name()] = true
				}
			}
		}
	}
	for _, v := range all {
		if !succeeds[v.Name()] {
			t.Errorf("no script in testdata/script runs %s", v.Name())
		}
		if !fails[v.Name()] {
			t.Errorf("no script in testdata/script has %s fail", v.Name())
		}
	}
}

// helpNotRun are the examples of help texts that are not run against a server, and why.
var helpNotRun = map[string]string{
	"trailhook bench": "it takes half a minute; bench.txt runs shorter ones",
	"trailhook bench --rate 500 --duration 1m --json":                                    "it takes a minute; bench.txt runs shorter ones",
	"trailhook key rotate-master --activate":                                             "it takes a shared master key, which key.txt has",
	"trailhook replay --from 2026-01-02T00:00:00Z --to 2026-01-03T00:00:00Z --region eu": "the time is longer ago than events are kept",
	"trailhook tail 'action=delete' --output raw | trailhook verify":                     "it goes on until Ctrl-C; tail.txt has the same with an end",
}

// onStoppedServer are the verbs that want the data directory for themselves.
var onStoppedServer = regexp.MustCompile(`^trailhook( serve| demo| token .*| key .*| restore)?$`)

// helpPage has the examples of a command's help, each a block.
func helpPage(c manual.Command) document {
	p := document{name: c.Name() + " --help"}
	for _, example := range examplesOf(c) {
		p.text += "```sh\n" + example + "\n```\n"
	}
	p.blocks = blocksOf(p.text)
	return p
}

var (
	continued = regexp.MustCompile(`\\\n +`)
	explained = regexp.MustCompile(` {3,}\S.*$`)
)

// examplesOf are the indented lines of a command's help, without what is said of them
// behind.
func examplesOf(c manual.Command) []string {
	var examples []string
	for line := range strings.Lines(continued.ReplaceAllString(c.Help+"\n"+c.Detail, "")) {
		if example, indented := strings.CutPrefix(line, "  "); indented {
			examples = append(examples, explained.ReplaceAllString(strings.TrimSpace(example), ""))
		}
	}
	return examples
}

// The setup of what the examples in help texts name.
const (
	namedOnRunningServer = `
export TRAILHOOK_DATA_DIR=trailhook-data SSL_CERT_FILE=$CURL_CA_BUNDLE
ln -s "$PWD/trailhook-data" var/lib/trailhook
curl -sS --fail-with-body "$SIEM_ENDPOINT" -H "Authorization: $SIEM_TOKEN" -d '{"action": "delete", "granted": false}'
sleep 1
trailhook search '_source=Konnect _signature=valid' --output raw >audit.log`

	namedOnStoppedServer = `
trailhook serve
terminal_stop
trailhook backup --to trailhook-2026-03-01.tar.zst`
)

func TestTheExamplesInHelpTextsWork(t *testing.T) {
	t.Parallel()
	running := []document{pages(t)[0].section(t, "The tutorial by hand"), pageOf("setup", namedOnRunningServer)}
	stopped := []document{pageOf("setup", namedOnStoppedServer)}
	found := map[string]bool{}
	for _, c := range definitions().All() {
		p := helpPage(c)
		for i, b := range p.blocks {
			example := strings.TrimSpace(b.text)
			found[example] = true
			if helpNotRun[example] != "" {
				p.blocks[i].info = "sh norun"
			}
		}
		if onStoppedServer.MatchString(c.Name()) {
			stopped = append(stopped, p, pageOf("end", "terminal_stop"))
		} else {
			running = append(running, p)
		}
	}
	for example := range helpNotRun {
		if !found[example] {
			t.Errorf("no help text has what is not to be run: %s", example)
		}
	}
	for name, story := range map[string][]document{"on a running server": running, "on a stopped server": stopped} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			s.stands = append(s.stands, "3f0cf5f2-70f7-4b0c-a0c6-0ee2ad1c2ee6", "$DESTINATION_ID")
			s.run(story...)
		})
	}
}

// pageOf is a page of one block.
func pageOf(name, script string) document {
	text := "```sh\n" + strings.TrimSpace(script) + "\n```\n"
	return document{name: name, text: text, blocks: blocksOf(text)}
}

// takesDown is a shell in which the program writes down, in $RECORD, what it is called
// with: each call's arguments end with an empty one.
const takesDown = `
trailhook() { printf '%s\0' "$@" "" >>"$RECORD"; }
ssh() { cat >/dev/null; }
`

// Also those that are not run.
func TestTheExamplesInHelpTextsAreCommandLines(t *testing.T) {
	shell := require.Program(t, "bash", "apt-get install bash")
	for _, c := range definitions().All() {
		for _, example := range examplesOf(c) {
			t.Run(example, func(t *testing.T) {
				t.Chdir(t.TempDir())
				record := filepath.Join(t.TempDir(), "record")
				if err := os.WriteFile("trailhook-2026-03-01.tar.zst", nil, 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), shell, "--noprofile", "--norc", "-c", takesDown+`fpath=("" .); HOME=.; mkdir -p .config/fish/completions trailhook-data; echo t >trailhook-data/admin.pat`+"\n"+example)
				cmd.Env = append(os.Environ(), "RECORD="+record, "TOKEN=t", "KONNECT_TOKEN=t")
				if said, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, said)
				}
				called, err := os.ReadFile(record)
				if err != nil {
					t.Fatalf("it does not call trailhook: %v", err)
				}
				for call := range bytes.SplitSeq(bytes.TrimSuffix(called, []byte("\x00\x00")), []byte("\x00\x00")) {
					if _, err := newParser(t.Context(), streams{}).Parse(strings.Split(string(call), "\x00")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}
