package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/require"
)

// session is a reader's shell, and the machine around it.
type session struct {
	t      *testing.T
	dir    string // the clone
	logs   string
	shell  string
	env    []string
	stands []string          // for what is not here: name, stand-in, name, stand-in…
	ports  map[string]string // what stands for which
}

// ofReader are variables that a page's reader has not set.
var ofReader = regexp.MustCompile(`^(TRAILHOOK|KONNECT|SIEM|CURL|SSL|OTEL|DECK|XDG)_`)

func newSession(t *testing.T) *session {
	t.Helper()
	for program, packaged := range map[string]string{"curl": "curl", "openssl": "openssl", "logger": "bsdutils"} {
		require.Program(t, program, "apt-get install "+packaged)
	}
	s := &session{t: t, dir: t.TempDir(), logs: t.TempDir(), shell: require.Program(t, "bash", "apt-get install bash"), ports: map[string]string{}}
	h := startHook(t)
	h.look(func() { h.opened = true })
	address, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.ports[address.Port()] = address.Port()
	s.stands = []string{
		"./bin/trailhook", "trailhook",
		"/var/lib/", s.dir + "/var/lib/", "/usr/", s.dir + "/usr/",
		"https://hooks.example.com", h.URL,
		"https://us.api.example.com", "https://us.api.localhost:8080", "https://siem.example.com", "https://localhost:8090",
		"https://us.api.konghq.com/v2/", "https://localhost:8080/v2/",
	}
	for _, folder := range []string{"bin", "home", "var/lib", "usr/share/bash-completion/completions", "usr/bin", "usr/local/share/man", "home/.config/fish/completions"} {
		if err := os.MkdirAll(filepath.Join(s.dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, variable := range os.Environ() {
		if !ofReader.MatchString(variable) {
			s.env = append(s.env, variable)
		}
	}
	makefile, err := filepath.Abs("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.write("bin/trailhook", fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\"\n", asTrailhook, program))
	s.env = append(s.env, "HOME="+s.dir+"/home", "TMPDIR="+t.TempDir(), "PATH="+s.dir+"/bin:"+os.Getenv("PATH"),
		"TERMINAL_BINARY="+program, "TERMINAL_LOGS="+s.logs, "TERMINAL_MAKEFILE="+makefile)
	for name, port := range map[string]string{"API": "8080", "SIEM": "8090", "SYSLOG": "8071", "OPS": "9091", "PROXY": "8000"} {
		s.env = append(s.env, "TRAILHOOK_"+name+"_ADDR=127.0.0.1:"+s.port(port))
	}
	s.env = append(s.env, "TRAILHOOK_API=http://127.0.0.1:"+s.port("8080"), "TRAILHOOK_SIEM=http://127.0.0.1:"+s.port("8090"))
	return s
}

func (s *session) write(name, text string) (path string) {
	s.t.Helper()
	path = filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// port is a free port that stands for another one.
func (s *session) port(of string) string {
	if s.ports[of] == "" {
		s.ports[of] = freePort(s.t)
	}
	return s.ports[of]
}

var (
	portOfThisMachine = regexp.MustCompile(`((?:localhost|127\.0\.0\.1|\[::1\]|konghq\.com):|--port )(\d+)\b`)
	stopServer        = regexp.MustCompile(`(?m)^# Stop the server\b.*$`)
)

// here is a script as it has to be on this machine.
func (s *session) here(script string) string {
	script = portOfThisMachine.ReplaceAllStringFunc(strings.NewReplacer(s.stands...).Replace(script), func(text string) string {
		match := portOfThisMachine.FindStringSubmatch(text)
		return match[1] + s.port(match[2])
	})
	return stopServer.ReplaceAllString(script, "terminal_stop")
}

// run runs pages in one shell, and holds what the last one shows against what came out.
func (s *session) run(story ...document) {
	s.t.Helper()
	if err := s.try(story...); err != nil {
		s.t.Error(err)
	}
}

func (s *session) try(story ...document) error {
	t := s.t
	t.Helper()
	prelude, err := filepath.Abs("testdata/documentation.sh")
	if err != nil {
		t.Fatal(err)
	}
	main := fmt.Sprintf("source %q\n", prelude)
	for i, p := range story {
		main += fmt.Sprintf("source %q\n", s.write(fmt.Sprintf("home/%d.sh", i), s.here(p.script(i))))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*generous)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.shell, "--noprofile", "--norc", s.write("home/main.sh", main+"terminal_finish\n"))
	cmd.Dir, cmd.Env = s.dir, s.env
	// What the shell starts is of its group, and ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	said, err := cmd.CombinedOutput()
	s.killRest(cmd)
	if err != nil {
		return fmt.Errorf("%w\n%s%s", err, said, s.last(story))
	}
	return s.compare(len(story)-1, story[len(story)-1])
}

// killRest ends what a page has left running, wherever it went: by its group, and by the
// folder in its environment.
func (s *session) killRest(shell *exec.Cmd) {
	if shell.Process != nil {
		syscall.Kill(-shell.Process.Pid, syscall.SIGKILL)
	}
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range environments {
		environment, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(environment), "TERMINAL_LOGS="+s.logs+"\x00") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// last is the last block that was begun, and what it, or the end, has said.
func (s *session) last(story []document) string {
	if said, err := os.ReadFile(filepath.Join(s.logs, "finish")); err == nil {
		return "at the end: " + string(said)
	}
	names, _ := filepath.Glob(filepath.Join(s.logs, "block-*"))
	if len(names) == 0 {
		return ""
	}
	name := names[len(names)-1]
	said, _ := os.ReadFile(name)
	var page, number int
	fmt.Sscanf(filepath.Base(name), "block-%d-%d", &page, &number)
	b := story[page].blocks[number]
	return fmt.Sprintf("%s:%d:\n%s\n%s", story[page].name, b.line, b.text, said)
}

// compare holds what a page shows against what came out.
func (s *session) compare(number int, p document) error {
	var errs []error
	for i, b := range p.blocks {
		if i == 0 || !b.shown() || !p.blocks[i-1].runs() {
			continue
		}
		said, err := os.ReadFile(filepath.Join(s.logs, "block-"+blockName(number, i-1)))
		if err != nil {
			return err
		}
		b.text = s.here(b.text)
		if !looksLike(b).Match(said) {
			errs = append(errs, fmt.Errorf("%s:%d: the page shows\n%s\nwhat came out:\n%s", p.name, b.line, b.text, said))
		}
	}
	return errors.Join(errs...)
}

// blockName sorts as the blocks do.
func blockName(page, number int) string { return fmt.Sprintf("%02d-%03d", page, number) }

func TestAFalseExampleIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ page, want string }{
		"a command that fails":         {"```sh\necho before\n\nfalse\n```\n", "p.md:1:"},
		"a flag that there is not":     {"```sh\n./bin/trailhook version --verbose\n```\n", "unknown flag --verbose"},
		"an output that is another":    {"```sh\n./bin/trailhook version\n```\n\n```text\ntrailhook 1, of course\n```\n", "p.md:5: the page shows"},
		"a server that does not start": {"```sh\n./bin/trailhook serve --region 'U S'\n```\n", `--region "U S"`},
		"a variable of another page":   {"```sh\nset -u\necho $SIEM_ENDPOINT\n```\n", "SIEM_ENDPOINT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newSession(t).try(document{name: "p.md", text: test.page, blocks: blocksOf(test.page)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant %q", err, test.want)
			}
		})
	}
}
