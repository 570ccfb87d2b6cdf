package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/trailhook/trailhook/internal/broker"
)

func TestWhatQuickstartCannotDoItSaysAndUndoes(t *testing.T) {
	t.Parallel()
	t.Run("no server, and a token that a new one cannot know", func(t *testing.T) {
		u := newStarter(t)
		u.fails("--api", u.api, "-k", "kpat_unknown", "would not know the token")
		u.must("--cleanup", "--api", "nowhere") // there is nothing, whatever the address
	})
	t.Run("a token that the server refuses", func(t *testing.T) {
		u := newStarter(t)
		u.must("--api", u.api)
		u.set("KONNECT_TOKEN", "kpat_unknown")
		u.fails("does not know the token: give another with -k")
		u.wantAllGone()
	})
	t.Run("no token", func(t *testing.T) {
		p := serve(t, t.TempDir(), "--only", "platform")
		u := newStarter(t)
		u.fails("--api", p.apiURL, "give an access token for "+p.apiURL)
	})
	t.Run("a server elsewhere that does not answer", func(t *testing.T) {
		u := newStarter(t)
		u.fails("--api", "http://127.0.0.1:1/", "--proxy", "http://gateway.example", "a data plane that is started is on this machine")
		u.fails("--api", "http://a server", `want http(s)://host[:port]`)
	})
	t.Run("other programs at the addresses", func(t *testing.T) {
		other := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(other.Close)
		u := newStarter(t)
		u.fails("--api", other.URL, "what answers there is no Trailhook server")
		u.fails("--api", u.api, "--proxy", other.URL, "bind: address already in use")
		u.wantNothingToClean()
		p := serve(t, t.TempDir(), "--only", "platform")
		u.fails("--api", p.apiURL, "-k", p.token(), "--proxy", other.URL, "what answers there is no Trailhook data plane")
	})
	t.Run("a server that ends at once", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		u := newStarter(t)
		u.set("TRAILHOOK_SIEM_ADDR", taken.Addr().String())
		u.fails("--api", u.api, "trailhook: --siem-addr: listen tcp "+taken.Addr().String())
		u.set("TRAILHOOK_SIEM_ADDR", "127.0.0.1:0")
		u.must("--api", u.api) // what failed is not in the way
		u.wantAllGone()
	})
}

func TestAQuickstartThatWasKilledIsMendedByTheNext(t *testing.T) {
	t.Parallel()
	u := newStarter(t)
	for _, moment := range []struct {
		what string
		come func() bool
	}{
		{"the state is written", func() bool { return exists(u.path("state.json")) }},
		{"the server has its directory", func() bool { pid, _ := broker.Holder(u.path("server")); return pid != 0 }},
		{"the server has made a token", func() bool { return exists(u.path("server/admin.pat")) }},
		{"the server answers", func() bool { resp, err := http.Get(u.api); return err == nil && resp.Body.Close() == nil }},
	} {
		u.killWhen(moment.what, moment.come, "--api", u.api, "--deck-output")
	}
	exports, _ := u.must()
	u.wantExports(exports, `'kpat_\w+'`, strings.Replace(u.api, "http", "https", 1))
	pid := u.holder("server")
	u.killWhen("the server has ended", func() bool { pid, _ := broker.Holder(u.path("server")); return pid == 0 }, "--cleanup")
	if pid == 0 || u.holder("server") != 0 {
		t.Errorf("pid %d was the server's, and %d is", pid, u.holder("server"))
	}
	u.wantAllGone()
}

// killWhen starts quickstart and kills it when the moment has come, unless it has
// ended by then.
func (u *starter) killWhen(what string, come func() bool, args ...string) {
	u.t.Helper()
	cmd, _, _ := u.command(args...)
	cmd.Stdout, cmd.Stderr = nil, nil
	if err := cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	eventually(u.t, what, come)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestOfTwoQuickstartsAtOnceOneWorksAndTheOtherSaysSo(t *testing.T) {
	t.Parallel()
	u := newStarter(t)
	var both sync.WaitGroup
	var said [2]*bytes.Buffer
	var failed [2]error
	for i := range said {
		var cmd *exec.Cmd
		cmd, _, said[i] = u.command("--api", u.api)
		both.Go(func() { failed[i] = cmd.Run() })
	}
	both.Wait()
	if failed[0] != nil && failed[1] != nil {
		t.Errorf("both failed: %s and %s", said[0], said[1])
	}
	for i, err := range failed {
		if err != nil && !strings.Contains(said[i].String(), "another quickstart is at work") {
			t.Errorf("%v: %s", err, said[i])
		}
	}
	if n := strings.Count(u.controlPlanes(), `"name":"quickstart"`); n != 1 {
		t.Errorf("%d control planes", n)
	}
	u.wantAllGone()
}

func TestCleaningUpEndsNoProcessThatHasGotTheServersPid(t *testing.T) {
	t.Parallel()
	u := newStarter(t)
	u.must("--api", u.api)
	server := u.holder("server")
	syscall.Kill(server, syscall.SIGKILL)
	eventually(t, "the server has ended", func() bool { return u.holder("server") == 0 })
	other := exec.Command("cat")
	input, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { input.Close() })
	pid := fmt.Sprintf("%d\n", other.Process.Pid)
	if err := os.WriteFile(filepath.Join(u.state, "server", "lock"), []byte(pid), 0o600); err != nil {
		t.Fatal(err)
	}
	u.must("--cleanup")
	input.Close()
	if err := other.Wait(); err != nil {
		t.Errorf("a process of somebody else's did not end by itself: %v", err)
	}
	u.wantAllGone()
}
