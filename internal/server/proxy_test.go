package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// startProxied starts a platform with a data plane.
func startProxied(t *testing.T, config Config) *Server {
	t.Helper()
	config.OpsAddr, config.ProxyAddr = "127.0.0.1:0", "127.0.0.1:0"
	return startPlatform(t, config)
}

// do makes a call of the API, which must succeed, and returns the id in its
// answer.
func do(t *testing.T, srv *Server, token, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequest(method, srv.APIURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
	var made struct{ ID string }
	_ = json.Unmarshal(text, &made) // a deletion is answered with nothing
	return made.ID
}

func fetch(t *testing.T, address string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(generous); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", generous, what)
		}
	}
}

func answers(t *testing.T, address string, status int, part string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s answers %d with %q", address, status, part), func() bool {
		got, body := fetch(t, address)
		return got == status && strings.Contains(body, part)
	})
}

func TestTheDataPlaneFollowsItsControlPlaneFromItsMakingToItsEnd(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "from upstream ", r.URL.Path) }))
	t.Cleanup(upstream.Close)
	srv := startProxied(t, Config{DataDir: t.TempDir(), ProxyControlPlane: "quickstart"})
	proxy := srv.Proxy[0]
	if status, _ := fetch(t, proxy); status != 503 {
		t.Errorf("before there is a control plane: %d", status)
	}
	other := do(t, srv, srv.Token, "POST", "/v2/control-planes", `{"name":"another"}`)
	do(t, srv, srv.Token, "PUT", "/v2/control-planes/"+other+"/core-entities/services/s", `{"url":"http://127.0.0.1:1"}`)
	plane := do(t, srv, srv.Token, "POST", "/v2/control-planes", `{"name":"quickstart"}`)
	answers(t, proxy, 404, "no Route matched")
	core := "/v2/control-planes/" + plane + "/core-entities"
	do(t, srv, srv.Token, "PUT", core+"/services/s", fmt.Sprintf(`{"url":%q}`, upstream.URL))
	do(t, srv, srv.Token, "PUT", core+"/services/s/routes/r", `{"paths":["/a"]}`)
	answers(t, proxy+"/a/b", 200, "from upstream /b")
	do(t, srv, srv.Token, "PATCH", core+"/routes/r", `{"strip_path":false}`)
	answers(t, proxy+"/a/b", 200, "from upstream /a/b")
	do(t, srv, srv.Token, "POST", core+"/routes/r/plugins", `{"name":"key-auth"}`)
	answers(t, proxy+"/a", 401, "No API key")
	if _, text := fetch(t, srv.OpsURL+"/metrics"); !strings.Contains(text, `trailhook_proxy_requests_total{method="GET",proxied="yes",status="2xx"}`) || !strings.Contains(text, "trailhook_proxy_routes 1") {
		t.Error("the metrics do not tell of the data plane")
	}
	do(t, srv, srv.Token, "DELETE", "/v2/control-planes/"+plane, "")
	answers(t, proxy+"/a", 404, "no Route matched")
	do(t, srv, srv.Token, "POST", "/v2/control-planes", `{"name":"quickstart"}`)
}

func TestADataPlaneServesAnotherServersControlPlaneAlsoWithoutIt(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "from upstream") }))
	t.Cleanup(upstream.Close)
	central := startPlatform(t, Config{DataDir: t.TempDir()})
	plane := do(t, central, central.Token, "POST", "/v2/control-planes", `{"name":"edge"}`)
	core := "/v2/control-planes/" + plane + "/core-entities"
	do(t, central, central.Token, "PUT", core+"/services/s", fmt.Sprintf(`{"url":%q}`, upstream.URL))
	do(t, central, central.Token, "PUT", core+"/services/s/routes/r", `{"paths":["/a"]}`)
	do(t, central, central.Token, "POST", core+"/plugins", `{"name":"audit"}`)
	dir := t.TempDir()
	start := func() *Server {
		return startProxied(t, Config{DataDir: dir, ProxyControlPlane: plane, ProxyControlPlaneURL: central.APIURL, ProxyControlPlaneToken: central.Token})
	}
	edge := start()
	answers(t, edge.Proxy[0]+"/a", 200, "from upstream")
	do(t, central, central.Token, "PUT", core+"/services/s/routes/q", `{"paths":["/later"]}`)
	answers(t, edge.Proxy[0]+"/later", 200, "from upstream")
	if err := edge.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := central.Shutdown(); err != nil {
		t.Fatal(err)
	}
	edge = start()
	answers(t, edge.Proxy[0]+"/later", 200, "from upstream")
}
