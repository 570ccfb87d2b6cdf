package search

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// AggregateFunction is one column that an [Aggregate] computes from the rows of
// a group.
type AggregateFunction struct {
	Function string  // count count_distinct sum avg min max pct
	Of       Column  // without a name: the rows themselves, which only count counts
	Percent  Percent // of a pct
	Name     string  // of the column
}

// Kind returns KindNumber, as all of them compute numbers.
func (f AggregateFunction) Kind() Kind { return KindNumber }

func (f AggregateFunction) String() string {
	text := f.Function
	switch {
	case f.Function == "pct":
		text += "(" + f.Of.String() + ", " + f.Percent.String() + ")"
	case f.Of.Name != "":
		text += "(" + f.Of.String() + ")"
	}
	if f.Name != f.defaultName() {
		text += " as " + stageName(f.Name)
	}
	return text
}

func (f AggregateFunction) defaultName() string {
	if f.Function == "pct" {
		return "_" + f.Of.Name + "_pct_" + f.Percent.String()
	}
	return "_" + f.Function
}

// Percent is thousandths of a percent, from 0 to 100,000.
type Percent int

func (p Percent) String() string { return strconv.FormatFloat(float64(p)/1000, 'f', -1, 64) }

// Rank returns which of count numbers in ascending order is the percentile, from
// 1: the least that at least so many percent of them do not exceed.
func (p Percent) Rank(count int) int {
	return max(1, (int(p)*count+99_999)/100_000)
}

// aggregateWord is an aggregate function in the language's own table.
type aggregateWord struct {
	name, syntax, meaning string
	accumulate            func() accumulator
}

// accumulator computes one column of one group. It is given a value with how
// many rows have it, and says how many bytes more it holds after that.
type accumulator interface {
	add(v Value, weight int) (held int)
	result() Value
}

// aggregates is the table of aggregate functions, for the parser, the evaluator
// and the reference alike.
func aggregates() []aggregateWord {
	return []aggregateWord{
		{"count", "count [(FIELD)]", "How many rows, or how many that have the field.",
			func() accumulator { return new(counter) }},
		{"count_distinct", "count_distinct(FIELD)", "How many different values, exactly. Null is none, the empty text is one, and letters count as they are.",
			func() accumulator { return distinct{} }},
		{"sum", "sum(FIELD)", "The sum of the numbers. What is no number is left out; of no numbers at all it is null.",
			func() accumulator { return &total{} }},
		{"avg", "avg(FIELD)", "The sum of the numbers divided by how many there are; null if there are none.",
			func() accumulator { return &total{mean: true} }},
		{"min", "min(FIELD)", "The least of the numbers; null if there are none.",
			func() accumulator { return &extreme{better: func(a, b float64) bool { return a < b }} }},
		{"max", "max(FIELD)", "The greatest of the numbers; null if there are none.",
			func() accumulator { return &extreme{better: func(a, b float64) bool { return a > b }} }},
		{"pct", "pct(FIELD, PERCENT, …)", "The percentile: the least of the numbers that at least so many percent of them do not exceed, always one of the numbers; null if there are none. " +
			"PERCENT is from 0 to 100, with three decimals at most.",
			func() accumulator { return new(percentile) }},
	}
}

func aggregateNamed(name string) (aggregateWord, bool) {
	all := aggregates()
	i := slices.IndexFunc(all, func(a aggregateWord) bool { return strings.EqualFold(a.name, name) })
	if i < 0 {
		return aggregateWord{}, false
	}
	return all[i], true
}

// accumulator returns what makes one.
func (f AggregateFunction) accumulator() (func() accumulator, error) {
	word, ok := aggregateNamed(f.Function)
	if !ok {
		return nil, fmt.Errorf("evaluate the query: no aggregate function %q", f.Function)
	}
	return func() accumulator {
		a := word.accumulate()
		if p, ok := a.(*percentile); ok {
			p.percent = f.Percent
		}
		return a
	}, nil
}

type counter struct{ count float64 }

func (c *counter) add(v Value, weight int) int {
	if !v.null() {
		c.count += float64(weight)
	}
	return 0
}

func (c *counter) result() Value { return NumberValue(c.count) }

type distinct map[Value]struct{}

func (d distinct) add(v Value, _ int) int {
	if _, seen := d[v]; seen || v.null() {
		return 0
	}
	d[v] = struct{}{}
	return len(v.text) + rowOverhead
}

func (d distinct) result() Value { return NumberValue(float64(len(d))) }

type total struct {
	sum, count float64
	mean       bool
}

func (t *total) add(v Value, weight int) int {
	if x, ok := v.Number(); ok {
		t.sum += x * float64(weight)
		t.count += float64(weight)
	}
	return 0
}

func (t *total) result() Value {
	switch {
	case t.count == 0:
		return Value{}
	case t.mean:
		return NumberValue(t.sum / t.count)
	}
	return NumberValue(t.sum)
}

type extreme struct {
	number float64
	any    bool
	better func(a, b float64) bool
}

func (e *extreme) add(v Value, _ int) int {
	if x, ok := v.Number(); ok && (!e.any || e.better(x, e.number)) {
		e.number, e.any = x, true
	}
	return 0
}

func (e *extreme) result() Value {
	if !e.any {
		return Value{}
	}
	return NumberValue(e.number)
}

type percentile struct {
	numbers []weighted
	count   int // with their weights
	percent Percent
}

type weighted struct {
	number float64
	weight int
}

func (p *percentile) add(v Value, weight int) int {
	x, ok := v.Number()
	if !ok {
		return 0
	}
	p.numbers = append(p.numbers, weighted{x, weight})
	p.count += weight
	return 16
}

func (p *percentile) result() Value {
	slices.SortFunc(p.numbers, func(a, b weighted) int { return cmp.Compare(a.number, b.number) })
	left := p.percent.Rank(p.count)
	for _, n := range p.numbers {
		if left -= n.weight; left <= 0 {
			return NumberValue(n.number)
		}
	}
	return Value{}
}

// toPercent returns the number as a Percent, if it is one.
func toPercent(x float64) (Percent, bool) {
	thousandths := math.Round(x * 1000)
	return Percent(thousandths), x <= 100 && thousandths/1000 == x
}
