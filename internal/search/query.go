package search

import (
	"slices"
	"strings"
)

// Query is a whole query: the filter picks messages, newest first, and each
// stage takes what the one before it left.
//
// A query begins with messages and goes on with them until a stage aggregates;
// from there on it has the rows of a table. Where rows have an order, it is
// kept by every stage that does not say otherwise.
type Query struct {
	Filter Expr
	Stages []Stage
}

// String returns a query that [ParseQuery] reads as the same tree, if the tree
// came from it and the text is within its limits.
func (q Query) String() string {
	var b strings.Builder
	if q.Filter == nil {
		b.WriteString(All{}.String())
	} else {
		b.WriteString(q.Filter.String())
	}
	for _, s := range q.Stages {
		b.WriteString(" | ")
		b.WriteString(s.String())
	}
	return b.String()
}

// Aggregates says whether the query's answer is a table rather than messages.
func (q Query) Aggregates() bool {
	return slices.ContainsFunc(q.Stages, func(s Stage) bool {
		_, ok := s.(Aggregate)
		return ok
	})
}

// Columns returns the columns of the query's table, in their order; nil if its
// answer is messages.
func (q Query) Columns() []Column {
	var s scope
	for _, stage := range q.Stages {
		s.apply(stage)
	}
	return s.columns
}

// scope is what names stand for at one place in a query.
type scope struct {
	columns []Column        // of the table; nil while there are messages
	set     map[string]Kind // what stages have set on messages
}

// resolve returns the column that a name stands for, and whether there is one.
// A message may have any field, so that every name stands for one there.
func (s *scope) resolve(name string) (Column, bool) {
	name = canonicalName(name)
	if s.columns != nil {
		i := slices.IndexFunc(s.columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return Column{}, false
		}
		return s.columns[i], true
	}
	if isTime(name) {
		return Column{Name: name, kind: KindNumber}, true
	}
	if kind, ok := s.set[name]; ok {
		return Column{Name: name, kind: kind}, true
	}
	return Column{Name: name, kind: KindText}, true
}

func (s *scope) apply(stage Stage) {
	switch stage := stage.(type) {
	case Assign:
		s.assign(stage.Name, stage.Expression.Kind())
	case ParseAnchor:
		s.assignTexts(stage.Names)
	case ParseRegexp:
		s.assignTexts(stage.Regexp.Names())
	case ParseJSON:
		s.assignTexts(stage.Names)
	case Timeslice:
		s.assign(stage.Name, KindNumber)
	case Aggregate:
		columns := slices.Clone(stage.By)
		for _, f := range stage.Functions {
			columns = append(columns, Column{Name: f.Name, kind: f.Kind()})
		}
		s.columns, s.set = columns, nil
	case Fields:
		if s.columns != nil {
			s.columns = stage.of(s.columns)
			return
		}
		for name := range s.set {
			if stage.has(name) == stage.Except {
				delete(s.set, name)
			}
		}
	}
}

func (s *scope) assignTexts(names []string) {
	for _, name := range names {
		s.assign(name, KindText)
	}
}

func (s *scope) assign(name string, kind Kind) {
	if kind == KindNull {
		kind = KindText
	}
	if s.columns == nil {
		if s.set == nil {
			s.set = map[string]Kind{}
		}
		s.set[name] = kind
		return
	}
	columns := slices.Clone(s.columns)
	if i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name }); i >= 0 {
		columns[i].kind = kind
	} else {
		columns = append(columns, Column{Name: name, kind: kind})
	}
	s.columns = columns
}

// The names by which stages know a message's times, in milliseconds since 1970.
const (
	messageTime = "_messageTime"
	receiptTime = "_receiptTime"
)

func isTime(name string) bool { return name == messageTime || name == receiptTime }

// canonicalName returns how the language spells what belongs to every message,
// which it knows in any case of letters, and any other name as it is.
func canonicalName(name string) string {
	for _, t := range [...]string{messageTime, receiptTime} {
		if strings.EqualFold(name, t) {
			return t
		}
	}
	if canonical, ok := Metadata(name); ok {
		return canonical
	}
	return name
}

// ofEveryMessage says whether the canonical name is no field of the line, and so
// can be neither set nor taken away.
func ofEveryMessage(name string) bool {
	_, ok := Metadata(name)
	return ok || isTime(name)
}
