package storetest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

var formats = [...]audit.Format{audit.CEF, audit.JSON, audit.CPS}

// events generates audit events of all kinds, with text that has to be escaped
// and text that cannot be written at all.
func events() *rapid.Generator[audit.Event] {
	return rapid.Custom(func(t *rapid.T) audit.Event {
		text := func(label string) string {
			return rapid.OneOf(rapid.Just("plain"), rapid.Just(""), Texts()).Draw(t, label)
		}
		e := audit.Event{
			Kind:    audit.Kind(rapid.IntRange(1, 3).Draw(t, "kind")),
			Time:    noon.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "time")) * time.Millisecond),
			Product: rapid.SampledFrom([]string{audit.ProductKonnect, audit.ProductDevPortal, "a|b"}).Draw(t, "product"),
			Source:  text("source"), OrgID: text("organization"), PrincipalID: text("principal"), PrincipalName: text("principal's name"),
			TraceID: rapid.Uint64Range(0, 1<<63-1).Draw(t, "trace"), UserAgent: text("user agent"),
		}
		if rapid.IntRange(0, 3).Draw(t, "stamped") == 0 {
			e.Stamp = noon.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "stamp")) * time.Hour)
		}
		switch e.Kind {
		case audit.Authentication:
			e.AuthType = audit.AuthType(rapid.SampledFrom([]string{"PAT", "SSO", "", "a|b"}).Draw(t, "type"))
			e.Outcome = audit.Outcome(rapid.SampledFrom([]string{"SUCCESS", "LOCKED", `\`}).Draw(t, "outcome"))
			e.Request, e.PortalID = text("request"), text("portal")
		case audit.Authorization:
			e.Service, e.Resource, e.Action, e.ActorID = text("service"), text("resource"), text("action"), text("actor")
			e.Granted, e.KongInitiated = rapid.Bool().Draw(t, "granted"), rapid.Bool().Draw(t, "kong")
		case audit.Access:
			e.Request, e.Method, e.Query = text("request"), text("method"), text("query")
			e.Status, e.KongInitiated = rapid.SampledFrom([]int{200, 404, 500, 0}).Draw(t, "status"), rapid.Bool().Draw(t, "kong")
		}
		return e
	})
}

// auditLines generates records of lines of audit events: signed and not, in all
// formats, as they are written and with something changed.
func auditLines() *rapid.Generator[search.Record] {
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	return rapid.Custom(func(t *rapid.T) search.Record {
		e, f := events().Draw(t, "event"), rapid.SampledFrom(formats[:]).Draw(t, "format")
		raw := audit.AppendUnsigned(nil, f, &e)
		if rapid.Bool().Draw(t, "signed") {
			raw = signer.AppendLine(nil, f, &e)
		}
		if rapid.IntRange(0, 4).Draw(t, "changed") == 0 {
			raw[rapid.IntRange(0, len(raw)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		return auditRecord(t, raw)
	})
}

// auditRecord is the record of a line, with what a collector may add to it.
func auditRecord(t *rapid.T, raw []byte) search.Record {
	r := line(string(raw))
	if decoded, err := audit.Decode(raw); err == nil {
		r.Fields = search.EventFields(nil, &decoded.Event)
		for _, extra := range decoded.Extra {
			r.Fields = append(r.Fields, field(extra.Name, extra.Value))
		}
		r.Time, r.Timed = decoded.Event.Time, true
	}
	switch rapid.IntRange(0, 9).Draw(t, "fields") {
	case 0: // of the source
		name := rapid.SampledFrom([]string{"team", "action", "portal_id", "status", "granted", "rt", "severity"}).Draw(t, "name")
		r.Fields = append(r.Fields, field(name, rapid.SampledFrom([]string{"blue", "true", "7", ""}).Draw(t, "value")))
	case 1: // that say something else than the line
		if len(r.Fields) > 0 {
			i := rapid.IntRange(0, len(r.Fields)-1).Draw(t, "which")
			r.Fields = slices.Clone(r.Fields)
			r.Fields[i].Value = rapid.SampledFrom([]string{"", "TRUE", "007", "-1", "x", "6"}).Draw(t, "instead")
		}
	}
	return r
}

// rewrittenLines holds a store that writes lines from their fields to what was
// said of them: each comes back byte for byte, and keywords find in it what they
// would find in the line.
func rewrittenLines(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	checks := uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		checks++
		mine := string(rune('A'+checks%26)) + strings.Repeat("x", int(checks/26))
		batch := rapid.SliceOfN(auditLines(), 1, 8).Draw(t, "lines")
		for i := range batch {
			batch[i].Collector = mine
			batch[i].SourceID += mine
		}
		kept := firstOfEachKey(batch)
		if stored, err := s.Insert(t.Context(), batch, checks); err != nil || stored != len(kept) {
			t.Fatalf("stored %d, %v; want %d", stored, err, len(kept))
		}
		wantAnswer(t, s, mine, kept, search.Request{Query: search.All{}})
		for range 2 {
			wantAnswer(t, s, mine, kept, search.Request{Query: wordsOf(t, kept)})
		}
	})
}

// signatures holds that keywords do not look into a signature, and that it is found
// by its name, in lines that can be written from their fields and in others.
func signatures(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	e := audit.Event{Kind: audit.Access, Time: noon, Request: "/v2/teams", Method: "POST", Status: 201, OrgID: "org-Ä"}
	var records []search.Record
	for _, f := range formats {
		raw := string(signer.AppendLine(nil, f, &e))
		parsed, other := line(raw, search.EventFields(nil, &e)...), line(raw)
		other.Raw = strings.Replace(raw, "teams", "others", 1)
		ended := line(raw + " ")
		named := line(strings.Replace(raw, "teams", "named", 1), field("sig", "of the source"))
		records = append(records, parsed, other, ended, named)
	}
	records = append(records, line("no sig="), line(`{"sig":"short"}`), line("\xff sig=short"))
	for i := range records {
		records[i].Identity = [16]byte{byte(i)}
	}
	insert(t, s, 1, records...)
	for _, r := range records[:len(records)-3] {
		trimmed := strings.TrimRight(r.Raw, `"} `)
		signature := trimmed[len(trimmed)-86:]
		part := signature[30:45]
		found := wantSameAsMatch(t, s, search.Keyword{Pattern: search.Literal(part)}, records)
		if want := len(misplaced(part, records)); found != want {
			t.Errorf("%q is found in %d lines, want %d", part, found, want)
		}
		for _, e := range []search.Expr{
			search.Keyword{Pattern: search.Literal(r.Raw)},
			search.Keyword{Pattern: search.Pattern{"sig=", part}},
			search.Keyword{Pattern: search.Pattern{`"sig":"`, part}},
			search.Compare{Field: "sig", Value: search.Pattern{"", part, ""}},
			search.Compare{Field: "sig", Value: search.Literal(signature)},
			search.Compare{Field: "sig", Value: search.Literal("of the source")},
			search.Not{Term: search.Compare{Field: "sig", Value: search.Pattern{"", ""}}},
			search.Order{Field: "sig", Sign: ">=", Value: signature},
			search.Keyword{Pattern: search.Literal("sig=")},
			search.Keyword{Pattern: search.Literal(`"sig":""}`)},
		} {
			wantSameAsMatch(t, s, e, records)
		}
	}
}

// misplaced are the records whose line has the part in what is no signature, for it does
// not stand where one does.
func misplaced(part string, records []search.Record) (all []search.Record) {
	for _, r := range records {
		if strings.Contains(r.Raw, part) && strings.HasSuffix(r.Raw, " ") {
			all = append(all, r)
		}
	}
	return all
}

// wordsOf draws a query that is made of pieces of a line, changed in case.
func wordsOf(t *rapid.T, records []search.Record) search.Expr {
	raw := search.Text(records[rapid.IntRange(0, len(records)-1).Draw(t, "record")].Raw)
	piece := func() string {
		from := rapid.IntRange(0, len(raw)).Draw(t, "from")
		to := min(len(raw), from+rapid.SampledFrom([]int{1, 2, 3, 5, 8, 20, 100}).Draw(t, "length"))
		if rapid.Bool().Draw(t, "upper") {
			return strings.ToUpper(search.Text(raw[from:to]))
		}
		return search.Text(raw[from:to])
	}
	p := search.Pattern{piece()}
	if rapid.IntRange(0, 3).Draw(t, "wildcard") == 0 {
		p = append(p, piece())
	}
	if p.Any() || len(p) == 1 && p[0] == "" {
		return search.All{}
	}
	if rapid.IntRange(0, 4).Draw(t, "whole") == 0 {
		return search.Compare{Field: "_raw", Value: search.Pattern{"", p[0], ""}}
	}
	return search.Keyword{Pattern: p}
}

// everyForm stores one line of each kind, format and sort of text, and asks for
// all that stands in them, word by word.
func everyForm(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	var records []search.Record
	for i, e := range []audit.Event{
		{Kind: audit.Authentication, AuthType: audit.AuthPAT, Outcome: audit.OutcomeSuccess, Request: "/v2/users/me", PortalID: "portal-1"},
		{Kind: audit.Authentication, AuthType: audit.AuthSSO, Outcome: audit.OutcomeLocked, Request: "/login?a=b"},
		{Kind: audit.Authorization, Service: "konnect", Resource: "control-planes", Action: "list", Granted: true, ActorID: "actor-7"},
		{Kind: audit.Authorization, Service: "konnect", Resource: `teams|\x`, Action: "edit", KongInitiated: true, Stamp: noon.Add(time.Minute)},
		{Kind: audit.Access, Request: "/v2/teams", Method: "POST", Status: 201, Query: "page=2&size=10", KongInitiated: true},
		{Kind: audit.Access, Request: "/v2/\"teams\"", Method: "DELETE", Status: 500, UserAgent: "first\nsecond\tthird"},
	} {
		e.Time, e.TraceID, e.Source, e.OrgID = noon.Add(time.Duration(i)*time.Second), uint64(3959872677347089807+i), "10.0.0.9", "org-Ä"
		e.PrincipalID, e.PrincipalName = "p-1", "Zoë K."
		for _, f := range formats {
			r := line(string(signer.AppendLine(nil, f, &e)), search.EventFields(nil, &e)...)
			r.Time, r.Timed = e.Time, true
			sum := sha256.Sum256([]byte(r.Raw))
			r.Identity = [16]byte(sum[:16])
			records = append(records, r)
		}
	}
	insert(t, s, 1, records...)
	words := []string{
		"konghq", "cef:0|konginc", "|1.0|", "authz.", "authentication_type_pat", "control-planes", "portal", "actor", "rt=", "status",
		"granted=true", "success", "org-ä", "ZOË", "k.", "teams", "teams|", `\\`, `\=`, "=b", "page\\=2", "nsecond", "second", "2026", "12:01", "00z",
		"3959872677347089807", "39598726", "201", "500", "event_ts", `"act":"post"`, `,"sig":"`, " sig=", "kong_initiated", `{"event":{`, `"}}`,
	}
	for _, r := range records {
		words = append(words, r.Raw)
	}
	for _, w := range words {
		wantMatching(t, s, search.Keyword{Pattern: search.Literal(w)}, records)
	}
	for _, r := range records {
		for _, f := range r.Fields {
			wantMatching(t, s, search.Compare{Field: f.Name, Value: search.Literal(strings.ToUpper(f.Value))}, records)
		}
	}
}
