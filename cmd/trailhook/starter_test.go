package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trailhook/trailhook/internal/broker"
)

// starter is a user who calls `trailhook quickstart`, with a state directory and
// addresses of his own.
type starter struct {
	t          *testing.T
	env        []string
	state      string // quickstart's
	api, proxy string // URLs at which nobody listens yet
	dataDirs   []string
}

func newStarter(t *testing.T) *starter {
	t.Helper()
	home := t.TempDir()
	u := &starter{t: t, state: filepath.Join(home, "trailhook", "quickstart"), api: freeURL(t), proxy: freeURL(t)}
	u.env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "TRAILHOOK_") || strings.HasPrefix(v, "KONNECT_") || strings.HasPrefix(v, "DECK_")
	})
	for name, value := range startVariables(home, u.proxy) {
		u.set(name, value)
	}
	u.dataDirs = []string{u.path("server"), u.path("data-plane")}
	t.Cleanup(u.end)
	return u
}

// startVariables are the environment of a quickstart that disturbs nobody.
func startVariables(stateHome, proxy string) map[string]string {
	return map[string]string{
		"XDG_STATE_HOME": stateHome, "TRAILHOOK_PROXY": proxy,
		"TRAILHOOK_SIEM_ADDR": "127.0.0.1:0", "TRAILHOOK_OPS_ADDR": "127.0.0.1:0", "TRAILHOOK_SYSLOG_ADDR": "127.0.0.1:0",
		asTrailhook: "1", ownedBy: strconv.Itoa(os.Getpid()),
	}
}

// mayStart is the script command "maystart": quickstart may start things from
// here on, which end with the script. $API and $PROXY are where nobody listens
// yet.
func mayStart(ts *testscript.TestScript, _ bool, _ []string) {
	home := ts.MkAbs("state")
	api, proxy := freeURL(ts), freeURL(ts)
	for name, value := range startVariables(home, proxy) {
		ts.Setenv(name, value)
	}
	ts.Setenv("API", api)
	ts.Setenv("PROXY", proxy)
	ts.Defer(func() {
		for _, name := range []string{"server", "data-plane"} {
			if pid, _ := broker.Holder(filepath.Join(home, "trailhook", "quickstart", name)); pid != 0 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
}

// freeURL is an address at which nobody listens. It is none of those that the
// system gives out by itself, so that it stays free.
func freeURL(t interface{ Fatalf(string, ...any) }) string {
	port, err := findPort()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return "http://" + net.JoinHostPort("127.0.0.1", port)
}

func (u *starter) set(name, value string) { u.env = append(u.env, name+"="+value) }

func (u *starter) path(name string) string { return filepath.Join(u.state, name) }

// end leaves no process behind, whatever has become of the test.
func (u *starter) end() {
	for _, dir := range u.dataDirs {
		if u.t.Failed() {
			if log, err := os.ReadFile(u.path(filepath.Base(dir) + ".log")); err == nil {
				u.t.Logf("log of %s:\n%s", dir, log)
			}
		}
		if pid, _ := broker.Holder(dir); pid != 0 && pid != os.Getpid() {
			syscall.Kill(pid, syscall.SIGKILL)
			eventually(u.t, "the process is gone", func() bool { pid, _ := broker.Holder(dir); return pid == 0 })
		}
	}
}

// command is quickstart, not started yet.
func (u *starter) command(args ...string) (cmd *exec.Cmd, out, progress *bytes.Buffer) {
	cmd = exec.Command(os.Args[0], append([]string{"quickstart"}, args...)...)
	cmd.Env = u.env
	out, progress = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, progress
	return cmd, out, progress
}

func (u *starter) must(args ...string) (exports, progress string) {
	u.t.Helper()
	cmd, out, said := u.command(args...)
	if err := cmd.Run(); err != nil {
		u.t.Fatalf("quickstart %q: %v\n%s", args, err, said)
	}
	return out.String(), said.String()
}

// fails runs what has to fail, with the last argument in the error.
func (u *starter) fails(argsAndWhy ...string) {
	u.t.Helper()
	args, why := argsAndWhy[:len(argsAndWhy)-1], argsAndWhy[len(argsAndWhy)-1]
	cmd, out, said := u.command(args...)
	err := cmd.Run()
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 1 || !strings.Contains(said.String(), why) || out.Len() > 0 {
		u.t.Errorf("quickstart %q: %v, want an error with %q\n%s%s", args, err, why, out, said)
	}
}

// wantExports holds the exports against the tutorial's; token is a pattern.
func (u *starter) wantExports(exports, token, api string) {
	u.t.Helper()
	want := regexp.MustCompile(`^export DECK_KONNECT_TOKEN=` + token + `
export DECK_KONNECT_CONTROL_PLANE_NAME=quickstart
export KONNECT_CONTROL_PLANE_URL=` + regexp.QuoteMeta(api) + `
export KONNECT_PROXY_URL='http://[^']+'
$`)
	if !want.MatchString(exports) {
		u.t.Errorf("the exports are\n%swant\n%s", exports, want)
	}
}

// wantNothingToClean has the user clean up twice: there is nothing, the second
// time at the latest.
func (u *starter) wantNothingToClean() {
	u.t.Helper()
	u.must("--cleanup")
	if out, said := u.must("--cleanup"); out != "" || said != "There is nothing to clean.\n" {
		u.t.Errorf("cleaning up again: %s%s", out, said)
	}
}

// wantAllGone has the user clean up, and nothing runs then.
func (u *starter) wantAllGone() {
	u.t.Helper()
	u.wantNothingToClean()
	for _, dir := range u.dataDirs {
		if pid := u.holder(dir); pid != 0 {
			u.t.Errorf("pid %d still has %s", pid, dir)
		}
	}
	if _, err := os.Stat(u.state); !errors.Is(err, fs.ErrNotExist) {
		u.t.Errorf("the state is still there: %v", err)
	}
	for _, url := range []string{u.api, u.proxy} {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			u.t.Errorf("somebody still answers at %s", url)
		}
	}
}

// holder is the pid of what has the data directory, by its name in the state
// directory or by its path; 0 when nobody has.
func (u *starter) holder(dir string) int {
	u.t.Helper()
	if !filepath.IsAbs(dir) {
		dir = u.path(dir)
	}
	pid, err := broker.Holder(dir)
	if err != nil {
		u.t.Fatal(err)
	}
	return pid
}

// controlPlanes is the listing of the server that quickstart has started.
func (u *starter) controlPlanes() string {
	u.t.Helper()
	token, err := os.ReadFile(u.path("server/admin.pat"))
	if err != nil {
		u.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(u.t.Context(), "GET", u.api+"/v2/control-planes", nil)
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, body, err := exchange(req)
	must(u.t, 200, resp, body, err)
	return string(body)
}
