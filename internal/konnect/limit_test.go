package konnect

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// once lets one request through, and the next after a quarter of an hour.
const once = 0.001

// limited is the world's API with limits.
func (w *world) limited(r Rates) *API {
	api := w.apiOn(w.journal)
	api.limits = newRateLimits(r, nil)
	return api
}

// callFrom makes the call from an address, and counts the events that it left.
func (w *world) callFrom(api *API, address string, q request) (a answered, events int) {
	w.tb.Helper()
	before := w.last()
	r := q.build(w.tb)
	r.RemoteAddr = address
	a = serve(api, r)
	if wrong := api.undocumented(q.build(w.tb), a); wrong != "" {
		w.tb.Errorf("%s: %s", q, wrong)
	}
	return a, len(w.eventsAfter(before))
}

// mustRefuse checks an answer that a rate limit gave.
func mustRefuse(t *testing.T, q request, a answered, events int) {
	t.Helper()
	if a.status != http.StatusTooManyRequests || events != 0 {
		t.Fatalf("%s: status %d, %d events, want 429 and none: %s", q, a.status, events, a.body)
	}
	a.problem(t)
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait < 1 || wait > 1000 {
		t.Errorf("%s: Retry-After %q", q, a.header.Get("Retry-After"))
	}
}

const here, elsewhere = "192.0.2.1:1000", "192.0.2.2:1000"

func TestATokenOverItsLimitIsRefusedAndOthersAreNot(t *testing.T) {
	w := newWorld(t)
	api := w.limited(Rates{Token: once})
	post := func(token, name string) request {
		return request{method: "POST", target: "/v2/control-planes", token: token, body: `{"name":"` + name + `"}`}
	}
	if a, events := w.callFrom(api, here, post(w.ours.admin(), "first")); a.status != 201 || events != 3 {
		t.Fatalf("the first: %d, %d events", a.status, events)
	}
	for _, address := range []string{here, elsewhere} {
		q := post(w.ours.admin(), "second")
		a, events := w.callFrom(api, address, q)
		mustRefuse(t, q, a, events)
	}
	if n := len(w.registry.ControlPlanes(w.ours.id, "us")); n != 1 {
		t.Errorf("%d control planes were made", n)
	}
	if a, _ := w.callFrom(api, here, post(w.theirs.admin(), "first")); a.status != 201 {
		t.Errorf("another token: %d", a.status)
	}
	if a, events := w.callFrom(api, here, post("kpat_bad", "first")); a.status != 401 || events != 2 {
		t.Errorf("a bad token: %d, %d events", a.status, events)
	}
}

func TestFailuresOfAnAddressAreLimitedAndItsGoodTokensAreNot(t *testing.T) {
	w := newWorld(t)
	api := w.limited(Rates{Failures: once})
	for _, token := range []string{"kpat_bad", "", w.ours.expired} {
		for _, target := range []string{"/v2/control-planes", "/v9/nothing"} {
			q := request{method: "DELETE", target: target, token: token}
			a, events := w.callFrom(api, here, q)
			if token == "kpat_bad" && target == "/v2/control-planes" {
				if a.status != 401 || events != 2 {
					t.Fatalf("the first failure: %d, %d events", a.status, events)
				}
				continue
			}
			mustRefuse(t, q, a, events)
		}
	}
	for range 3 {
		if a, events := w.callFrom(api, here, request{method: "GET", target: "/v2/control-planes", token: w.ours.admin()}); a.status != 200 || events != 2 {
			t.Errorf("a good token from there: %d, %d events", a.status, events)
		}
	}
	if a, events := w.callFrom(api, elsewhere, request{method: "GET", target: "/v2/control-planes", token: "kpat_bad"}); a.status != 401 || events != 1 {
		t.Errorf("a failure from elsewhere: %d, %d events", a.status, events)
	}
}

