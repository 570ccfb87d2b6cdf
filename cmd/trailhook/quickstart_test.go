package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuickstartStartsAServerAndASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	u := newStarter(t)
	exports, progress := u.must("--api", u.api)
	u.wantExports(exports, `'kpat_\w+'`, u.api)
	for _, want := range []string{"The server runs with pid", "server.log", "trailhook quickstart --cleanup", "The control plane quickstart was made"} {
		if !strings.Contains(progress, want) {
			t.Errorf("the user is not told %q:\n%s", want, progress)
		}
	}
	planes, pid := u.controlPlanes(), u.holder("server")
	for range 2 {
		if again, _ := u.must(); again != exports {
			t.Errorf("told at first\n%sand again\n%s", exports, again)
		}
	}
	if diff := cmp.Diff(planes, u.controlPlanes()); diff != "" {
		t.Errorf("another run changed the control planes:\n%s", diff)
	}
	if now := u.holder("server"); now != pid {
		t.Errorf("the server's pid was %d and is %d", pid, now)
	}
	for _, shell := range []string{"bash", "sh"} {
		out := bash(t, shell+` -euc 'eval "$EXPORTS"
			curl -sS --fail-with-body -H "Authorization: Bearer $DECK_KONNECT_TOKEN" "$KONNECT_CONTROL_PLANE_URL/v2/control-planes?filter%5Bname%5D%5Beq%5D=$DECK_KONNECT_CONTROL_PLANE_NAME"
			curl -sS "$KONNECT_PROXY_URL/nowhere"'`, "EXPORTS="+exports)
		if !strings.Contains(out, `"name":"quickstart"`) || !strings.Contains(out, "no Route matched") {
			t.Errorf("with the exports in %s:\n%s", shell, out)
		}
	}
	u.wantAllGone()
}

func TestQuickstartUsesTheServerThatRuns(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--only", "platform")
	u := newStarter(t)
	u.set("KONNECT_TOKEN", p.token())
	u.set("TRAILHOOK_PROXY", p.proxy)
	exports, _ := u.must("--api", p.apiURL)
	u.wantExports(exports, `\$KONNECT_TOKEN`, p.apiURL)
	resp, body, err := p.api(t.Context(), "GET", "/v2/control-planes", "")
	must(t, 200, resp, body, err)
	if again, _ := u.must("-k", p.token()); again != exports {
		t.Errorf("told at first\n%sand again\n%s", exports, again)
	}
	resp, same, err := p.api(t.Context(), "GET", "/v2/control-planes", "")
	must(t, 200, resp, same, err)
	if diff := cmp.Diff(string(body), string(same)); diff != "" {
		t.Errorf("another run changed the control planes:\n%s", diff)
	}
	u.fails("--api", "http://127.0.0.1:1", "quickstart is set up with "+p.apiURL)
	u.must("--cleanup")
	if resp, body, err = p.api(t.Context(), "GET", "/v2/control-planes", ""); !strings.Contains(string(body), `"data":[]`) {
		t.Errorf("after cleaning up: %v %v\n%s", resp, err, body)
	}
	u.wantNothingToClean()
}

func TestQuickstartTellsDecKsAddressWhereThereIsOne(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--only", "platform", "--tls", "auto")
	u := newStarter(t)
	u.set("KONNECT_TOKEN", p.token())
	ca := filepath.Join(p.dataDir, "tls", "ca.crt")
	exports, progress := u.must("--api", p.apiURL, "--proxy", p.proxy, "--ca", ca, "--deck-output")
	if want := "export DECK_KONNECT_ADDR=https://us.api.konghq.localhost:" + port(t, p.apiURL) + "\n"; !strings.HasSuffix(exports, want) {
		t.Errorf("the exports lack %q:\n%s", want, exports)
	}
	if !strings.Contains(progress, "export SSL_CERT_FILE="+ca) {
		t.Errorf("the authority is not told:\n%s", progress)
	}
	if fewer, _ := u.must("--proxy", p.proxy); strings.Contains(fewer, "DECK_KONNECT_ADDR") {
		t.Errorf("without --deck-output:\n%s", fewer)
	}
	u.fails("--api", strings.Replace(p.apiURL, "https", "http", 1), "the server there speaks https")

	plain := serve(t, t.TempDir(), "--only", "platform")
	other := newStarter(t)
	exports, progress = other.must("--api", plain.apiURL, "--proxy", plain.proxy, "-k", plain.token(), "--deck-output")
	if strings.Contains(exports, "DECK_KONNECT_ADDR") || !strings.Contains(progress, "--tls auto") {
		t.Errorf("over http:\n%s%s", exports, progress)
	}
	other.fails("--api", strings.Replace(plain.apiURL, "http", "https", 1), "does not speak https")
}

