package search

import (
	"fmt"
	"strings"
	"time"
)

// exampleRecords are what the examples of the reference are run over, newest first.
func exampleRecords() []Record {
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	records := []Record{{
		Time: start.Add(20 * time.Minute), Source: "App", Raw: `{"user": {"name": "Dan", "roles": ["admin", "dev"]}, "ms": 12.5}`,
		Fields: []Field{{Name: "id", Value: "6"}},
	}}
	for _, line := range []struct {
		after time.Duration
		text  string
	}{
		{12 * time.Minute, "id=5 action=list principal=carol src=192.168.1.9 status=404 request=/v2/teams granted=true"},
		{7*time.Minute + 30*time.Second, "id=4 action=list principal=ann src=10.0.0.1 status=200 request=/v2/portals granted=true"},
		{4 * time.Minute, "id=3 action=delete principal=bob src=10.0.0.2 status=403 request=/v2/portals/7 granted=false"},
		{time.Minute + 10*time.Second, "id=2 action=create principal=bob src=10.0.0.2 status=201 request=/v2/control-planes granted=true"},
		{5 * time.Second, "id=1 action=list principal=ann src=10.0.0.1 status=200 request=/v2/control-planes granted=true"},
	} {
		r := Record{Time: start.Add(line.after), Source: "Konnect", Raw: line.text}
		for pair := range strings.FieldsSeq(line.text) {
			name, value, _ := strings.Cut(pair, "=")
			r.Fields = append(r.Fields, Field{Name: name, Value: value})
		}
		records = append(records, r)
	}
	for i := range records {
		records[i].Receipt = records[i].Time.Add(time.Second)
	}
	return records
}

func exampleLines() (lines []string) {
	for _, r := range exampleRecords() {
		lines = append(lines, fmt.Sprintf("%s  %s", r.Time.Format(time.TimeOnly), r.Raw))
	}
	return lines
}

