package clickhouse

import "strings"

// line is the raw line in SQL: what [search.Form.Line] writes, written by the
// engine from the same columns. That the two agree, and with the line that came,
// is what storetest looks for. Only lines of these forms are there. kept stands for
// the lines that the table has, signature for the characters of a signature.
func line(forms set, kept, signature string) string {
	written := ``
	switch hasJSON := forms.has(formJSON) || forms.has(formCPS); {
	case forms.has(formCEF) && hasJSON:
		written = `if("form" = 1, ` + cef(signature) + `, ` + json(signature) + `)`
	case forms.has(formCEF):
		written = cef(signature)
	case hasJSON:
		written = json(signature)
	default:
		return kept
	}
	if forms.has(formCPS) {
		written = `concat(if("form" = 3, '{"event":', ''), ` + written + `, if("form" = 3, '}', ''))`
	}
	if !forms.has(keptForm) {
		return written
	}
	return `if("form" = 0, ` + kept + `, ` + written + `)`
}

// signless is a line that is there as a text, without the characters of its
// signature.
func signless(text string) string {
	const behind = `if("form" = 0, if(substring("raw", 1, 1) != '{', 0,
		if(substring("raw", 1, 9) = '{"event":' AND substring("raw", greatest(length("raw"), 3) - 2) = '"}}', 3, 2)), if("form" = 1, 0, "form"))`
	return `if("signature_text" = '', ` + text + `, concat(substring(` + text + `, 1, greatest(length(` + text + `) - 86 - ` + behind + `, 0)),
		substring(` + text + `, length(` + text + `) + 1 - ` + behind + `)))`
}

const (
	rt = `ifNull("time" + "rt", 0)`

	// Only a time that the engine's own type can hold is written by it: see
	// lastStamp.
	stamp = `concat(replaceOne(toString(toDateTime(toUInt32(if("stamp" > 0, "stamp", intDiv(` + rt + `, 1000))), 'UTC')), ' ', 'T'), 'Z')`
)

// escaped escapes the characters in turn, the backslash first. Each is SQL for the
// character and what it becomes.
func escaped(column string, pairs ...[2]string) string {
	s := `"` + column + `"`
	for _, p := range pairs {
		s = `replaceAll(` + s + `, ` + p[0] + `, ` + p[1] + `)`
	}
	return s
}

func header(column string) string {
	return orNothing(escaped(column, [2]string{`'\\'`, `'\\\\'`}, [2]string{`'|'`, `'\\|'`}))
}

func extension(column string) string {
	value := escaped(column, [2]string{`'\\'`, `'\\\\'`}, [2]string{`'='`, `'\\='`})
	return orNothing(`concat(' ` + column + `=', ` + value + `)`)
}

// member is one with something around it, and nothing where the column has no
// value.
func member(before, column, after string) string {
	return orNothing(`concat('` + before + `"` + column + `":"', ` + quotedText(column) + `, '"` + after + `')`)
}

func quotedText(column string) string {
	return escaped(column, [2]string{`'\\'`, `'\\\\'`}, [2]string{`'"'`, `'\\"'`})
}

func orNothing(value string) string { return `ifNull(` + value + `, '')` }

// plain is a value that is not escaped, with something around it.
func plain(before, column, after string) string {
	for i := range valueColumns {
		if c := &valueColumns[i]; c.name == column {
			return orNothing(`concat('` + before + `', ` + c.sql() + `, '` + after + `')`)
		}
	}
	return `''`
}

// signed is the signature with something around it.
func signed(before, signature, after string) string {
	return `if("signature_text" = '', '', concat('` + before + `', ` + signature + `, '` + after + `'))`
}

// cef writes the extensions in an order that is that of each kind: fields of one
// kind are NULL for the others, and the trace of an access event comes late.
func cef(signature string) string {
	trace := func(when string) string {
		return `if(ifNull("kind", '') ` + when + ` 'access', ` + plain(" trace_id=", "trace_id", "") + `, '')`
	}
	return `concat(` + strings.Join([]string{
		stamp, `' konghq.com CEF:0|KongInc|'`, header("product"), `'|1.0|'`, header("class"), `'|'`, header("name"), `'|'`,
		plain("", "severity", ""), `'|rt='`, `toString(` + rt + `)`,
		extension("src"), extension("request"), plain(" success=", "success", ""), extension("action"),
		plain(" granted=", "granted", ""), extension("act"), plain(" status=", "status", ""),
		extension("org_id"), extension("portal_id"), extension("principal_id"), extension("principal_name"),
		extension("actor_id"), plain(" kong_initiated=", "kong_initiated", ""),
		trace(`!=`), extension("user_agent"), trace(`=`), extension("query"), signed(" sig=", signature, ""),
	}, `, `) + `)`
}

// json writes the members in the order of their names.
func json(signature string) string {
	return `concat(` + strings.Join([]string{
		`'{'`, member("", "act", ","), member("", "action", ","), member("", "actor_id", ","),
		`'"cef_version":0,"event_class_id":"'`, orNothing(quotedText("class")), `'","event_product":"'`, orNothing(quotedText("product")),
		`'","event_ts":"'`, stamp, `'","event_vendor":"KongInc","event_version":"1.0"'`,
		plain(`,"granted":`, "granted", ""), plain(`,"kong_initiated":"`, "kong_initiated", `"`),
		member(",", "name", ""), member(",", "org_id", ""), member(",", "portal_id", ""), member(",", "principal_id", ""),
		member(",", "principal_name", ""), member(",", "query", ""), member(",", "request", ""),
		`',"rt":'`, `toString(` + rt + `)`, plain(`,"severity":`, "severity", ""), member(",", "src", ""),
		plain(`,"status":`, "status", ""), plain(`,"success":`, "success", ""), plain(`,"trace_id":"`, "trace_id", `"`),
		member(",", "user_agent", ""), signed(`,"sig":"`, signature, `"`), `'}'`,
	}, `, `) + `)`
}
