package duckdb

import "strings"

// line is the raw line in SQL: what [search.Form.Line] writes, written by the
// engine from the same columns, for lines of these forms. That the two agree, and
// with the line that came, is what storetest looks for. kept stands for the lines
// that the table has, signature for the characters of a signature.
func line(forms set, kept, signature string) string {
	s := `CASE`
	if forms.has(keptForm) {
		s += ` WHEN "form" IS NULL THEN ` + kept
	}
	if plain := forms & (1<<formEscaped - 2); plain != 0 {
		s += ` WHEN "form" < 10 THEN ` + written(plain, escaping{signature: signature})
	}
	if escaped := forms>>formEscaped | forms>>formControlled; escaped > 1 {
		s += ` WHEN "form" >= 10 THEN ` + written(escaped, escaping{on: true, signature: signature})
	}
	if s == `CASE` {
		return kept
	}
	return s + ` END`
}

// written is a line that is not kept, of one of the formats.
func written(formats set, e escaping) string {
	s := ``
	switch hasCEF, hasJSON := formats.has(formCEF), formats.has(formJSON) || formats.has(formCPS); {
	case hasCEF && hasJSON:
		s = `CASE WHEN "form" % 10 = 1 THEN ` + e.cef() + ` ELSE ` + e.json() + ` END`
	case hasCEF:
		s = e.cef()
	default:
		s = e.json()
	}
	if formats.has(formCPS) {
		s = `concat(CASE WHEN "form" % 10 = 3 THEN '{"event":' END, ` + s + `, CASE WHEN "form" % 10 = 3 THEN '}' END)`
	}
	return s
}

const (
	rt    = `("time" + "rt")`
	stamp = `strftime(make_timestamp(coalesce("stamp", ` + rt + ` // 1000) * 1000000), '%Y-%m-%dT%H:%M:%SZ')`

	// signatureText is base64url without padding.
	signatureText = `replace(replace(substring(to_base64("signature_bytes"), 1, 86), '+', '-'), '/', '_')`
)

// escaping says whether the text of the line has anything to escape, and what
// stands for its signature.
type escaping struct {
	on        bool
	signature string
}

// replace escapes the characters in turn, the backslash first. Each is SQL for
// the character and what it becomes.
func (e escaping) replace(column string, pairs ...[2]string) string {
	s := `"` + column + `"`
	if e.on {
		for _, p := range pairs {
			s = `replace(` + s + `, ` + p[0] + `, ` + p[1] + `)`
		}
	}
	return s
}

func (e escaping) header(column string) string {
	return e.replace(column, [2]string{`'\'`, `'\\'`}, [2]string{`'|'`, `'\|'`})
}

func (e escaping) extension(column string) string {
	return `' ` + column + `=' || ` +
		e.replace(column, [2]string{`'\'`, `'\\'`}, [2]string{`'='`, `'\='`}, [2]string{`chr(10)`, `'\n'`}, [2]string{`chr(13)`, `'\r'`})
}

func (e escaping) member(column string) string {
	return `'"` + column + `":' || ` + e.quoted(column)
}

func (e escaping) quoted(column string) string {
	return `'"' || ` + e.replace(column, [2]string{`'\'`, `'\\'`}, [2]string{`'"'`, `'\"'`},
		[2]string{`chr(10)`, `'\n'`}, [2]string{`chr(13)`, `'\r'`}, [2]string{`chr(9)`, `'\t'`}) + ` || '"'`
}

// cef writes the extensions in an order that is that of each kind: fields of one
// kind are NULL for the others, and the trace of an access event comes late.
// What is NULL is left out by concat.
func (e escaping) cef() string {
	trace := func(when string) string {
		return `CASE WHEN "kind" ` + when + ` 'access' THEN ' trace_id=' || CAST("trace_id" AS VARCHAR) END`
	}
	return `concat(` + strings.Join([]string{
		stamp, `' konghq.com CEF:0|KongInc|'`, e.header("product"), `'|1.0|'`, e.header("class"), `'|'`, e.header("name"), `'|'`,
		`CAST("severity" AS VARCHAR)`, `'|rt='`, `CAST(` + rt + ` AS VARCHAR)`,
		e.extension("src"), e.extension("request"), `' success=' || CAST("success" AS VARCHAR)`, e.extension("action"),
		`' granted=' || CAST("granted" AS VARCHAR)`, e.extension("act"), `' status=' || CAST("status" AS VARCHAR)`,
		e.extension("org_id"), e.extension("portal_id"), e.extension("principal_id"), e.extension("principal_name"),
		e.extension("actor_id"), `' kong_initiated=' || CAST("kong_initiated" AS VARCHAR)`,
		trace(`<>`), e.extension("user_agent"), trace(`=`), e.extension("query"), `' sig=' || ` + e.signature,
	}, `, `) + `)`
}

// json writes the members in the order of their names.
func (e escaping) json() string {
	after := func(member string) string { return member + ` || ','` }
	before := func(member string) string { return `',' || ` + member }
	return `concat(` + strings.Join([]string{
		`'{'`, after(e.member("act")), after(e.member("action")), after(e.member("actor_id")),
		`'"cef_version":0,"event_class_id":'`, e.quoted("class"), `',"event_product":'`, e.quoted("product"),
		`',"event_ts":"'`, stamp, `'","event_vendor":"KongInc","event_version":"1.0"'`,
		`',"granted":' || CAST("granted" AS VARCHAR)`, `',"kong_initiated":"' || CAST("kong_initiated" AS VARCHAR) || '"'`,
		before(e.member("name")), before(e.member("org_id")), before(e.member("portal_id")), before(e.member("principal_id")),
		before(e.member("principal_name")), before(e.member("query")), before(e.member("request")),
		`',"rt":'`, `CAST(` + rt + ` AS VARCHAR)`, `',"severity":'`, `CAST("severity" AS VARCHAR)`, before(e.member("src")),
		`',"status":' || CAST("status" AS VARCHAR)`, `',"success":' || CAST("success" AS VARCHAR)`,
		`',"trace_id":"' || CAST("trace_id" AS VARCHAR) || '"'`, before(e.member("user_agent")),
		`',"sig":"' || ` + e.signature + ` || '"'`, `'}'`,
	}, `, `) + `)`
}
