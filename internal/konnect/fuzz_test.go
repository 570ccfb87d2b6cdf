package konnect

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/recorder"
	"github.com/trailhook/trailhook/internal/registry"
)

// forgetful is a journal for who looks at the answers only.
type forgetful struct{}

func (forgetful) Append(context.Context, string, ...audit.Event) error { return nil }

// FuzzQueriesAndBodies looks for a request that reaches a handler with a value
// that breaks a rule, or that is answered with anything but 200 or 400. No
// engine runs beside it: the coverage of its goroutines would lead the fuzzing
// astray.
func FuzzQueriesAndBodies(f *testing.F) {
	api := New(Options{Recorder: recorder.New(recorder.Options{Journal: forgetful{}, Now: time.Now}), Logger: slog.New(slog.DiscardHandler), Region: "us"})
	var broken string
	require := func(rule string, kept bool) {
		if !kept {
			broken = rule
		}
	}
	long := utf8.RuneCountInString
	accept(api, "POST", "/destination", func(in *newDestination) {
		b := in.Body
		require("name", long(b.Name) >= 1 && long(b.Name) <= 256)
		require("endpoint", long(b.Endpoint) >= 1 && long(b.Endpoint) <= 2048)
		require("authorization", long(b.Authorization) <= 8192)
		require("log_format", slices.Contains([]string{"cef", "json", "cps"}, b.LogFormat))
	})
	accept(api, "POST", "/control-plane", func(in *newControlPlane) {
		b := in.Body
		require("name", long(b.Name) >= 1 && long(b.Name) <= 256)
		require("description", long(b.Description) <= 2048)
		require("cluster_type", slices.Contains(clusterTypes, b.ClusterType))
		require("auth_type", b.AuthType == "pinned_client_certs" || b.AuthType == "pki_client_certs")
		require("labels", len(b.Labels) <= 50)
		require("proxy_urls", len(b.ProxyURLs) <= 100)
		for _, u := range b.ProxyURLs {
			require("proxy_urls[]", long(u.Host) <= 120 && u.Port >= 1 && u.Port <= 65535 && long(u.Protocol) <= 32)
		}
	})
	accept(api, "PATCH", "/webhook", func(in *webhookChange) {
		if id := in.Body.DestinationID; id != nil {
			_, err := uuid.Parse(*id)
			require("audit_log_destination_id", err == nil)
		}
	})
	accept(api, "PATCH", "/destination/{auditLogDestinationId}", func(in *destinationChange) {
		b := in.Body
		require("name", b.Name == nil || long(*b.Name) >= 1 && long(*b.Name) <= 256)
		require("endpoint", b.Endpoint == nil || long(*b.Endpoint) >= 1 && long(*b.Endpoint) <= 2048)
		require("log_format", b.LogFormat == nil || slices.Contains([]string{"cef", "json", "cps"}, *b.LogFormat))
	})
	accept(api, "PATCH", "/inline-webhook", func(in *inlineWebhookChange) {
		b := in.Body
		require("endpoint", b.Endpoint == nil || long(*b.Endpoint) >= 1 && long(*b.Endpoint) <= 2048)
		require("log_format", b.LogFormat == nil || slices.Contains([]string{"cef", "json", "cps"}, *b.LogFormat))
	})
	accept(api, "PATCH", "/control-plane/{controlPlaneId}", func(in *controlPlaneChange) {
		b := in.Body
		require("name", b.Name == nil || long(*b.Name) >= 1 && long(*b.Name) <= 256)
		require("labels", len(b.Labels) <= 50 && len(given(b.Labels)) <= len(b.Labels))
		require("proxy_urls", len(b.ProxyURLs) <= 100)
	})
	once := func(query url.Values) bool {
		for name, values := range query {
			if len(values) > 1 && strings.HasPrefix(name, "filter") {
				return false
			}
		}
		return true
	}
	var query string
	strict := func() {
		parsed, err := url.ParseQuery(query)
		require("the query", err == nil && once(parsed))
	}
	accept(api, "GET", "/destinations", func(in *destinationQuery) {
		strict()
		require("page[size]", in.Size >= 1 && in.Size <= 1000)
	})
	accept(api, "GET", "/audit-logs", func(in *auditLogQuery) {
		strict()
		require("page[size]", in.Size >= 1 && in.Size <= 1000)
		require("filter[type]", in.Type == "" || kinds[in.Type] != 0)
		again, err := url.Parse(in.links("/audit-logs").to("page[after]", "x"))
		require("links", err == nil && len(again.Query()) >= 2)
	})
	accept(api, "GET", "/control-planes", func(in *controlPlaneQuery) {
		strict()
		list, err := in.choose(nil, []registry.ControlPlane{{Name: "n", Labels: map[string]string{"a": "b"}}, {Name: "m"}})
		require("choose", len(list) <= 2 && (err == nil || list == nil))
	})
	accept(api, "GET", "/cursor", func(in *cursorPage) { require("page[size]", in.Size >= 1 && in.Size <= 1000) })
	accept(api, "GET", "/number", func(in *numberedPage) {
		require("page[size]", in.Size >= 1 && in.Size <= 1000)
		require("page[number]", in.Number >= 1 && in.Number <= 1_000_000)
	})
	for query, body := range map[string]string{
		"page[size]=1":                                newDestinationBody,
		"page%5Bafter%5D=ZW5k&page[size]=":            `{"name":"a","name":"b","log_format":"cef","log_format":null}`,
		"page[before]=ZW5k&&=&;":                      `{"name":null}{}`,
		"%zz&page[number]=9223372036854775807":        "{\"name\":\"\xff\"}",
		"page[size]":                                  `[[[[{"a":1e999}]]]]`,
		"filter[name][eq]=a&filter[name][contains]=b": `{"name":null,"labels":{"a":null}}`,
		"filter[ts][gte]=2026-01-02T03:04:05Z&filter[type]=authentication": `{"enabled":true,"endpoint":"x"}`,
		"labels=a:b,c&sort=name,created_at+desc&filter[id][oeq]=a,b":       `{"endpoint":"https://siem.example/"}`,
		"filter[name][eq]=a&filter[name][eq]=b":                            `{}`,
		"page[number]=0":                                                   `{"name":"n","Cluster_Type":"x","labels":{"a":"b"},"proxy_urls":[{"host":"h","port":1,"protocol":"p"}]}`,
		"page[size]=-1":                                                    `{"audit_log_destination_id":"` + unused + `","enabled":true}`,
	} {
		f.Add(query, body)
	}
	f.Fuzz(func(t *testing.T, sent, body string) {
		query = sent
		for _, endpoint := range []string{
			"POST /destination", "POST /control-plane", "PATCH /webhook", "GET /cursor", "GET /number",
			"PATCH /destination/1", "PATCH /inline-webhook", "PATCH /control-plane/1", "GET /destinations", "GET /audit-logs", "GET /control-planes",
		} {
			method, target, _ := strings.Cut(endpoint, " ")
			r := request{method: method, target: target, header: http.Header{"Content-Type": {"application/json"}}}.build(t)
			r.URL.RawQuery, r.Body = query, io.NopCloser(strings.NewReader(body))
			broken = ""
			a := serve(api, r)
			if broken != "" {
				t.Errorf("%s: the rule of %s is broken by %q %q", endpoint, broken, query, body)
			}
			if a.status != http.StatusOK && a.status != http.StatusBadRequest || !json.Valid([]byte(a.body)) {
				t.Errorf("%s: %q %q: %d %s", endpoint, query, body, a.status, a.body)
			}
		}
	})
}

// accept registers an endpoint that takes whatever gets through the decoding.
func accept[I any](api *API, method, path string, look func(*I)) {
	type output struct{ Body struct{} }
	register(api, route{id: method + path, method: method, path: path, summary: path, status: http.StatusOK, tag: "test"},
		func(_ context.Context, in *I) (*output, error) {
			look(in)
			return &output{}, nil
		})
}