// examples are the examples of each word and form of the language.
func examples() map[string][]example {
	return map[string][]example{
		`WORD or "PHRASE"`: {
			{`portals`, "", []string{"4", "3"}},
			{`"status=40"`, "", []string{"5", "3"}},
			{`delete*7`, "", []string{"3"}},
		},
		"A B, A AND B, A OR B, NOT A, (A)": {
			{`portals (ann OR carol)`, "", []string{"4"}},
			{`_source=Konnect NOT list`, "", []string{"3", "2"}},
		},
		"FIELD=VALUE": {
			{`principal=ANN`, "", []string{"4", "1"}},
			{`src=10.0.*`, "", []string{"4", "3", "2", "1"}},
		},
		"FIELD!=VALUE":           {{`action!=list`, "", []string{"6", "3", "2"}}},
		"FIELD<VALUE, <=, >, >=": {{`status>=400`, "", []string{"5", "3"}}},
		"FIELD in (VALUE, …)":    {{`principal in (bob, carol) status not in (404)`, "", []string{"3", "2"}}},

		"where":       {{`* | where status >= 400 and action = "delete"`, "", []string{"3"}}},
		"parse":       {{`portals | parse "request=/*/* " as version, path`, "id, version, path", []string{"4 | v2 | portals", "3 | v2 | portals/7"}}, {`* | parse "principal=bob src=*" as rest nodrop | parse field=principal "c*" as rest`, "id, rest", []string{"5 | arol", "3 | 10.0.0.2 status=403 request=/v2/portals/7 granted=false", "2 | 10.0.0.2 status=201 request=/v2/control-planes granted=true"}}},
		"parse regex": {{`* | parse regex "portals/(?<portal>\d+)"`, "id, portal", []string{"3 | 7"}}},
		"json":        {{`_source=App | json "user.name", "user.roles", "user.roles[1]" as who, roles, role`, "who, roles, role", []string{`Dan | ["admin","dev"] | dev`}}},
		"timeslice":   {{`_source=Konnect | timeslice 5m | count by _timeslice`, "", []string{"_timeslice | _count", "1772355600000 | 3", "1772355900000 | 1", "1772356200000 | 1"}}},
		"sort":        {{`_source=Konnect | sort by status, _messageTime asc`, "id, status", []string{"5 | 404", "3 | 403", "2 | 201", "1 | 200", "4 | 200"}}},
		"top":         {{`_source=Konnect | top 2 principal`, "", []string{"principal | _count", "ann | 2", "bob | 2"}}},
		"limit":       {{`* | limit 2`, "", []string{"6", "5"}}},
		"fields": {
			{`portals | count by action, principal | fields principal, _count`, "", []string{"principal | _count", "bob | 1", "ann | 1"}},
			{`bob | count, max(status) by action | fields - _count`, "", []string{"action | _max", "create | 201", "delete | 403"}},
		},
		"dedup": {{`_source=Konnect | dedup by principal`, "id, principal", []string{"5 | carol", "4 | ann", "3 | bob"}}},
		"as":    {{`bob | status - 200 as over`, "id, over", []string{"3 | 203", "2 | 1"}}},

		"aggregate": {{`* | count as calls, count_distinct(action) as actions by principal`, "", []string{"principal | calls | actions", " | 1 | 0", "ann | 2 | 1", "bob | 2 | 2", "carol | 1 | 1"}}},
		"count":     {{`* | count, count(principal) as with_principal`, "", []string{"_count | with_principal", "6 | 5"}}},

		"count_distinct": {{`* | count_distinct(principal)`, "", []string{"_count_distinct", "3"}}},
		"sum":            {{`* | sum(id) by granted`, "", []string{"granted | _sum", " | 6", "false | 3", "true | 12"}}},
		"avg":            {{`* | avg(status)`, "", []string{"_avg", "281.6"}}},
		"min":            {{`* | min(status), min(src) as address`, "", []string{"_min | address", "200 | "}}},
		"max":            {{`* | max(status)`, "", []string{"_max", "404"}}},
		"pct":            {{`* | pct(status, 50, 99.9)`, "", []string{"_status_pct_50 | _status_pct_99.9", "201 | 404"}}},

		"X = Y, !=, <, <=, >, >=":               {{`* | where status != 200`, "", []string{"6", "5", "3", "2"}}},
		"A and B, A or B, not A, !A":            {{`* | where granted and !(status = 200 or action = "create")`, "", []string{"5"}}},
		"X + Y, X - Y, X * Y, X / Y, X % Y, -X": {{`id=3 | (status + 7) / 3 as a | -status % 100 as b | status / 0 as c`, "a, b, c", []string{"136.666666667 | -3 | "}}},
		`X matches "TEXT*"`:                     {{`* | where request matches "/v2/portal*"`, "", []string{"4", "3"}}},
		"X matches /REGEXP/":                    {{`* | where src matches /^192\.|\.2$/`, "", []string{"5", "3", "2"}}},
		"X in (VALUE, …)":                       {{`* | where status in (200, 201) and principal not in ("bob")`, "", []string{"4", "1"}}},

		"isNull":      {{`* | where isNull(principal)`, "", []string{"6"}}},
		"isEmpty":     {{`id=1 | isEmpty("") as a | isEmpty(" ") as b`, "a, b", []string{"true | false"}}},
		"isBlank":     {{`id=1 | isBlank(" ") as a | isBlank(action) as b`, "a, b", []string{"true | false"}}},
		"isNumeric":   {{`id=1 | isNumeric(status) as a | isNumeric(src) as b`, "a, b", []string{"true | false"}}},
		"if":          {{`bob | if(status >= 400, "failed", "done") as outcome`, "id, outcome", []string{"3 | failed", "2 | done"}}},
		"contains":    {{`* | where contains(request, "portal")`, "", []string{"4", "3"}}},
		"concat":      {{`id=1 | concat(principal, "@", src) as x`, "x", []string{"ann@10.0.0.1"}}},
		"length":      {{`carol | length(principal) as x`, "x", []string{"5"}}},
		"substring":   {{`carol | substring(principal, 1, 3) as a | substring(principal, 3) as b`, "a, b", []string{"ar | ol"}}},
		"toLowerCase": {{`id=1 | toLowerCase("ÄRGER") as x`, "x", []string{"ärger"}}},
		"toUpperCase": {{`id=1 | toUpperCase(principal) as x`, "x", []string{"ANN"}}},
		"trim":        {{`id=1 | concat("<", trim("  a b "), ">") as x`, "x", []string{"<a b>"}}},
		"replace":     {{`id=1 | replace(src, ".", "-") as x`, "x", []string{"10-0-0-1"}}},
		"num":         {{`id=1 | num("007") as a | num("7 ms") as b`, "a, b", []string{"7 | "}}},
		"abs":         {{`id=1 | abs(100 - status) as x`, "x", []string{"100"}}},
		"ceil":        {{`id=3 | ceil(status / 100) as x`, "x", []string{"5"}}},
		"floor":       {{`id=3 | floor(status / 100) * 100 as x`, "x", []string{"400"}}},
		"round":       {{`id=3 | round(2.5) as a | round(-2.5) as b`, "a, b", []string{"3 | -3"}}},
		"now":         {{`id<=2 | round((now() - _messageTime) / 1000) as age`, "id, age", []string{"2 | 3530", "1 | 3595"}}},
	}
}
