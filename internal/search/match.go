package search

import (
	"strings"

	"github.com/trailhook/trailhook/audit"
)

// Match says whether a query matches a record. It is the meaning of the
// language: stores are tested to answer as it does, and what has not been
// stored yet is filtered by it.
func Match(e Expr, r *Record) bool {
	m := matcher{record: r}
	return m.match(e)
}

// matcher is a record that is matched, and what of it is made for that at most once.
type matcher struct {
	record    *Record
	line      *string // folded, without the characters of its signature
	wholeLine *string // folded
}

func (m *matcher) match(e Expr) bool {
	switch e := e.(type) {
	case And:
		for _, t := range e.Terms {
			if !m.match(t) {
				return false
			}
		}
		return true
	case Or:
		for _, t := range e.Terms {
			if m.match(t) {
				return true
			}
		}
		return false
	case Not:
		return !m.match(e.Term)
	case Keyword:
		return len(e.Pattern) > 0 && e.Pattern.matchWithin(m.text(e))
	case Compare:
		value, ok := m.record.compared(e.Field)
		return ok && e.Value.matchWhole(Fold(value))
	case Order:
		return e.matches(m.record)
	}
	return true // All, and nil
}

// text is what the keyword is looked for in, folded.
func (m *matcher) text(k Keyword) string {
	text, of := &m.line, withoutSignature
	if _, named := k.BeforeSignature(); named {
		text, of = &m.wholeLine, func(raw string) string { return raw }
	}
	if *text == nil {
		folded := Fold(of(m.record.Raw))
		*text = &folded
	}
	return **text
}

// BeforeSignature says whether the keyword names the signature, as a line that is
// pasted does, and so is looked for in the whole line; and what of the pattern
// comes before that.
func (k Keyword) BeforeSignature() (before Pattern, named bool) {
	for i, piece := range k.Pattern {
		for _, name := range [...]string{"sig=", `"sig":"`} {
			if at := strings.Index(Fold(piece), name); at >= 0 {
				return append(k.Pattern[:i:i], Fold(piece)[:at]), true
			}
		}
	}
	return k.Pattern, false
}

// SignatureField is the name by which a filter compares the signature of a line,
// which is no field of the record: the 86 characters of one that is where
// [audit.SignedPart] looks for it, whether it fits or not.
const SignatureField = "sig"

// compared returns what a filter compares where it names a field.
func (r *Record) compared(name string) (string, bool) {
	value, ok := r.value(name)
	if !ok && name == SignatureField {
		return signatureOf(r.Raw)
	}
	return value, ok
}

func signatureOf(raw string) (signature string, ok bool) {
	from, to, ok := signaturePlace(raw)
	return raw[from:to], ok
}

// withoutSignature is the line without the characters of its signature. They are
// as good as random: of a million lines, some thousands have any given three
// letters there, which nobody looks for.
func withoutSignature(raw string) string {
	from, to, ok := signaturePlace(raw)
	if !ok {
		return raw
	}
	return raw[:from] + raw[to:]
}

// signaturePlace says where the characters of the line's signature are.
func signaturePlace(raw string) (from, to int, ok bool) {
	before, to := " sig=", len(raw)
	switch {
	case strings.HasPrefix(raw, `{"event":`) && strings.HasSuffix(raw, `"}}`):
		before, to = `,"sig":"`, to-len(`"}}`)
	case strings.HasPrefix(raw, "{"):
		before, to = `,"sig":"`, to-len(`"}`)
	}
	const length = 86
	if from = to - length; from < 0 || !strings.HasSuffix(raw[:from], before) {
		return 0, 0, false
	}
	if _, _, ok = audit.SignedPart([]byte(raw)); !ok {
		return 0, 0, false
	}
	return from, to, true
}
