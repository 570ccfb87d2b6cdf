package search

import (
	"context"
	"iter"
	"slices"
	"time"
)

// Grouped answers a query that aggregates from groups of records, as [Search.Run]
// does where it can: the store says how many records there are of each combination
// of the values that the query goes by, and its stages run over these. It
// returns [ErrNotGrouped] where the query needs the records themselves or the
// store does not group them.
func (s Search) Grouped(ctx context.Context, store Store) (*Table, error) {
	s = s.narrowed()
	s.Query = s.limited()
	g, ok := s.grouping()
	if !ok {
		return nil, ErrNotGrouped
	}
	e := newEvaluator(s.Setting)
	q, groups := s.Query, whileAlive(ctx, store.Groups(ctx, g))
	all := g.rows(groups)
	if first, ok := q.Stages[0].(Aggregate); ok && first.counts() {
		all = e.counted(first, g, groups)
		q.Stages = q.Stages[1:]
	}
	all, err := e.through(q, all, nil)
	if err != nil {
		return nil, err
	}
	return e.table(s.Query.Columns(), all)
}

// counts says whether the groups that a store has for the stage, where it is the
// first, are the rows of its table.
func (s Aggregate) counts() bool {
	return len(s.By) > 0 && !slices.ContainsFunc(s.Functions, func(f AggregateFunction) bool { return f.Function != "count" || f.Of.Name != "" })
}

// counted is the table of a stage that counts, which is the store's groups in order.
func (e *evaluator) counted(stage Aggregate, g Grouping, groups iter.Seq2[Group, error]) rows {
	places := make([]int, len(stage.By))
	for i, c := range stage.By {
		places[i] = slices.Index(g.Fields, c.Name)
	}
	return e.ordered(stage, func() (table []*group, err error) {
		for from, err := range groups {
			if err != nil {
				return nil, err
			}
			to := &group{by: make([]Value, len(places)), functions: make([]accumulator, len(stage.Functions))}
			held := rowOverhead * (2 + len(stage.Functions))
			for i, place := range places {
				to.by[i] = from.Values[place]
				held += len(to.by[i].text)
			}
			for i := range to.functions {
				to.functions[i] = &counter{float64(from.Count)}
			}
			to.places = placesOf(to.by)
			if err := e.hold(held); err != nil {
				return nil, err
			}
			table = append(table, to)
		}
		return table, nil
	})
}

// Beginning is the search for the messages that the first table of a query that
// aggregates is made from, limit apart.
func (s Search) Beginning() Search {
	first := slices.IndexFunc(s.Query.Stages, func(stage Stage) bool { _, ok := stage.(Aggregate); return ok })
	if first >= 0 {
		s.Query.Stages, s.Limit = s.Query.Stages[:first:first], 0
	}
	return s
}

// CountBy counts the messages that the search finds, by the slices of time that
// they are in: how many there are by when the slice starts, in milliseconds since 1970.
func (s Search) CountBy(ctx context.Context, slice Timeslice, store Store) (map[int64]int, error) {
	const start = "_start"
	slice.Name = start
	s.Query.Stages = append(slices.Clip(s.Query.Stages), slice,
		Aggregate{Functions: []AggregateFunction{{Function: "count", Name: "_count"}}, By: []Column{{Name: start, kind: KindNumber}}})
	table, err := s.Grouped(ctx, store)
	if err != nil {
		return nil, err
	}
	counts := map[int64]int{}
	for _, r := range table.Rows {
		counts[int64(r[0].number)] = int(r[1].number)
	}
	return counts, nil
}

