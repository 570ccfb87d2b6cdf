package sumo

import (
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

const publicKey = `{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`

func TestASettingThatCannotBeIsRefusedWithItsName(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	for settings, message := range map[string]string{
		`{"jwksUrl":"https://k.example"}`:                            "jwksUrl",
		`{"jwks":{}}`:                                                "jwks must be",
		`{"jwks":{"url":"http://k.example"}}`:                        "must be https",
		`{"jwks":{"url":"k"}}`:                                       "jwks.url must be",
		`{"jwks":{"url":"https://k.example","keys":[]}}`:             "jwks must be",
		`{"jwks":{"file":"/etc/passwd"}}`:                            "file",
		`{"jwks":{"keys":[]}}`:                                       "no Ed25519 key",
		`{"jwks":{"keys":7}}`:                                        "JWKS",
		`{"jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}}`: "key 1 of 1",
		`{"jwks":{"keys":[` + strings.Replace(publicKey, "{", `{"d":"x",`, 1) + `]}}`: "private half",
		`{"signaturePolicy":"drop"}`:                                                "keep or quarantine",
		`{"quarantineUnsigned":true}`:                                               "goes with signaturePolicy",
		`{"retentionDays":-1}`:                                                      "retentionDays",
		`{"retentionDays":3651}`:                                                    "retentionDays",
		`{"retentionDays":1.5}`:                                                     "retentionDays",
		`{"forwarding":{}}`:                                                         "forwarding.endpoint must begin with",
		`{"forwarding":{"endpoint":"file:///etc/passwd"}}`:                          "must begin with",
		`{"forwarding":{"endpoint":"http://siem.example"}}`:                         "must be https",
		`{"forwarding":{"endpoint":"https://u:p@siem.example"}}`:                    "user name",
		`{"forwarding":{"endpoint":"tls://siem.example"}}`:                          "tls://host:port",
		`{"forwarding":{"endpoint":"tcp://siem.example:514/x"}}`:                    "tcp://host:port",
		`{"forwarding":{"endpoint":"tcp://siem.example:99999"}}`:                    "port",
		`{"forwarding":{"endpoint":"tls://u@siem.example:514"}}`:                    "tls://host:port",
		`{"forwarding":{"endpoint":"tls://siem.example:1","authorization":"x"}}`:    "syslog",
		`{"forwarding":{"endpoint":"https://siem.example","authorization":"a\nb"}}`: "line breaks",
	} {
		body := `{"source":{"name":"n","trailhook":` + settings + `}}`
		w := s.do("POST", "/api/v1/collectors/1/sources", body)
		if w.Code != 400 || !strings.Contains(w.Body.String(), message) {
			t.Errorf("%s: %d %s, want %q", settings, w.Code, w.Body, message)
		}
	}
}

func TestASourceGivesItsSettingsBack(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	path := "/api/v1/collectors/1/sources/2"
	sent := map[string]any{
		"requireAccessKey": true, "signaturePolicy": "quarantine", "quarantineUnsigned": true, "retentionDays": 400.0,
		"jwks":   map[string]any{"keys": []any{decoded(t, publicKey)}},
		"syslog": map[string]any{"port": 8071.0, "networks": []any{"10.0.0.0/8"}},
	}
	update := func(settings map[string]any) map[string]any {
		t.Helper()
		body := wrapped("source", map[string]any{"name": "Konnect", "trailhook": settings})
		return s.call(200, "PUT", path, body, "source", "If-Match", "*")["trailhook"].(map[string]any)
	}
	holds(t, "settings", update(sent), sent)
	holds(t, "settings read", s.call(200, "GET", path, "", "source")["trailhook"].(map[string]any), sent)
	want := map[string]any{"requireAccessKey": false, "signaturePolicy": "keep", "quarantineUnsigned": false, "retentionDays": 0.0}
	if diff := cmp.Diff(want, update(map[string]any{})); diff != "" {
		t.Errorf("what is left out is not unset: %s", diff)
	}
	if days := s.catalog.RetentionDays("2"); days != 0 {
		t.Errorf("retention of %d days", days)
	}
	update(map[string]any{"retentionDays": 7})
	for id, days := range map[string]int{"2": 7, "2/quarantine": 7, "0": 0, "99": 0, "x": 0} {
		if got := s.catalog.RetentionDays(id); got != days {
			t.Errorf("retention of source %q: %d days, want %d", id, got, days)
		}
	}
}

func TestWhatIsSentBackAsItWasReadChangesNothing(t *testing.T) {
	s := start(t, nil)
	s.addSource()
	path := "/api/v1/collectors/1/sources/2"
	change := func(settings string, status int) *httptest.ResponseRecorder {
		t.Helper()
		w := s.do("PUT", path, `{"source":{"name":"Konnect","trailhook":`+settings+`}}`, "If-Match", "*")
		if w.Code != status {
			t.Fatalf("%s: %d %s", settings, w.Code, w.Body)
		}
		return w
	}
	change(`{"forwarding":{"endpoint":"https://siem.example/a","authorization":"s3cret"}}`, 200)
	before, err := s.catalog.Source(2)
	if err != nil {
		t.Fatal(err)
	}
	read := s.do("GET", path, "")
	if strings.Contains(read.Body.String(), "s3cret") || !strings.Contains(read.Body.String(), `"hasAuthorization":true`) {
		t.Fatalf("read: %s", read.Body)
	}
	if w := s.do("PUT", path, read.Body.String(), "If-Match", read.Header().Get("ETag")); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	after, err := s.catalog.Source(2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Forwarding, after.Forwarding); diff != "" {
		t.Error(diff)
	}
	change(`{"forwarding":{"endpoint":"https://other.example"}}`, 400) // a secret does not go elsewhere
	change(`{"forwarding":{"endpoint":"https://other.example","authorization":""}}`, 200)
	if after, _ = s.catalog.Source(2); after.Forwarding.HasAuthorization() || after.Forwarding.ID != before.Forwarding.ID {
		t.Errorf("%+v", after.Forwarding)
	}
	change(`{}`, 200)
	if after, _ = s.catalog.Source(2); after.Forwarding != nil {
		t.Errorf("it forwards still: %+v", after.Forwarding)
	}
}

func TestASourceTellsHowItsForwardingStands(t *testing.T) {
	s := start(t, nil)
	lines := s.addSource()
	got := make(chan string, 10)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got <- r.Header.Get("Authorization")
		if r.Header.Get("Authorization") != "right" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer receiver.Close()
	path := "/api/v1/collectors/1/sources/2"
	set := func(authorization string) {
		t.Helper()
		s.call(200, "PUT", path, wrapped("source", map[string]any{"name": "Konnect", "trailhook": map[string]any{"forwarding": map[string]any{
			"endpoint": receiver.URL, "authorization": authorization, "skipSslVerification": true,
		}}}), "source", "If-Match", "*")
	}
	status := func() map[string]any {
		return s.call(200, "GET", path, "", "source")["trailhook"].(map[string]any)["forwarding"].(map[string]any)
	}
	until := func(what string, done func(map[string]any) bool) {
		t.Helper()
		deadline := time.After(time.Minute)
		for !done(status()) {
			select {
			case <-deadline:
				t.Fatalf("not within a minute: %s: %v", what, status())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	set("wrong")
	s.send(lines, "a line")
	until("refused", func(f map[string]any) bool {
		return f["status"] == "inactive" && f["behind"] == true && f["forwarded"] == 0.0 && f["lastAttemptAt"] != nil &&
			strings.Contains(f["lastError"].(string), "403 Forbidden")
	})
	set("right")
	until("taken", func(f map[string]any) bool {
		return f["status"] == "active" && f["behind"] == false && f["forwarded"] == 1.0 && f["lastError"] == nil
	})
	if first := <-got; first != "wrong" {
		t.Errorf("the first request carried %q", first)
	}
}

func TestALineIsVerifiedWithTheKeysThatItsSourceHolds(t *testing.T) {
	s := start(t, nil)
	path := s.addSource()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := audit.NewKeySet(public)
	if err != nil {
		t.Fatal(err)
	}
	set := decoded(t, string(keys.JWKS())).(map[string]any)
	s.call(200, "PUT", "/api/v1/collectors/1/sources/2", wrapped("source", map[string]any{
		"name": "Konnect", "trailhook": map[string]any{"signaturePolicy": "quarantine", "jwks": set},
	}), "source", "If-Match", "*")
	line := audit.NewSigner(private).AppendLine(nil, audit.CEF, &audit.Event{Kind: audit.Authorization, Time: time.Now(), Service: "konnect", Resource: "r", Action: "list"})
	forged := strings.Replace(string(line), "list", "edit", 1)
	s.send(path, string(line)+"\n"+forged+"\nunsigned")
	for query, want := range map[string]string{
		"_source=Konnect":                  "unsigned valid",
		"":                                 "unsigned valid",
		`_source="Konnect (quarantine)"`:   "invalid",
		"_source=Konnect*":                 "invalid unsigned valid",
		"_source=*quarantine* action=edit": "invalid",
	} {
		_, found := s.search("query=" + url.QueryEscape(query))
		var verdicts []string
		for _, record := range found {
			verdicts = append(verdicts, record["_signature"])
		}
		slices.Sort(verdicts)
		if got := strings.Join(verdicts, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
