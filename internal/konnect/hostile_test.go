package konnect

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

// attacker makes up requests of which each is wrong somewhere.
type attacker struct {
	*rand.Rand
	token string
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// noise is text without a meaning; all of it could stand in a header.
func (a attacker) noise() string {
	letters := []rune("aZ09 \"'\\{}[]<>|=&%;:,./?*-_\t\u00e9\u2028\ufffd\U0001f980")
	text := make([]rune, 1+a.IntN(40))
	for i := range text {
		text[i] = letters[a.IntN(len(letters))]
	}
	return strings.TrimSpace(string(text)) + pick(a.Rand, "x", "\xff", "=")
}

func (a attacker) request() request {
	q := request{method: "POST", target: pick(a.Rand, "/v3/audit-log-destinations", "/v2/control-planes", "/v2/audit-log-destinations"), token: a.token, header: http.Header{}}
	switch a.IntN(5) {
	case 0:
		q.body = a.body()
	case 1:
		q.method = "GET"
		q.target += "?" + a.query(q.target)
	case 2:
		q.body = newDestinationBody
		if a.IntN(2) == 0 {
			q.header.Set("Content-Type", a.noise())
		} else {
			q.token = ""
			q.header["Authorization"] = pick(a.Rand, []string{a.noise()}, []string{"Bearer " + a.noise()}, []string{"Bearer " + a.token, a.noise()})
		}
	case 3:
		q.method = pick(a.Rand, "GET", "POST", "PATCH", "DELETE", "PUT")
		q.target = pick(a.Rand, "/", "//v2/", q.target+"/", q.target+"//", "/v3/../v2/") + url.PathEscape(a.noise()) + pick(a.Rand, "", "/", "/%00", "/..")
	case 4:
		q.method = pick(a.Rand, "PUT", "OPTIONS", "TRACE", "get", "CONNECT", "X-"+strings.Repeat("Y", a.IntN(100)))
	}
	for _, name := range []string{"Accept", "Accept-Encoding", "User-Agent", "Cookie", "Content-Encoding", "Expect", "X-Http-Method-Override", "Traceparent"} {
		if a.IntN(2) == 0 {
			q.header.Set(name, pick(a.Rand, a.noise(), "application/json;q,", ";", ";q=,", "a;,b;", "*/*;q=x, application/cbor", strings.Repeat("x", 5000)))
		}
	}
	return q
}

func (a attacker) body() string {
	good := newDestinationBody
	switch a.IntN(8) {
	case 0:
		return good[:a.IntN(len(good))]
	case 1:
		return good + a.noise()
	case 2:
		return string([]byte{byte(a.IntN(0x20))}) + "\x00" + a.noise()
	case 3:
		return strings.Replace(good, `"cef"`, pick(a.Rand, `5`, `{}`, `[[]]`, `null`, `true`, `""`, `"CEF"`, `-0`), 1)
	case 4:
		name, _ := json.Marshal(a.noise())
		return `{` + string(name) + `:1,` + good[1:]
	case 5:
		return strings.Repeat(pick(a.Rand, "[", `{"a":`, `[{"name":`), 1+a.IntN(20_000))
	case 6:
		return `{"name":"` + strings.Repeat("x", maxBody) + `"}`
	default:
		at := 1 + a.IntN(len(good)-2)
		return good[:at] + "\x01\xff" + good[at+1:]
	}
}

func (a attacker) query(target string) string {
	size := "page[size]=" + url.QueryEscape(pick(a.Rand, "0", "-1", "1001", "1e3", "0x10", "99999999999999999999", "١", a.noise()))
	if strings.HasPrefix(target, "/v2/control") {
		return pick(a.Rand, size, "page[number]="+url.QueryEscape(pick(a.Rand, "0", "-1", "1000001", "x", a.noise())),
			"filter["+url.QueryEscape(a.noise())+"][eq]=x", "filter[name][eq]=x&filter[name][eq]="+url.QueryEscape(a.noise()), "sort="+url.QueryEscape(a.noise()))
	}
	return pick(a.Rand, size, "page[after]="+url.QueryEscape(a.noise()), "page[before]="+url.QueryEscape(a.noise()), "page%5Bafter%5D=AAAA&"+a.noise(), "filter[name][contains]=&x="+url.QueryEscape(a.noise()))
}

func TestHostileRequestsAreRefusedAndRecorded(t *testing.T) {
	w := newWorld(t)
	a := attacker{rand.New(rand.NewPCG(7, 11)), w.ours.admin()}
	statuses := map[int]int{}
	for i := 0; i < 300; {
		q := a.request()
		if _, err := url.ParseRequestURI(q.target); err != nil {
			continue // a server does not get to see it
		}
		i++
		got := w.call(q)
		if got.status < 400 || got.status > 499 {
			t.Fatalf("request %d: %s %v %.200q: %d %.300s", i, q, q.header, q.body, got.status, got.body)
		}
		got.problem(t)
		if len(got.events) == 0 || got.events[0].Kind != audit.Authentication {
			t.Fatalf("request %d: %s %.200q: events %+v", i, q, q.body, got.events)
		}
		if n := len(got.events); changes(q.method) != (got.events[n-1].Kind == audit.Access) {
			t.Errorf("request %d: %s: its last event is of the kind %s", i, q, got.events[n-1].Kind)
		}
		statuses[got.status]++
	}
	if statuses[400] < 60 || statuses[401] < 15 || statuses[404] < 30 || statuses[405] < 30 {
		t.Errorf("one way to be refused was hardly tried: %v", statuses)
	}
	if n := len(w.registry.Destinations(w.ours.id)) + len(w.registry.ControlPlanes(w.ours.id, "us")); n != 0 {
		t.Errorf("%d objects were made", n)
	}
}

func TestAnOddAcceptHeaderGetsJSONLikeAnyOther(t *testing.T) {
	w := newWorld(t)
	for i, accept := range []string{"", "*/*", "text/html", "application/json;q,", ";", ";q=,", "application/cbor", "a;,b;"} {
		a := w.call(request{method: "POST", target: "/v2/control-planes", token: w.ours.admin(),
			body: fmt.Sprintf(`{"name":"n%d"}`, i), header: http.Header{"Accept": {accept}}})
		if a.status != http.StatusCreated || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %d %s %s", accept, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
}
