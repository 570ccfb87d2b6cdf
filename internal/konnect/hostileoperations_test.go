package konnect

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/trailhook/trailhook/audit"
)

var pathParameter = regexp.MustCompile(`\{[^}]+\}`)

// misuse makes a request of the operation that is wrong somewhere, or about
// something that does not exist.
func (a attacker) misuse(op *huma.Operation) request {
	q := request{method: op.Method, token: a.token, header: http.Header{}}
	q.target = pathParameter.ReplaceAllStringFunc(op.Path, func(string) string {
		return url.PathEscape(pick(a.Rand, uuid.NewString(), uuid.NewString(), "me", "0", "*", strings.Repeat("f", 36), strings.Repeat("9", 3000), a.noise()))
	})
	if op.RequestBody != nil {
		q.body = pick(a.Rand, a.body(), `[]`, `null`, `"{}"`, `{"a":`, `{"name":1,"enabled":"yes","start_at":true,"email":[],"role_name":{},"username":0}`,
			`{"`+strings.Repeat("x", 300)+`":{}}`, strings.Repeat(" ", 5000), `{"\u0000":1}`)
		q.header.Set("Content-Type", pick(a.Rand, "application/json", "application/json", "text/plain", "application/json; charset=x", a.noise()))
	}
	if a.IntN(2) == 0 {
		parameters := []string{"page[size]", "page[number]", "page[after]", "filter[name][eq]", "filter[ts][gte]", "filter[type]", "labels", "sort", "all", "region"}
		for _, p := range op.Parameters {
			if p.In == "query" {
				parameters = append(parameters, p.Name)
			}
		}
		value := pick(a.Rand, "-1", "99999999999999999999", "true", "%00", "1' OR '1'='1", strings.Repeat("a,", 500), a.noise())
		q.target += "?" + url.QueryEscape(pick(a.Rand, parameters...)) + "=" + url.QueryEscape(value)
	}
	if a.IntN(10) == 0 {
		q.token, q.header["Authorization"] = "", []string{"Bearer " + a.noise()}
	}
	return q
}

// Every operation is misused, at random: no answer is of the server's making
// (5xx), none is one that the document does not tell of, and each leaves its
// events.
func TestWhateverAnOperationIsAskedItAnswersAsDocumentedAndIsRecorded(t *testing.T) {
	requests := 1000
	if os.Getenv("TRAILHOOK_SOAK") != "" {
		requests = 100_000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t)
	a := attacker{rand.New(rand.NewPCG(seed, 1)), w.ours.admin()}
	var operations []*huma.Operation
	for _, item := range w.api.huma.OpenAPI().Paths {
		operations = append(operations, operationsOf(item)...)
	}
	slices.SortFunc(operations, func(a, b *huma.Operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	statuses := map[int]int{}
	for i := 0; i < requests; {
		op := operations[i%len(operations)]
		q := a.misuse(op)
		if _, err := url.ParseRequestURI(q.target); err != nil {
			continue // a server does not get to see it
		}
		i++
		got := w.call(q) // which holds the answer against the document
		statuses[got.status]++
		if got.status >= 500 {
			t.Fatalf("request %d: %s %.200q: %d %.300s", i, q, q.body, got.status, got.body)
		}
		if got.status >= 400 {
			got.problem(t)
		}
		if len(op.Security) == 0 {
			continue
		}
		if len(got.events) == 0 || got.events[0].Kind != audit.Authentication {
			t.Fatalf("request %d: %s %.200q: %d with the events %+v", i, q, q.body, got.status, got.events)
		}
		if n := len(got.events); changes(q.method) != (got.events[n-1].Kind == audit.Access) {
			t.Errorf("request %d: %s: its last event is of the kind %s", i, q, got.events[n-1].Kind)
		}
	}
	if statuses[400] < requests/10 || statuses[401] < requests/50 || statuses[404] < requests/20 {
		t.Errorf("one way to be refused was hardly tried: %v", statuses)
	}
	t.Log(statuses)
}
