package konnect

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

// pulledPage is an answer of the pull API: the entries by the bytes they came in.
type pulledPage struct {
	Data []json.RawMessage
	Meta struct{ Page cursorMeta }
}

func (w *world) pull(target string) pulledPage {
	w.tb.Helper()
	a := send(w.tb, w.api, request{method: "GET", target: target, token: w.ours.admin()})
	var page pulledPage
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
		w.tb.Fatalf("GET %s: %d %v: %s", target, a.status, err, a.body)
	}
	return page
}

// uris are what tells the entries of a test apart.
func (p pulledPage) uris(tb testing.TB) []string {
	tb.Helper()
	list := []string{}
	for _, entry := range p.Data {
		e, err := audit.DecodePull(entry)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, e.Request)
	}
	return list
}

// past is a time within the retention, at which nobody calls.
func past(n int) time.Time {
	return time.Now().UTC().Truncate(time.Hour).Add(-24*time.Hour + time.Duration(n)*time.Second)
}

// record puts events of the organization into the region's journal, of the kinds
// in turn, one a second, with the uris /0, /1 …
func (w *world) record(o organization, region string, n int, kinds ...audit.Kind) {
	w.tb.Helper()
	const most = 4000
	events := make([]audit.Event, 0, most)
	for i := range n {
		events = append(events, audit.Event{
			Kind: kinds[i%len(kinds)], Time: past(i), OrgID: o.id, PrincipalID: unused, TraceID: uint64(i + 1), Request: fmt.Sprint("/", i),
			AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess, Service: "konnect", Resource: "r", Action: "list", Method: "POST", Status: 201,
		})
		if len(events) == most || i == n-1 {
			if err := w.journal.Append(w.tb.Context(), region, events...); err != nil {
				w.tb.Fatal(err)
			}
			events = events[:0]
		}
	}
}

// window is a filter that leaves the events of the test's own calls out.
func window(from, to int) string {
	return "filter[ts][gte]=" + past(from).Format(time.RFC3339) + "&filter[ts][lte]=" + past(to).Format(time.RFC3339)
}

func counted(from, to, step int) []string {
	list := []string{}
	for i := from; i >= to; i -= step {
		list = append(list, fmt.Sprint("/", i))
	}
	return list
}

