package console

import (
	"cmp"
	"strings"

	"github.com/trailhook/trailhook/internal/search"
)

// madeByStages are the names that the query's own stages set: only a stage after
// them can ask for their values.
func madeByStages(q search.Query) map[string]bool {
	made := map[string]bool{}
	set := func(names ...string) {
		for _, name := range names {
			made[name] = true
		}
	}
	for _, stage := range q.Stages {
		switch stage := stage.(type) {
		case search.Assign:
			set(stage.Name)
		case search.ParseAnchor:
			set(stage.Names...)
		case search.ParseRegexp:
			set(stage.Regexp.Names()...)
		case search.ParseJSON:
			set(stage.Names...)
		case search.Timeslice:
			set(stage.Name)
		}
	}
	return made
}

// maxTerm bounds the values that can be added to a query by a click, in bytes.
const maxTerm = 1000

// terms are what a query gets to have only the records with a value, and only those
// without: terms of its filter, or stages, which begin with a pipe.
func terms(name, value string, made bool) (add, exclude string) {
	if len(name)+len(value) > maxTerm || strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' }) {
		return "", ""
	}
	if made {
		is := search.Comparison{Sign: "=", Left: search.Column{Name: name}, Right: search.Constant{Value: search.TextValue(value)}}
		return "| where " + is.String(), "| where " + search.Negation{Term: is}.String()
	}
	is := search.Compare{Field: name, Value: search.Literal(value)}
	return is.String(), search.Not{Term: is}.String()
}

// refined is the query with a term more. A query that cannot be read, or one that
// cannot with the term, stays as it is.
func refined(query, term string) string {
	read, err := search.ParseQuery(cmp.Or(strings.TrimSpace(query), "*"))
	if err != nil {
		return query
	}
	changed := ""
	if strings.HasPrefix(term, "|") {
		changed = read.String() + " " + term
	} else {
		more, err := search.Parse(term)
		if err != nil {
			return query
		}
		read.Filter = also(read.Filter, more)
		changed = read.String()
	}
	if _, err := search.ParseQuery(changed); err != nil {
		return query
	}
	return changed
}

// also joins a term to a filter that may have it already.
func also(filter, term search.Expr) search.Expr {
	switch f := filter.(type) {
	case nil, search.All:
		return term
	case search.And:
		for _, t := range f.Terms {
			if t.String() == term.String() {
				return f
			}
		}
		return search.And{Terms: append(f.Terms[:len(f.Terms):len(f.Terms)], term)}
	}
	if filter.String() == term.String() {
		return filter
	}
	return search.And{Terms: []search.Expr{filter, term}}
}