func TestAllRequestsTogetherAreLimited(t *testing.T) {
	w := newWorld(t)
	api := w.limited(Rates{Requests: once})
	keys := request{method: "GET", target: "/v3/audit-log-webhook/jwks.json"}
	if a, _ := w.callFrom(api, here, keys); a.status != 200 {
		t.Fatalf("the first: %d", a.status)
	}
	for _, q := range []request{keys, {method: "GET", target: "/docs"}, {method: "POST", target: "/v2/control-planes", token: w.ours.admin()}, {method: "PUT", target: "/v9"}} {
		a, events := w.callFrom(api, elsewhere, q)
		mustRefuse(t, q, a, events)
	}
}

func TestAMountedEndpointIsHeldToTheLimitOfFailuresOnlyForWhoMayUseIt(t *testing.T) {
	w := newWorld(t)
	api := w.limited(Rates{Requests: once, Token: once, Failures: once})
	op := *operationOf(api.huma.OpenAPI(), "POST", "/v2/control-planes")
	op.OperationID, op.Path = "mounted", "/trailhook/v1/mounted"
	api.Mount(op, "create", "control-planes", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteProblem(w, r, http.StatusConflict, "Here")
	}))
	q := request{method: "POST", target: "/trailhook/v1/mounted", token: w.ours.admin()}
	for range 5 {
		if a, events := w.callFrom(api, here, q); a.status != 409 || events != 3 {
			t.Fatalf("%d, %d events: %s", a.status, events, a.body)
		}
	}
	q.token = w.ours.nobody
	if a, events := w.callFrom(api, here, q); a.status != 403 || events != 3 {
		t.Errorf("who may not use it: %d, %d events", a.status, events)
	}
	a, events := w.callFrom(api, here, q)
	mustRefuse(t, q, a, events)
	q.token = "kpat_bad"
	if a, _ := w.callFrom(api, here, q); a.status != 401 {
		t.Errorf("the first failure: %d", a.status)
	}
	a, events = w.callFrom(api, here, q)
	mustRefuse(t, q, a, events)
}

func TestALimitLetsItsRateThroughAndABurst(t *testing.T) {
	b := newBuckets[string](10)
	now := time.Now()
	taken := func(key string) (n int) {
		for range 1000 {
			if b.take(key, now) == 0 {
				n++
			}
		}
		return n
	}
	if n := taken("a"); n != 50 {
		t.Errorf("at once: %d, want five seconds' worth", n)
	}
	now = now.Add(2 * time.Second)
	if n := taken("a"); n != 20 {
		t.Errorf("two seconds later: %d", n)
	}
	if n := taken("b"); n != 50 {
		t.Errorf("another key: %d", n)
	}
	if wait := b.take("a", now); wait <= 0 || wait > 100*time.Millisecond {
		t.Errorf("the wait for the next: %s", wait)
	}
	if none := newBuckets[string](0); none.take("a", now) != 0 || len(none.of) != 0 {
		t.Error("no limit is a limit")
	}
}

func TestTheMemoryOfALimitIsBounded(t *testing.T) {
	b := newBuckets[int](1)
	now := time.Now()
	for key := range maxBuckets {
		b.take(key, now)
	}
	let := 0
	for key := range 1000 { // they share what is left
		if b.take(maxBuckets+key, now) == 0 {
			let++
		}
	}
	if let != b.burst || len(b.of) != maxBuckets {
		t.Errorf("of 1000 keys too many %d were let through, want %d; %d buckets", let, b.burst, len(b.of))
	}
	now = now.Add(burst * time.Second)
	b.take(0, now)
	b.take(0, now) // in use when the others are swept
	if b.take(-1, now) != 0 || len(b.of) != 2 {
		t.Errorf("after the others were idle there are %d buckets", len(b.of))
	}
}

func TestAnAddressesFailuresAreThoseOfItsNetwork(t *testing.T) {
	for source, want := range map[string]string{
		"192.0.2.1":           "192.0.2.1/32",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
		"@":                   fmt.Sprint(netip.Prefix{}),
	} {
		if got := network(source).String(); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}
