package collector

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

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