func TestPulledEntriesCarryAGoodSignatureOverTheBytesSent(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/v2/control-planes", `{"name":"<a> & b \u2028 \\"}`, 201)
	w.call(request{method: "GET", target: "/v2/control-planes?filter[name][eq]=%3Cx%3E%26", token: w.ours.admin()})
	key := w.registry.SigningKeys()[0].Public
	page := w.pull("/v3/audit-logs")
	if len(page.Data) != 7 {
		t.Fatalf("%d entries, want 3, 2 and 2", len(page.Data))
	}
	for _, entry := range page.Data {
		signed, rest, _ := strings.Cut(string(entry), `,"signature":"`)
		signature, err := base64.RawURLEncoding.DecodeString(strings.TrimSuffix(rest, `"}`))
		if err != nil || !ed25519.Verify(key, []byte(signed+"}"), signature) {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

func TestPulledPagesHoldEachEventOnceInBothDirections(t *testing.T) {
	w := newWorld(t)
	const n = 9
	w.record(w.ours, "us", n, audit.Authentication, audit.Access)
	w.record(w.theirs, "us", 3, audit.Access)
	w.record(w.ours, "eu", 3, audit.Access)
	for _, test := range []struct {
		filter string
		want   []string
	}{
		{window(0, n), counted(n-1, 0, 1)},
		{window(3, 5), counted(5, 3, 1)},
		{window(0, n) + "&filter[type]=gateway_access", counted(7, 1, 2)},
		{window(0, n) + "&filter[type]=authorization", counted(-1, 0, 1)},
	} {
		for _, size := range []int{1, 4, 9, 1000} {
			start := fmt.Sprintf("/%s/audit-logs?page[size]=%d&%s", []string{"v3", "v2"}[size%2], size, test.filter)
			first := w.pull(start)
			if got := w.walk(first, false); !slices.Equal(got, test.want) {
				t.Errorf("%s, forward: %v", start, got)
			}
			if got := w.walk(w.pull(first.Meta.Page.Last), true); !slices.Equal(got, test.want) {
				t.Errorf("%s, backward: %v", start, got)
			}
			if again := w.pull(first.Meta.Page.First); !slices.Equal(again.uris(t), first.uris(t)) || first.Meta.Page.Previous != nil {
				t.Errorf("%s: the first page: %+v", start, first.Meta)
			}
		}
	}
}

// walk gathers the uris of a page and all that follow it in the direction; of
// each step it looks that the way back leads back.
func (w *world) walk(page pulledPage, backward bool) []string {
	w.tb.Helper()
	neighbour := func(p pulledPage, backward bool) *string {
		if backward {
			return p.Meta.Page.Previous
		}
		return p.Meta.Page.Next
	}
	all := page.uris(w.tb)
	for calls := 0; neighbour(page, backward) != nil; calls++ {
		if calls > 100 {
			w.tb.Fatal("the pages do not end")
		}
		from := page.uris(w.tb)
		page = w.pull(*neighbour(page, backward))
		way := neighbour(page, !backward)
		if way == nil {
			w.tb.Fatalf("no way back from %v to %v", page.uris(w.tb), from)
		}
		if back := w.pull(*way).uris(w.tb); !slices.Equal(back, from) {
			w.tb.Errorf("the way back from %v leads to %v, not %v", page.uris(w.tb), back, from)
		}
		if backward {
			all = append(page.uris(w.tb), all...)
		} else {
			all = append(all, page.uris(w.tb)...)
		}
	}
	return all
}

func TestPullingEndsThoughEachCallMakesEvents(t *testing.T) {
	w := newWorld(t)
	w.record(w.ours, "us", 10, audit.Access)
	first := w.pull("/v3/audit-logs?page[size]=3")
	want := append([]string{"/v3/audit-logs", "/v3/audit-logs"}, counted(9, 0, 1)...) // its own two are the newest
	if got := w.walk(first, false); !slices.Equal(got, want) {
		t.Errorf("forward: %v", got)
	}
	w.record(w.ours, "us", 2, audit.Access)
	if got := w.walk(w.pull(first.Meta.Page.Last), true); !slices.Equal(got, want) {
		t.Errorf("backward, after more were recorded: %v", got)
	}
}

func TestPulledEntriesAreOfTheHostsRegion(t *testing.T) {
	w := newWorld(t)
	w.record(w.ours, "eu", 2, audit.Access)
	ask := func(host, token string) string {
		a := send(t, w.api, request{method: "GET", host: host, target: "/v3/audit-logs?" + window(0, 9), token: token})
		return fmt.Sprint(a.status, strings.Count(a.body, `"gateway_access"`))
	}
	got := []string{
		ask("eu.api.konghq.com", w.ours.tokens["audit-logs-viewer"]), ask("us.api.konghq.com", w.ours.admin()),
		ask("global.api.konghq.com", w.ours.admin()), ask("eu.api.konghq.com", w.theirs.admin()), ask("eu.api.konghq.com", w.ours.nobody),
	}
	if diff := cmp.Diff([]string{"200 2", "200 0", "200 0", "200 0", "403 0"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAnEventWithAnEarlierTimeIsFoundByThatTime(t *testing.T) {
	w := newWorld(t)
	w.record(w.ours, "us", 3, audit.Access) // of a day ago, taken by the journal now
	if got := w.pull("/v3/audit-logs?" + window(1, 1)).uris(t); !slices.Equal(got, []string{"/1"}) {
		t.Errorf("got %v", got)
	}
}

// One event is asked for, and more than a call looks at are newer.
func TestAPageOfWhatIsRareIsShortRatherThanLate(t *testing.T) {
	w := newWorld(t)
	w.record(w.ours, "us", 1, audit.Authentication)
	w.record(w.ours, "us", mostLookedAt+largestRead, audit.Access)
	page := w.pull("/v3/audit-logs?page[size]=5&" + window(0, 0) + "&filter[type]=authentication")
	if len(page.Data) != 0 || page.Meta.Page.Next == nil {
		t.Fatalf("the first page: %d entries, %+v", len(page.Data), page.Meta)
	}
	second := w.pull(*page.Meta.Page.Next)
	if got := second.uris(t); !slices.Equal(got, []string{"/0"}) || second.Meta.Page.Next != nil {
		t.Fatalf("the second page: %v, %+v", got, second.Meta)
	}
	if back := w.pull(*second.Meta.Page.Previous); len(back.Data) != 0 || back.Meta.Page.Next == nil {
		t.Errorf("the way back: %d entries, %+v", len(back.Data), back.Meta)
	}
	if last := w.pull(page.Meta.Page.Last); !slices.Equal(last.uris(t), []string{"/0"}) || last.Meta.Page.Previous == nil {
		t.Errorf("the last page: %v, %+v", last.uris(t), last.Meta)
	}
}

func TestACursorMadeUpLeadsToNoOthersEvents(t *testing.T) {
	w := newWorld(t)
	w.record(w.ours, "us", 3, audit.Access)
	w.record(w.theirs, "us", 3, audit.Access)
	for _, text := range []string{"1.1", "3w5e11264sgsf.3w5e11264sgsf", "zz.1", "1.zz", "0.0", "2.3w5e11264sgsf"} {
		for _, direction := range []string{"after", "before"} {
			target := fmt.Sprintf("/v3/audit-logs?page[%s]=%s", direction, base64.RawURLEncoding.EncodeToString([]byte(text)))
			a := send(t, w.api, request{method: "GET", target: target, token: w.ours.admin()})
			if a.status != 200 && a.status != 400 || strings.Contains(a.body, w.theirs.id) {
				t.Errorf("%s %s: %d %s", direction, text, a.status, a.body)
			}
		}
	}
}

func FuzzACursorOfThePullAPIIsReadAsItWasWritten(f *testing.F) {
	f.Add("MS4x")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte("3w5e11264sgsf.-1")))
	f.Add(url.QueryEscape("MC4w="))
	f.Fuzz(func(t *testing.T, cursor string) {
		p, ok := parsePlace(cursor)
		if !ok {
			return
		}
		if again, ok := parsePlace(base64.RawURLEncoding.EncodeToString([]byte(p.String()))); !ok || again != p {
			t.Errorf("%q: read as %v, then as %v", cursor, p, again)
		}
	})
}