func TestAServerThatQuickstartStartsForDecKHasTLS(t *testing.T) {
	t.Parallel()
	u := newStarter(t)
	dir := filepath.Join(t.TempDir(), "data")
	u.dataDirs = append(u.dataDirs, dir)
	exports, _ := u.must("--api", u.api, "--data-dir", dir, "--deck-output")
	secure := strings.Replace(u.api, "http", "https", 1)
	u.wantExports(strings.Replace(exports, "export DECK_KONNECT_ADDR=https://us.api.konghq.localhost:"+port(t, u.api)+"\n", "", 1), `'kpat_\w+'`, secure)
	u.fails("--data-dir", t.TempDir(), "--api", secure, "quickstart's server has its data in "+dir)
	syscall.Kill(u.holder(dir), syscall.SIGKILL) // as when the machine is switched off
	eventually(t, "the server has ended", func() bool { return u.holder(dir) == 0 })
	if again, _ := u.must("--deck-output"); again != exports {
		t.Errorf("told at first\n%sand after the server's end\n%s", exports, again)
	}
	u.wantAllGone()
	if _, err := os.Stat(filepath.Join(dir, "admin.pat")); err != nil {
		t.Errorf("a data directory that the user has named did not stay: %v", err)
	}
}

func TestADataPlaneThatQuickstartStartsServesTheControlPlane(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "from upstream") }))
	t.Cleanup(upstream.Close)
	p := serve(t, t.TempDir(), "--only", "platform", "--proxy-addr", "off", "--tls", "auto")
	u := newStarter(t)
	u.set("KONNECT_TOKEN", p.token())
	call := byTLS(t, p)
	args := []string{"--api", p.apiURL, "--ca", filepath.Join(p.dataDir, "tls", "ca.crt")}
	for n := range 2 {
		exports, _ := u.must(args...)
		again, _ := u.must(args...)
		if exports != again {
			t.Errorf("told at first\n%sand again\n%s", exports, again)
		}
		plane := call("GET", "/v2/control-planes", "", 200)["data"].([]any)[0].(map[string]any)["id"]
		core := fmt.Sprintf("/v2/control-planes/%s/core-entities", plane)
		path := fmt.Sprintf("/round-%d", n)
		call("POST", core+"/services", fmt.Sprintf(`{"name":"s","url":%q}`, upstream.URL), 201)
		call("POST", core+"/services/s/routes", fmt.Sprintf(`{"name":"r","paths":[%q]}`, path), 201)
		eventually(t, "the data plane serves the route", func() bool { return get(t, u.proxy+path) == "from upstream" })
		if n == 0 { // the next run makes another control plane, and the data plane serves that
			call("DELETE", fmt.Sprintf("/v2/control-planes/%s", plane), "", 204)
		}
	}
	u.fails("--proxy", "http://127.0.0.1:1", "quickstart's data plane is at "+u.proxy)
	u.wantAllGone()
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCleaningUpLeavesAloneWhatOthersHaveMade(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir(), "--only", "platform")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(upstream.Close)
	p.route(upstream.URL) // somebody's own control plane quickstart, with entities
	list := func() string {
		resp, body, err := p.api(t.Context(), "GET", "/v2/control-planes", "")
		must(t, 200, resp, body, err)
		return string(body)
	}
	before := list()
	u := newStarter(t)
	u.set("KONNECT_TOKEN", p.token())
	u.must("--api", p.apiURL, "--proxy", p.proxy)
	u.wantNothingToClean()
	if diff := cmp.Diff(before, list()); diff != "" {
		t.Errorf("somebody's control plane was changed:\n%s", diff)
	}

	// One that another user's quickstart has made stays too, and one whose label was taken away.
	id := regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(before)[1]
	resp, body, err := p.api(t.Context(), "DELETE", "/v2/control-planes/"+id, "")
	must(t, 204, resp, body, err)
	u.must("--api", p.apiURL, "--proxy", p.proxy)
	other := newStarter(t)
	other.set("KONNECT_TOKEN", p.token())
	other.must("--api", p.apiURL, "--proxy", p.proxy)
	other.wantNothingToClean()
	id = regexp.MustCompile(`"id":"([^"]+)"`).FindStringSubmatch(list())[1]
	resp, body, err = p.api(t.Context(), "PATCH", "/v2/control-planes/"+id, `{"labels":{}}`)
	must(t, 200, resp, body, err)
	if _, progress := u.must("--cleanup"); !strings.Contains(progress, "stays") {
		t.Errorf("the user is not told that it stays:\n%s", progress)
	}
	if !strings.Contains(list(), id) {
		t.Error("a control plane without the label is gone")
	}
	u.wantNothingToClean()
}

// byTLS makes calls of a server that runs with --tls auto.
func byTLS(t *testing.T, p *process) func(method, path, body string, want int) map[string]any {
	t.Helper()
	client, err := newClient(filepath.Join(p.dataDir, "tls", "ca.crt"), generous)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return func(method, path, body string, want int) map[string]any {
		t.Helper()
		req, err := http.NewRequestWithContext(context.Background(), method, p.apiURL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+p.token())
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return must(t, want, resp, text, err)
	}
}
