package search

import (
	"errors"
	"iter"
	"time"
)

// Grouping asks how many records there are of each combination of values, which
// is all that most tables need to know.
type Grouping struct {
	Request // without a limit

	Fields []string // names of the language, other than _raw

	// Step divides the time by which the request goes, from 1970 on and back, and
	// is whole milliseconds; 0 if times do not tell records apart.
	Step time.Duration

	// Most lets a store leave out each group that so many others have more records
	// than; 0 if all groups are wanted.
	Most int
}

// Group is the records that have the same values in one step of time.
type Group struct {
	Values []Value   // of the fields, each a text, or null where the records do not have it
	Time   time.Time // when the step begins; zero without steps
	Count  int
}

// ErrNotGrouped says that a store does not answer a [Grouping], since it cannot, or
// not in less time and memory than the records take.
var ErrNotGrouped = errors.New("the store does not group these records")

// maxGroupBytes bounds what [GroupRecords] holds.
const maxGroupBytes = 32 << 20

// GroupRecords groups records that match the request, for a store whose engine
// does not. It gives [ErrNotGrouped] instead where there are too many groups to hold.
func GroupRecords(g Grouping, records iter.Seq2[Record, error]) iter.Seq2[Group, error] {
	return func(yield func(Group, error) bool) {
		groups, err := g.collect(records)
		if err != nil {
			yield(Group{}, err)
			return
		}
		for _, group := range groups {
			if !yield(*group, nil) {
				return
			}
		}
	}
}

func (g Grouping) collect(records iter.Seq2[Record, error]) (groups []*Group, err error) {
	byKey := map[string]*Group{}
	held := 0
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		at := g.start(g.TimeOf(&r))
		values := make([]Value, len(g.Fields), len(g.Fields)+1)
		for i, name := range g.Fields {
			values[i] = (&row{record: &r}).value(name)
		}
		k := key(append(values, NumberValue(float64(at.UnixMilli()))))
		if byKey[k] == nil {
			if held += 2*len(k) + rowOverhead*(2+len(values)); held > maxGroupBytes {
				return nil, ErrNotGrouped
			}
			byKey[k] = &Group{Values: values, Time: at}
			groups = append(groups, byKey[k])
		}
		byKey[k].Count++
	}
	return groups, nil
}

// start returns when the step begins that t is in.
func (g Grouping) start(t time.Time) time.Time {
	if g.Step == 0 {
		return time.Time{}
	}
	ms, step := t.UnixMilli(), g.Step.Milliseconds()
	within := (ms%step + step) % step
	return time.UnixMilli(ms - within).UTC()
}

// rows are the groups as rows that stand for so many messages each. They have what
// the grouping asks for and no more.
func (g Grouping) rows(groups iter.Seq2[Group, error]) rows {
	return func(yield func(*row, error) bool) {
		for group, err := range groups {
			if err != nil {
				yield(nil, err)
				return
			}
			r := &Record{Time: group.Time, Receipt: group.Time}
			for i, name := range g.Fields {
				if v := group.Values[i]; !v.null() {
					r.setValue(name, v.text)
				}
			}
			if !yield(&row{record: r, weight: group.Count}, nil) {
				return
			}
		}
	}
}
