package storetest

import (
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/internal/search"
)

// Texts generates short texts of few and nasty pieces, so that two of them are
// often equal, or the one within the other, or almost so.
func Texts() *rapid.Generator[string] {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "A", "b", "ä", "Ä", "%", "_", `\`, "*", `"`, "'", "=", "!", "(", ")", "|", " ", "\n", ".", "NOT", "-", "?",
		"\x00", "\xff", "\xc3", "\ufffd", "ß", "ẞ", "İ", "ſ", "s", "K", "k", "Σ", "ς", "😀",
	}), 0, 4)
	return rapid.Map(pieces, func(p []string) string { return strings.Join(p, "") })
}

// fieldNames generates names of fields, metadata and not, with a column or not.
func fieldNames() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"_source", "_SOURCEcategory", "_sourcehost", "_sourceName", "_signature", "_keyid", "_RAW", "_parse_error", "_time_note",
			"_unknown", "action", "Action", "status", "granted", "trace_id", "rt", "severity", "names", "form", "name", "user_agent", "raw", "time", "fields", "identity", "other", "c\xffd", "NOT",
		}),
		Texts(),
	)
}

func patterns() *rapid.Generator[search.Pattern] {
	pieces := rapid.OneOf(Texts(), rapid.SampledFrom([]string{"true", "True", "0", "200", "00", "7"}))
	return rapid.Map(rapid.SliceOfN(pieces, 1, 3), func(p []string) search.Pattern { return p })
}

// Queries generates trees of the kind that [search.Parse] returns.
func Queries() *rapid.Generator[search.Expr] { return queries(3) }

func queries(depth int) *rapid.Generator[search.Expr] {
	leaves := rapid.Custom(func(t *rapid.T) search.Expr {
		if rapid.Bool().Draw(t, "compare") {
			return search.Compare{Field: fieldNames().Draw(t, "field"), Value: patterns().Draw(t, "value")}
		}
		if rapid.IntRange(0, 3).Draw(t, "order") == 0 {
			sign := rapid.SampledFrom([]search.Sign{"<", "<=", ">", ">="}).Draw(t, "sign")
			value := rapid.SampledFrom([]string{"", "0", "6", "6.5", "-0.5", "-0", "200", "199.9", "1e3", "70000", "-1", "a", "konnect", "2026", "3959872677347089808", "999999999999999", "1773489600000"}).Draw(t, "bound")
			return search.Order{Field: fieldNames().Draw(t, "field"), Sign: sign, Value: value}
		}
		p := patterns().Draw(t, "keyword")
		if p.Any() || len(p) == 1 && p[0] == "" {
			return search.All{}
		}
		return search.Keyword{Pattern: p}
	})
	if depth == 0 {
		return leaves
	}
	below := rapid.Deferred(func() *rapid.Generator[search.Expr] { return queries(depth - 1) })
	terms := rapid.SliceOfN(below, 2, 3)
	return rapid.OneOf(
		leaves,
		rapid.Map(terms, func(t []search.Expr) search.Expr { return search.And{Terms: t} }),
		rapid.Map(terms, func(t []search.Expr) search.Expr { return search.Or{Terms: t} }),
		rapid.Map(below, func(e search.Expr) search.Expr { return search.Not{Term: e} }),
	)
}

// records generates records; some of them have one key.
func records() *rapid.Generator[search.Record] {
	return rapid.Custom(func(t *rapid.T) search.Record {
		text := func(label string) string { return Texts().Draw(t, label) }
		var fields []search.Field
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			value := rapid.OneOf(Texts(), rapid.SampledFrom([]string{"true", "false", "TRUE", "0", "200", "007", "70000", "-1"})).Draw(t, "value")
			fields = append(fields, field(fieldNames().Draw(t, "name"), value))
		}
		at, identity := moments().Draw(t, "time"), rapid.Byte().Draw(t, "identity")
		timed := identity%2 == 0 // then a line's time is always the same
		if timed {
			at = noon.Add(time.Duration(identity) * 16 * time.Microsecond)
		}
		return search.Record{
			Time: at, Timed: timed, Receipt: moments().Draw(t, "receipt"),
			SourceID: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "source id"),
			Identity: [16]byte{identity},
			Source:   text("source"), Category: text("category"), Host: text("host"), Name: text("source name"),
			Signature: text("signature"), KeyID: text("key id"), ParseError: text("parse error"), TimeNote: text("time note"),
			Raw: text("raw"), Fields: fields,
		}
	})
}

// moments generates times within 4 ms, in parts of a millisecond.
func moments() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.IntRange(0, 4000), func(us int) time.Time { return noon.Add(time.Duration(us) * time.Microsecond) })
}

// requests generates requests without a limit.
func requests() *rapid.Generator[search.Request] {
	return rapid.Custom(func(t *rapid.T) search.Request {
		r := search.Request{Query: Queries().Draw(t, "query"), ByReceiptTime: rapid.Bool().Draw(t, "by receipt time")}
		if rapid.Bool().Draw(t, "bounded") {
			r.From, r.To = moments().Draw(t, "from"), moments().Draw(t, "to")
		}
		return r
	})
}
