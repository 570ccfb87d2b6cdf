package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"syscall"
	"testing"
)

func TestASourceForwardsAfterTheMasterKeyWasChanged(t *testing.T) {
	t.Parallel()
	authorizations := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		authorizations <- r.Header.Get("Authorization")
	}))
	defer receiver.Close()
	dir := t.TempDir()
	p := serve(t, dir)
	resp, body, err := p.siem(t.Context(), "POST", "/api/v1/collectors", `{"collector": {"name": "Audit"}}`)
	must(t, 201, resp, body, err)
	resp, body, err = p.siem(t.Context(), "POST", "/api/v1/collectors/1/sources", fmt.Sprintf(
		`{"source": {"name": "Audit", "trailhook": {"forwarding": {"endpoint": %q, "authorization": "Bearer f0rward"}}}}`, receiver.URL))
	address, err := url.Parse(must(t, 201, resp, body, err)["source"].(map[string]any)["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	forward := func(line string) {
		t.Helper()
		resp, body, err := p.siem(t.Context(), "POST", address.Path, line)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v %s", err, body)
		}
		ctx, cancel := context.WithTimeout(t.Context(), generous)
		defer cancel()
		select {
		case got := <-authorizations:
			if got != "Bearer f0rward" {
				t.Errorf("%s: forwarded with %q", line, got)
			}
		case <-ctx.Done():
			t.Fatalf("%s: not forwarded", line)
		}
	}
	forward("before")
	for _, rotate := range [][]string{{}, {"--prune"}} {
		if err := p.end(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.mustTrailhook(append([]string{"key", "rotate-master", "--data-dir", dir}, rotate...)...)
		p = serve(t, dir)
	}
	forward("after")
	eventually(t, "what was recorded of the source's creation is found", func() bool {
		return len(p.search("_source=trailhook Authz.collectors/1/sources granted=true")) == 1
	})
}
