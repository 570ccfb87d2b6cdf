package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// markup is what would run, or send a request to elsewhere, if any part of it
// were taken for more than text.
const markup = `"'><script>window.ran=1</script><img src=https://elsewhere.example/x onerror=window.ran=1><svg onload=window.ran=1>` +
	`<a href="javascript:window.ran=1">{{.}}</a>` + "`${window.ran=1}`"

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Everything that somebody else can write is shown as it is written: fields of
// lines of each kind, names of things on both sides, what an endpoint answers.
func TestMarkupInAnyFieldIsShownAndNeverRuns(t *testing.T) {
	p := serve(t, t.TempDir())
	p.connect()
	ctx := t.Context()
	tried, made := 0, map[string]map[string]any{}
	post := func(do func(context.Context, string, string, string) (*http.Response, []byte, error), name, path, body string) {
		t.Helper()
		resp, answer, err := do(ctx, "POST", path, body)
		if err != nil {
			t.Fatal(err)
		}
		tried++
		object := map[string]any{}
		json.Unmarshal(answer, &object)
		made[name] = object
		if resp.StatusCode >= 300 {
			t.Logf("%s %s: markup is refused: %s", path, resp.Status, answer)
			delete(made, name)
		}
	}
	m := quoted(markup)
	short := quoted(`<img src=https://elsewhere.example/x onerror=window.ran=1>`)
	post(p.siem, "collector", "/api/v1/collectors", `{"collector": {"collectorType": "Hosted", "name": `+short+`, "description": `+m+`, "category": `+short+`}}`)
	post(p.siem, "source", "/api/v1/collectors/1/sources", `{"source": {"sourceType": "HTTP", "name": `+short+`, "description": `+m+`, "category": `+short+`, "hostName": `+short+`}}`)
	post(p.siem, "key", "/api/v1/accessKeys", `{"label": `+short+`}`)
	post(p.siem, "search", "/trailhook/v1/searches", `{"name": `+short+`, "description": `+m+`, "query": `+quoted(`"`+strings.ReplaceAll(markup, `"`, `\"`)+`"`)+`}`)
	post(p.api, "control plane", "/v2/control-planes", `{"name": `+short+`, "description": `+m+`, "labels": {"a": "b"}}`)
	post(p.api, "portal", "/v3/portals", `{"name": `+short+`, "display_name": `+short+`, "description": `+m+`}`)
	post(p.api, "destination", "/v3/audit-log-destinations", `{"name": `+short+`, "endpoint": "https://example.com/?`+`%3Cscript%3E", "authorization": "x", "log_format": "cef"}`)
	post(p.api, "user", "/trailhook/v1/users", `{"email": "a@example.com", "full_name": `+short+`}`)
	post(p.api, "system account", "/v3/system-accounts", `{"name": `+short+`, "description": `+m+`}`)
	post(p.api, "token", "/v3/users/me/access-tokens", `{"name": `+short+`, "expires_at": "2099-01-01T00:00:00Z"}`)
	if len(made) < tried/2 {
		t.Fatalf("only %d of %d things could be made with markup in them", len(made), tried)
	}
	resp, answer, err := p.siem(ctx, "GET", "/api/v1/collectors/1/sources", "")
	source := must(t, 200, resp, answer, err)["sources"].([]any)[0].(map[string]any)
	endpoint := source["url"].(string)
	line := map[string]any{}
	for _, name := range []string{"event_class_id", "name", "action", "principal_id", "org_id", "src", "user_agent", "request", "trace_id", "sig", "_raw", "odd<script>window.ran=1</script>"} {
		line[name] = markup
	}
	asJSON, _ := json.Marshal(line)
	escaped := strings.NewReplacer(`\`, `\\`, `=`, `\=`, `|`, `\|`).Replace(markup)
	now := time.Now()
	lines := []string{
		markup,
		string(asJSON),
		now.UTC().Format(time.RFC3339) + " konghq.com CEF:0|KongInc|Konnect|1.0|konnect|" + escaped + "|1|rt=" + fmt.Sprint(now.UnixMilli()) + " src=" + escaped + " action=" + escaped +
			" granted=true org_id=" + escaped + " principal_id=" + escaped + " trace_id=1 user_agent=" + escaped + " sig=" + escaped,
	}
	_, key := p.accessKey()
	for _, one := range lines {
		req, err := http.NewRequestWithContext(ctx, "POST", endpoint, strings.NewReader(one))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", key)
		for _, header := range []string{"X-Sumo-Name", "X-Sumo-Host", "X-Sumo-Category"} {
			req.Header.Set(header, markup)
		}
		if resp, _, err := exchange(req); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
	}
	eventually(t, "the lines are found", func() bool { return len(p.search(`"elsewhere.example"`)) >= len(lines) })

	b := openBrowser(t, p.siemURL)
	b.signInToBoth(p)
	id := func(name string) string { return fmt.Sprint(made[name]["id"]) }
	text := url.QueryEscape(markup)
	for _, path := range []string{
		"/?query=*", "/?query=*+|+count+by+name,user_agent", "/?from=" + text, "/?query=" + text, "/?query=" + url.QueryEscape(quoted(markup)), "/tail?query=" + text,
		"/sources", fmt.Sprintf("/sources/%.0f", source["id"]), "/keys", "/alerts", "/alerts/" + id("search"), "/alerts/new?query=" + text,
		"/audit-logs", "/audit-logs?portal=" + id("portal"), "/audit-logs/destinations", "/audit-logs/destinations/" + id("destination"),
		"/audit-logs/replay", "/audit-logs/set-aside", "/tokens", "/people", "/people/system-accounts", "/people/users/" + id("user"),
		"/control-planes", "/control-planes?name=" + text, "/control-planes/" + id("control plane"), "/portals", "/portals/" + id("portal"), "/activity",
		"/signin?return=" + text,
	} {
		b.open(path)
		b.until(`document.readyState === "complete" && !document.querySelector("[aria-busy=true]")`, path+" is whole")
		ask[bool](b, `(document.querySelectorAll("details").forEach(d => d.open = true), true)`)
		if ask[bool](b, `Boolean(window.ran) || [...document.querySelectorAll("main *")].some(e => [...e.attributes].some(a => a.name.startsWith("on")) || (e.getAttribute("href") || "").startsWith("javascript:"))`) {
			t.Errorf("%s: the markup ran, or would when it is clicked", path)
		}
	}
	for path, want := range map[string]string{"/?query=*": "onerror=window.ran=1", "/audit-logs/destinations": "onerror=window.ran=1"} {
		b.open(path)
		b.until(fmt.Sprintf(`document.body.textContent.includes(%q)`, want), path+" shows the markup as text")
	}
}
