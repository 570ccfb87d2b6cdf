package search

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stage is what stands between two pipes: one of [Where], [Assign],
// [ParseAnchor], [ParseRegexp], [ParseJSON], [Timeslice], [Aggregate], [Sort],
// [Limit], [Fields] and [Dedup]. A top is understood as an Aggregate, a Sort and
// a Limit.
type Stage interface {
	String() string
	stage()
}

// Where keeps the rows for which the condition is the text "true".
type Where struct{ Condition Expression }

// Assign sets a field of each row. On a table a new column comes last.
type Assign struct {
	Expression Expression
	Name       string
}

// ParseAnchor sets a field for each * of the anchor, from a text that has its
// literal pieces one after the other: each * stands for as little text as the
// rest allows, and for all the rest at the end. Letters are compared as they are.
//
// A row that it does not fit is dropped, and nothing is set of one that is not:
// with NoDrop none is, and without it those are kept that fitted one of the
// parse and json stages with NoDrop that stand directly before.
type ParseAnchor struct {
	From   Column
	Anchor Pattern // of one piece more than there are names
	Names  []string
	NoDrop bool
}

// ParseRegexp sets a field for each named group, from the leftmost match of the
// expression, and drops as [ParseAnchor] does. A group that took no part in the
// match is the empty text.
type ParseRegexp struct {
	From   Column
	Regexp Regexp
	NoDrop bool
}

// ParseJSON sets a field for each path, from a text that is JSON as a whole, and
// drops as [ParseAnchor] does: a row fits if each path leads to something other
// than null, and what is found is set even if not all is. Texts are set without
// their quotes, everything else as it is written, without white space between.
// Of a key that comes twice in an object, the first counts.
type ParseJSON struct {
	From   Column
	Paths  []JSONPath
	Names  []string
	NoDrop bool
}

// Timeslice sets a field to the start of the slice of time that the message is
// in, in milliseconds since 1970. See [Timeslice.Start].
type Timeslice struct {
	Width   time.Duration // whole seconds; 0 if Buckets is set
	Buckets int           // how many slices the search's range has at most
	Name    string
}

// Aggregate makes a table: a row for each combination of values of By, ordered
// by these (null, then numbers, then texts, ascending); without By, one row.
// Texts are the same only if all bytes are, and null is a value like any other.
type Aggregate struct {
	Functions []AggregateFunction
	By        []Column
}

// Sort orders rows, in an order in which null comes before what is or looks like
// a number, by number, and that before other texts, by bytes. Rows that no key
// tells apart stay in the order that they were in.
type Sort struct{ Keys []SortKey }

// SortKey is a column to order by, from its greatest value down or ascending.
type SortKey struct {
	Column    Column
	Ascending bool
}

// Limit keeps the first rows.
type Limit struct{ Count int }

// Fields keeps of the fields of messages, or the columns of a table, only those
// that are named, in that order, or with Except all others. What the collector
// knows of a message stays on it.
type Fields struct {
	Columns []Column
	Except  bool
}

// Dedup keeps of the rows that have the same values of By the first Count. Values
// are the same as in an [Aggregate].
type Dedup struct {
	Count int
	By    []Column
}

func (Where) stage()       {}
func (Assign) stage()      {}
func (ParseAnchor) stage() {}
func (ParseRegexp) stage() {}
func (ParseJSON) stage()   {}
func (Timeslice) stage()   {}
func (Aggregate) stage()   {}
func (Sort) stage()        {}
func (Limit) stage()       {}
func (Fields) stage()      {}
func (Dedup) stage()       {}

func (s Where) String() string  { return "where " + s.Condition.String() }
func (s Assign) String() string { return s.Expression.String() + " as " + stageName(s.Name) }
func (s Limit) String() string  { return "limit " + strconv.Itoa(s.Count) }

func (s ParseAnchor) String() string {
	return "parse " + from(s.From) + quote(strings.Join(s.Anchor, "*")) + as(s.Names) + noDrop(s.NoDrop)
}

func (s ParseRegexp) String() string {
	return "parse regex " + from(s.From) + quote(s.Regexp.String()) + noDrop(s.NoDrop)
}

func (s ParseJSON) String() string {
	paths := make([]string, len(s.Paths))
	for i, p := range s.Paths {
		paths[i] = quote(p.String())
	}
	return "json " + from(s.From) + strings.Join(paths, ", ") + as(s.Names) + noDrop(s.NoDrop)
}

func (s Aggregate) String() string {
	functions := make([]string, len(s.Functions))
	for i, f := range s.Functions {
		functions[i] = f.String()
	}
	text := strings.Join(functions, ", ")
	if len(s.By) > 0 {
		text += " by " + columnList(s.By)
	}
	return text
}

func (s Sort) String() string {
	keys := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		keys[i] = k.Column.String()
		if k.Ascending {
			keys[i] += " asc"
		}
	}
	return "sort by " + strings.Join(keys, ", ")
}

func (s Fields) String() string {
	if s.Except {
		return "fields - " + columnList(s.Columns)
	}
	return "fields " + columnList(s.Columns)
}

func (s Dedup) String() string {
	return "dedup " + strconv.Itoa(s.Count) + " by " + columnList(s.By)
}

// of returns those of the columns that stay.
func (s Fields) of(columns []Column) []Column {
	if !s.Except {
		return s.Columns
	}
	return slices.DeleteFunc(slices.Clone(columns), func(c Column) bool { return s.has(c.Name) })
}

func (s Fields) has(name string) bool {
	return slices.ContainsFunc(s.Columns, func(c Column) bool { return c.Name == name })
}

func from(c Column) string {
	if c.Name == "_raw" {
		return ""
	}
	return "field=" + c.String() + " "
}

func as(names []string) string {
	written := make([]string, len(names))
	for i, n := range names {
		written[i] = stageName(n)
	}
	return " as " + strings.Join(written, ", ")
}

func noDrop(yes bool) string {
	if yes {
		return " nodrop"
	}
	return ""
}

func columnList(columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.String()
	}
	return strings.Join(names, ", ")
}
