package collector

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

// noForm is the parse error of a line of which only the text is known.
const noForm = "neither a Konnect audit event nor CEF nor a JSON object"

// maxFields is how many parsed fields a record keeps.
const maxFields = 500

// newRecord makes the search record of one line: of a Konnect audit event, of
// any CEF line, of a JSON object, or else of a raw line with a parse error.
// The line is kept whole in each case. The verdict is the caller's to fill in.
//
// The identity is the SHA-256 of the line, cut to 16 bytes: encoding and
// Ed25519 are deterministic, so an event that is delivered again is the same
// line. It is not taken from the signature alone, for a forged line that
// carries the signature of a genuine one must not pass for it.
func newRecord(origin Origin, line []byte) search.Record {
	identity := sha256.Sum256(line)
	payload, around := origin.unwrap(line)
	p := parseLine(payload, origin.ReceivedAt)
	p.wrap(around)
	record := search.Record{
		Time:       origin.ReceivedAt,
		Receipt:    origin.ReceivedAt,
		SourceID:   strconv.FormatInt(origin.SourceID, 10),
		Collector:  origin.Collector,
		Source:     origin.Source,
		Category:   cmp.Or(around.category, origin.Category),
		Host:       cmp.Or(around.host, origin.Host),
		Name:       cmp.Or(around.name, origin.Name),
		Raw:        string(line),
		Identity:   [16]byte(identity[:16]),
		ParseError: p.problem,
		Fields:     p.fields,
	}
	if !p.time.IsZero() {
		record.TimeNote = timeNote(p.time, origin.ReceivedAt)
		if plausible(p.time, origin.ReceivedAt) {
			record.Time, record.Timed = p.time, !p.guessed
		}
	}
	for name, value := range origin.Fields { // what the line says of itself comes first
		record.Fields = append(record.Fields, search.Field{Name: fieldName(name), Value: value})
	}
	return record
}

// plausible tells whether a time that a line claims is used: one that is
// missing, or so far ahead that the line would stay on top of every result, is
// not. Sumo Logic draws the line at two days ahead too.
func plausible(claimed, receipt time.Time) bool {
	return claimed.After(time.UnixMilli(0)) && claimed.Before(receipt.Add(48*time.Hour))
}

// timeNote says what is odd about a time that a line claims: in few words, which
// are the same for all lines, so that they can be searched for.
func timeNote(claimed, receipt time.Time) string {
	const late = 24 * time.Hour
	switch {
	case !claimed.After(time.UnixMilli(0)):
		return "the line says a time before 1970: the time of its receipt is used"
	case !plausible(claimed, receipt):
		return "the line says a time more than 48 h after its receipt: the time of its receipt is used"
	case claimed.After(receipt.Add(time.Hour)):
		return "received more than 1 h before it happened"
	case claimed.Before(receipt.Add(-late)):
		return "received more than 24 h after it happened"
	default:
		return ""
	}
}

// parsed is what a line says.
type parsed struct {
	time    time.Time // zero if it says none
	guessed bool      // the year is, from the time of receipt
	fields  []search.Field
	problem string
}

func (p *parsed) add(name, value string) {
	switch {
	case name == "":
	case len(p.fields) < maxFields:
		p.fields = append(p.fields, search.Field{Name: fieldName(name), Value: value})
	default:
		p.problem = "more than " + strconv.Itoa(maxFields) + " fields: the others are in the raw line only"
	}
}

// fieldName keeps names out of the way of metadata: a line that holds
// "_signature":"valid" must not be shown as if it were verified.
func fieldName(name string) string {
	if strings.HasPrefix(name, "_") {
		return "line" + name
	}
	return name
}

func parseLine(line []byte, receipt time.Time) parsed {
	decoded, auditErr := audit.Decode(line)
	if auditErr == nil {
		return parseAudit(decoded)
	}
	p, ok := parseCEF(line, receipt)
	if !ok {
		p, ok = parseJSON(line)
	}
	switch {
	case !ok:
		p = parsed{time: leadingTime(line), problem: noForm}
	case p.problem == "" && !errors.Is(auditErr, audit.ErrNotAudit):
		p.problem = auditErr.Error() // it set out to be one
	}
	return p
}

// parseAudit gives an audit event the same fields whatever the format it came in.
func parseAudit(decoded audit.Decoded) parsed {
	p := parsed{time: decoded.Event.Time, fields: search.EventFields(make([]search.Field, 0, 24), &decoded.Event)}
	for _, extra := range decoded.Extra {
		p.add(extra.Name, extra.Value)
	}
	return p
}

// parseCEF reads CEF of any vendor. Of the header's fields a version of the
// format is not kept.
func parseCEF(line []byte, receipt time.Time) (parsed, bool) {
	cef, err := audit.ParseCEF(line)
	if err != nil {
		return parsed{}, false
	}
	p := parsed{time: withYear(cef.Time, receipt), guessed: cef.Time.Year() == 0}
	p.add("vendor", cef.Vendor)
	p.add("product", cef.Product)
	p.add("class", cef.Class)
	p.add("name", cef.Name)
	p.add("severity", cef.Severity)
	for _, extension := range cef.Extensions {
		p.add(extension.Name, extension.Value)
		if extension.Name == "rt" {
			if at, ok := parseTime(extension.Value); ok {
				p.time, p.guessed = at, false
			}
		}
	}
	return p, true
}

// withYear completes a time by RFC 3164, which has no year: the one that
// brings it nearest before the receipt, a day of clock difference allowed.
func withYear(t, receipt time.Time) time.Time {
	if t.IsZero() || t.Year() != 0 {
		return t
	}
	for _, year := range []int{receipt.Year() + 1, receipt.Year()} {
		if full := t.AddDate(year, 0, 0); full.Before(receipt.Add(24 * time.Hour)) {
			return full
		}
	}
	return t.AddDate(receipt.Year()-1, 0, 0)
}

// leadingTime reads an RFC 3339 time at the start of a line.
func leadingTime(line []byte) time.Time {
	const longest = len("2006-01-02T15:04:05.999999999+00:00")
	word, _, _ := strings.Cut(string(line[:min(len(line), longest+1)]), " ")
	at, err := time.Parse(time.RFC3339, word)
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// parseTime reads milliseconds since the epoch, or RFC 3339.
func parseTime(text string) (time.Time, bool) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), ms > 0
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), err == nil
}
