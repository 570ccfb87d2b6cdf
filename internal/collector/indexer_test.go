package collector

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search"
)

func TestALineThatComesTwiceIsStoredOnce(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.take(t, "one\ntwo\none\n")
	y.take(t, "two\nthree\n")
	y.find(t, "")
	y.take(t, "one\ntwo\nthree\n")
	got := raws(y.find(t, ""))
	if len(got) != 3 || got["one"] != 1 || got["two"] != 1 || got["three"] != 1 {
		t.Errorf("stored: %v", got)
	}
	for name, want := range map[string]float64{"received": 8, "stored": 3, "duplicate": 5} {
		if n := y.counter(t, "trailhook_collector_lines_"+name+"_total", ""); n != want {
			t.Errorf("%s: %v, want %v", name, n, want)
		}
	}
}

func TestTheSameLineFromTwoSourcesIsTwoRecords(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	second, err := y.catalog.CreateSource(t.Context(), Source{CollectorID: y.source.CollectorID, Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	y.take(t, "a line")
	y.source = second
	y.take(t, "a line")
	if got := y.find(t, ""); len(got) != 2 {
		t.Errorf("%d records", len(got))
	}
}

func TestAnAcknowledgedLineIsFoundAfterARestart(t *testing.T) {
	dir := t.TempDir()
	y := start(t, dir, setup{idle: true}) // stopped before anything was indexed
	y.take(t, "first\nsecond")
	y.close()
	y = start(t, dir, setup{})
	if got := raws(y.find(t, "")); len(got) != 2 {
		t.Errorf("after the first restart: %v", got)
	}
	y.close()
	y = start(t, dir, setup{})
	y.take(t, "third")
	if got := raws(y.find(t, "")); len(got) != 3 || got["third"] != 1 {
		t.Errorf("after the second restart: %v", got)
	}
}

func TestALineIsIndexedExactlyOnceWhenThePurgeDidNotHappen(t *testing.T) {
	dir := t.TempDir()
	y := start(t, dir, setup{purge: func(context.Context, uint64) error { return errors.New("killed before") }})
	y.take(t, "first\nsecond")
	y.find(t, "")
	y.close()
	y = start(t, dir, setup{})
	y.take(t, "third")
	if got := y.find(t, ""); len(got) != 3 {
		t.Errorf("%d records", len(got))
	}
	if n := y.counter(t, "trailhook_collector_lines_duplicate_total", ""); n != 0 {
		t.Errorf("%v lines were indexed again", n)
	}
	waitFor(t, "the intake is empty", func() bool {
		left, err := y.intake.read(t.Context(), 1)
		return err == nil && len(left) == 0
	})
}

// failingStore fails while it is told to.
type failingStore struct {
	search.Store
	fails    atomic.Bool
	failures atomic.Int32
}

func (s *failingStore) Insert(ctx context.Context, records []search.Record, position uint64) (int, error) {
	if s.fails.Load() {
		s.failures.Add(1)
		return 0, errors.New("the disk is full")
	}
	return s.Store.Insert(ctx, records, position)
}

func TestNoLineIsLostWhileTheStoreFails(t *testing.T) {
	failing := &failingStore{}
	failing.fails.Store(true)
	y := start(t, t.TempDir(), setup{store: func(s search.Store) search.Store { failing.Store = s; return failing }})
	y.take(t, "first")
	waitFor(t, "two attempts", func() bool { return failing.failures.Load() >= 2 })
	y.take(t, "second")
	failing.fails.Store(false)
	if got := raws(y.find(t, "")); len(got) != 2 {
		t.Errorf("found %v", got)
	}
}

func TestManyLinesOfManySendersAreAllFound(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	const senders, requests, lines = 4, 5, 300
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for request := range requests {
				var body strings.Builder
				for line := range lines {
					fmt.Fprintf(&body, "line %d of %d of %d\n", line, request, sender)
				}
				if w := y.post([]byte(body.String())); w.Code != http.StatusOK {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	group.Wait()
	if got := raws(y.find(t, "")); len(got) != senders*requests*lines {
		t.Errorf("%d lines found, want %d", len(got), senders*requests*lines)
	}
}

func TestABatchIsCutBetweenMessages(t *testing.T) {
	of := func(lines int) broker.Message {
		return broker.Message{Data: bytes.Repeat([]byte("\n"), lines-1)}
	}
	for _, test := range []struct {
		name  string
		lines []int
		want  int
	}{
		{"one", []int{1}, 1},
		{"one that is more than a batch", []int{insertLines + 1, 1}, 1},
		{"as many as fit", []int{insertLines - 1, 1, 1}, 2},
		{"all", []int{1, 2, 3}, 3},
	} {
		var messages []broker.Message
		for _, n := range test.lines {
			messages = append(messages, of(n))
		}
		if got := insertable(messages); got != test.want {
			t.Errorf("%s: %d messages, want %d", test.name, got, test.want)
		}
	}
}

func TestAMessageThatCannotBeReadIsKeptAsRawLines(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	last, err := y.broker.Publish(t.Context(), &nats.Msg{Subject: "intake.x", Data: []byte("who sent me?")})
	if err != nil {
		t.Fatal(err)
	}
	y.intake.announce(last)
	got := y.find(t, "")
	if len(got) != 1 || got[0].Raw != "who sent me?" || !strings.Contains(got[0].ParseError, "no readable origin") || got[0].Receipt.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestALineThatAppearsUnannouncedIsFound(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.indexer.idle = time.Millisecond
	y.run()
	// As after a publish that timed out here and was carried out there.
	if _, err := y.broker.Publish(t.Context(), &nats.Msg{Subject: "intake.1", Data: []byte("late")}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the line is found", func() bool { return len(y.find(t, "late")) == 1 })
}

func TestTheIntakeIsAdvancedWhenItWasReplacedByAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	y := start(t, dir, setup{})
	for range 3 {
		y.take(t, "before")
	}
	y.find(t, "")
	y.close()
	if err := os.RemoveAll(filepath.Join(dir, "nats")); err != nil {
		t.Fatal(err)
	}
	y = start(t, dir, setup{})
	y.take(t, "after")
	if got := raws(y.find(t, "")); got["before"] != 1 || got["after"] != 1 {
		t.Errorf("found %v", got)
	}
}

func TestAnIntakeThatEndsBeforeTheStoreAndHoldsLinesIsRefused(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.take(t, "a line")
	if err := y.intake.align(t.Context(), 10); err == nil || !strings.Contains(err.Error(), "not of one backup") {
		t.Errorf("align: %v", err)
	}
}

// keyServer serves the key sets of signers, which may be exchanged.
type keyServer struct {
	*httptest.Server
	mu      sync.Mutex
	keys    *audit.KeySet // nil: the server is broken
	fetches int
}

func newKeyServer(t *testing.T, signers ...*audit.Signer) *keyServer {
	s := &keyServer{}
	s.publish(t, signers...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fetches++
		if s.keys == nil {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		w.Write(s.keys.JWKS())
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) publish(t *testing.T, signers ...*audit.Signer) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = nil
	if len(signers) > 0 {
		s.keys = keySet(t, signers...)
	}
}

func keySet(t *testing.T, signers ...*audit.Signer) *audit.KeySet {
	t.Helper()
	var keys []ed25519.PublicKey
	for _, signer := range signers {
		keys = append(keys, signer.Public())
	}
	set, err := audit.NewKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func newSigner(seed byte) *audit.Signer {
	return audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
}

func event() *audit.Event {
	return &audit.Event{
		Kind: audit.Authorization, Time: time.UnixMilli(1_750_280_466_889).UTC(), Product: audit.ProductKonnect,
		Source: "127.0.0.6", OrgID: "777db3e4-5cb7-4dd5-b51c-9878096a6999", PrincipalID: "eb999f01-5976-4f4b-9fbc-dd5d514bd675",
		TraceID: 3959872677347089807, UserAgent: "curl/8", Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
}

func signed(signer *audit.Signer, f audit.Format, change func(*audit.Event)) string {
	e := event()
	if change != nil {
		change(e)
	}
	return string(signer.AppendLine(nil, f, e))
}

func TestEveryLineGetsTheVerdictOnItsSignature(t *testing.T) {
	ours, theirs := newSigner(1), newSigner(2)
	keys, others := newKeyServer(t, ours), newKeyServer(t, theirs)
	y := start(t, t.TempDir(), setup{jwks: keys.URL})
	named, err := y.catalog.CreateSource(t.Context(), Source{CollectorID: y.source.CollectorID, Name: "named", JWKSURL: others.URL})
	if err != nil {
		t.Fatal(err)
	}
	unsigned := string(audit.AppendUnsigned(nil, audit.CEF, event()))
	genuine := signed(ours, audit.CEF, nil)
	forged := strings.Replace(genuine, "action=list", "action=edit", 1)
	y.take(t, strings.Join([]string{
		unsigned, forged, genuine, signed(ours, audit.JSON, nil), signed(ours, audit.CPS, nil), signed(theirs, audit.CEF, nil), "plain",
	}, "\n"))
	y.source = named
	y.take(t, signed(theirs, audit.JSON, nil)+"\n"+signed(ours, audit.JSON, nil))
	for query, want := range map[string]int{
		"_source=Konnect _signature=valid":                          3,
		"_source=Konnect _signature=valid _keyid=" + ours.KeyID():   3,
		"_source=Konnect _signature=invalid":                        2,
		"_source=Konnect _signature=unsigned":                       2,
		"_source=named _signature=valid":                            1,
		"_source=named _signature=valid _keyid=" + theirs.KeyID():   1,
		"_source=named _signature=invalid":                          1,
		`_signature="unknown key"`:                                  0,
		"_signature=valid kind=authorization action=list":           4,
		"_signature=valid _source=Konnect trace_id=39598726773470*": 3,
	} {
		if got := y.find(t, query); len(got) != want {
			t.Errorf("%s: %d records, want %d", query, len(got), want)
		}
	}
	for verdict, want := range map[string]float64{"valid": 4, "invalid": 3, "unsigned": 2} {
		if n := y.counter(t, "trailhook_collector_line_verdicts_total", verdict); n != want {
			t.Errorf("counted %v as %s, want %v", n, verdict, want)
		}
	}
}

func TestAForgedLineWithACopiedSignatureDoesNotHideTheGenuineOne(t *testing.T) {
	ours := newSigner(1)
	y := start(t, t.TempDir(), setup{jwks: newKeyServer(t, ours).URL})
	genuine := signed(ours, audit.CEF, nil)
	y.take(t, strings.Replace(genuine, "action=list", "action=edit", 1))
	y.take(t, genuine)
	if got := y.find(t, "_signature=valid"); len(got) != 1 || got[0].Raw != genuine {
		t.Errorf("found %+v", got)
	}
}

func TestALineThatClaimsToBeVerifiedIsNotShownAsSuch(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.take(t, `{"_signature":"valid","_keyid":"k","_source":"Bank"}`+"\nCEF:0|v|p|1|c|n|1|_signature=valid _raw=other")
	if got := y.find(t, "_signature=valid OR _keyid=k OR _source=Bank"); len(got) != 0 {
		t.Errorf("found %+v", got)
	}
	if got := y.find(t, "line_signature=valid _signature=unsigned"); len(got) != 2 {
		t.Errorf("%d records", len(got))
	}
}

func TestANewKeyIsFetchedWhenNoneFits(t *testing.T) {
	first, second := newSigner(1), newSigner(2)
	server := newKeyServer(t, first)
	y := start(t, t.TempDir(), setup{jwks: server.URL})
	server.publish(t, first, second)
	y.take(t, signed(first, audit.CEF, nil)+"\n"+signed(second, audit.CEF, nil))
	if got := y.find(t, "_signature=valid"); len(got) != 2 {
		t.Errorf("%d lines verified", len(got))
	}
}

func TestManyLinesOfManyKeysAreVerifiedAsEachAlone(t *testing.T) {
	ours, theirs, new := newSigner(1), newSigner(2), newSigner(3)
	server := newKeyServer(t, ours, theirs)
	y := start(t, t.TempDir(), setup{jwks: server.URL})
	server.publish(t, ours, theirs, new)
	want := map[string]int{}
	var body strings.Builder
	for i := range 3000 {
		signer := []*audit.Signer{ours, theirs, new, newSigner(9)}[i%7%4]
		line := signed(signer, audit.CEF, func(e *audit.Event) { e.TraceID = uint64(i) + 1 })
		verdict := "valid"
		switch {
		case i%7%4 == 3:
			verdict = "invalid"
		case i%11 == 0:
			line, verdict = strings.Replace(line, "action=list", "action=edit", 1), "invalid"
		}
		if verdict == "valid" {
			verdict += " " + signer.KeyID()
		}
		want[verdict]++
		body.WriteString(line + "\n")
	}
	y.take(t, body.String())
	got := map[string]int{}
	for _, r := range y.find(t, "") {
		got[strings.TrimSpace(r.Signature+" "+r.KeyID)]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

func TestALineWaitsForAKeyServerThatIsBrieflyAway(t *testing.T) {
	signer := newSigner(1)
	server := newKeyServer(t)
	y := start(t, t.TempDir(), setup{jwks: server.URL})
	y.take(t, signed(signer, audit.CEF, nil))
	waitFor(t, "a failed fetch", func() bool {
		server.mu.Lock()
		defer server.mu.Unlock()
		return server.fetches > 0
	})
	server.publish(t, signer)
	if got := y.find(t, "_signature=valid"); len(got) != 1 {
		t.Errorf("%d lines verified", len(got))
	}
}