// grouping is what the table is made from, if that is groups: if the stages before
// the first table take each message by itself, and go by fields and by slices of
// time, not by the line or by a time to the millisecond.
func (s Search) grouping() (g Grouping, ok bool) {
	g = Grouping{Request: s.request()}
	asked := references{set: map[string]bool{}}
	for i, stage := range s.Query.Stages {
		switch stage := stage.(type) {
		case Where:
			asked.expression(stage.Condition)
		case Assign:
			asked.expression(stage.Expression)
			asked.set[stage.Name] = true
		case ParseAnchor:
			asked.column(stage.From)
		case ParseRegexp:
			asked.column(stage.From)
		case ParseJSON:
			asked.column(stage.From)
		case Timeslice:
			sized, err := stage.Range(s.Setting.From, s.Setting.To)
			if err != nil {
				return g, false
			}
			g.Step = divisor(g.Step, sized.step(g.From, g.To, newEvaluator(s.Setting).setting.Zone))
			asked.set[stage.Name] = true
		case Fields:
		case Aggregate:
			asked.aggregate(stage)
			g.Fields = asked.fields
			if i == 0 {
				g.Most = stage.most(s.Query.Stages[1:])
			}
			return g, !asked.whole && g.Step != time.Millisecond
		default:
			return g, false
		}
	}
	return g, false
}

// most returns how many rows of a table that counts are left, where the stages
// after it keep those with the greatest counts; else 0. Of groups with one count
// all are needed: the stages order them.
func (s Aggregate) most(after []Stage) int {
	if !s.counts() || len(after) < 2 {
		return 0
	}
	sort, isSort := after[0].(Sort)
	limit, isLimit := after[1].(Limit)
	if !isSort || !isLimit || sort.Keys[0].Ascending ||
		!slices.ContainsFunc(s.Functions, func(f AggregateFunction) bool { return f.Name == sort.Keys[0].Column.Name }) {
		return 0
	}
	return limit.Count
}

// references are the fields of records that stages go by.
type references struct {
	fields []string
	set    map[string]bool // by a stage, on every message
	whole  bool            // the line or an exact time is among them
}

func (f *references) column(c Column) {
	switch {
	case c.Name == "_raw" || isTime(c.Name):
		f.whole = true
	case !f.set[c.Name] && !slices.Contains(f.fields, c.Name):
		f.fields = append(f.fields, c.Name)
	}
}

func (f *references) aggregate(stage Aggregate) {
	for _, c := range stage.By {
		f.column(c)
	}
	for _, function := range stage.Functions {
		if function.Of.Name != "" {
			f.column(function.Of)
		}
	}
}

func (f *references) expression(all ...Expression) {
	for _, x := range all {
		switch x := x.(type) {
		case Column:
			f.column(x)
		case Constant:
		case Arithmetic:
			f.expression(x.Left, x.Right)
		case Negative:
			f.expression(x.Term)
		case Comparison:
			f.expression(x.Left, x.Right)
		case Member:
			f.expression(x.Term)
		case Wildcard:
			f.expression(x.Term)
		case RegexpMatch:
			f.expression(x.Term)
		case Negation:
			f.expression(x.Term)
		case Logic:
			f.expression(x.Terms...)
		case Call:
			f.expression(x.Args...)
		default:
			f.whole = true
		}
	}
}

// maxTransitions is how often the clock may be set in a range of time before the
// rest is taken to go on by the same rule: more than in any zone's history.
const maxTransitions = 1000

// step returns the greatest step of time, counted from 1970, that no start of a
// slice falls into: it divides the slices, the zone's offsets from UTC in the range
// from one time to another, and the moments at which these change.
func (s Timeslice) step(from, to time.Time, zone *time.Location) time.Duration {
	width := s.Width.Milliseconds()
	step := width
	if s.Width%(7*day) == 0 {
		step = divisor(step, (3 * day).Milliseconds()) // see Start
	}
	if !from.IsZero() {
		from = from.Add(-s.Width)
	}
	at := from.In(zone)
	for range maxTransitions {
		_, offset := at.Zone()
		step = divisor(step, int64(offset)*1000)
		_, next := at.ZoneBounds()
		if next.IsZero() || !to.IsZero() && !next.Before(to) {
			break
		}
		step = divisor(step, next.UnixMilli())
		at = next
	}
	return time.Duration(step) * time.Millisecond
}

// divisor returns the greatest common divisor, where 0 is divided by everything.
func divisor[T int64 | time.Duration](a, b T) T {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}
