package search

import (
	"slices"
	"time"
)

const (
	maxCount   = 1_000_000_000 // more rows than any answer has, and more seconds than a slice
	maxBuckets = 1000
	maxWidth   = 3660 * day // of a slice of time
)

// aggregate reads aggregate functions and what to group by.
func (s *stages) aggregate() error {
	at := s.token
	var stage Aggregate
	for {
		functions, err := s.function()
		if err != nil {
			return err
		}
		stage.Functions = append(stage.Functions, functions...)
		if comma, err := s.take(","); err != nil {
			return err
		} else if !comma {
			break
		}
	}
	var err error
	if stage.By, err = s.by(stage.Functions); err != nil {
		return err
	}
	return s.addAggregate(at, stage)
}

func (s *stages) addAggregate(at token, stage Aggregate) error {
	var columns scope
	columns.apply(stage)
	for i, c := range columns.columns {
		if slices.ContainsFunc(columns.columns[:i], func(other Column) bool { return other.Name == c.Name }) {
			return syntaxError(s.query, at.offset, "two columns of one name, %s: give one of them another with as", c)
		}
	}
	s.add(stage)
	return nil
}

// by reads by and columns. After a lone count, the by may be left out.
func (s *stages) by(functions []AggregateFunction) ([]Column, error) {
	grouped, err := s.takeWord("group")
	if err != nil {
		return nil, err
	}
	if by, err := s.takeWord("by"); err != nil {
		return nil, err
	} else if by {
		return s.columns()
	}
	if grouped {
		return nil, s.expected("by")
	}
	plainCount := len(functions) == 1 && functions[0] == AggregateFunction{Function: "count", Name: "_count"}
	if plainCount && s.token.kind == nameToken {
		return s.columns()
	}
	return nil, nil
}

// function reads an aggregate function, which is several if it is a pct with
// several percents.
func (s *stages) function() ([]AggregateFunction, error) {
	if s.token.kind != nameToken || s.token.quoted {
		return nil, s.expected("an aggregate function (count, count_distinct, sum, avg, min, max, pct)")
	}
	word, ok := aggregateNamed(s.token.text)
	if !ok {
		return nil, s.expected("an aggregate function (count, count_distinct, sum, avg, min, max, pct)")
	}
	if err := s.advance(); err != nil {
		return nil, err
	}
	functions, err := s.arguments(word.name)
	if err != nil {
		return nil, err
	}
	at := s.token
	if !s.word("as") {
		return functions, nil
	}
	if err := s.advance(); err != nil {
		return nil, err
	}
	if len(functions) > 1 {
		return nil, syntaxError(s.query, at.offset, "one name for %d percentiles: write a pct for each", len(functions))
	}
	functions[0].Name, err = s.newName()
	return functions, err
}

// arguments reads what stands in parentheses after an aggregate function.
func (s *stages) arguments(function string) ([]AggregateFunction, error) {
	f := AggregateFunction{Function: function}
	open, err := s.take("(")
	switch {
	case err != nil:
		return nil, err
	case !open && function != "count":
		return nil, s.expected("( and a field after " + function)
	case !open:
		f.Name = f.defaultName()
		return []AggregateFunction{f}, nil
	}
	star := false
	if function == "count" {
		if star, err = s.take("*"); err != nil {
			return nil, err
		}
	}
	if !star {
		if f.Of, err = s.column(); err != nil {
			return nil, err
		}
	}
	functions := []AggregateFunction{f}
	if function == "pct" {
		if functions, err = s.percents(f); err != nil {
			return nil, err
		}
	}
	for i := range functions {
		functions[i].Name = functions[i].defaultName()
	}
	return functions, s.expect(")", "a closing parenthesis")
}

// percents reads a comma and a percent, once or more.
func (s *stages) percents(f AggregateFunction) (functions []AggregateFunction, err error) {
	for {
		if err := s.expect(",", "a comma and a percent"); err != nil {
			return nil, err
		}
		percent, ok := toPercent(s.token.number)
		if s.token.kind != numberToken || !ok {
			return nil, s.expected("a percent from 0 to 100, with three decimals at most")
		}
		f.Percent = percent
		functions = append(functions, f)
		if err := s.advance(); err != nil {
			return nil, err
		}
		if !s.token.is(",") {
			return functions, nil
		}
	}
}

func (s *stages) timeslice() error {
	if s.scope.columns != nil {
		return syntaxError(s.query, s.token.offset, "timeslice on a table: put it before the stage that aggregates")
	}
	if _, err := s.takeWord("by"); err != nil {
		return err
	}
	stage := Timeslice{Name: "_timeslice"}
	count := s.token
	n, err := s.whole(maxCount)
	if err != nil {
		return err
	}
	unit := s.token
	width, ok := widthOf(unit.text)
	switch {
	case unit.kind == nameToken && ok && time.Duration(n) <= maxWidth/width:
		stage.Width = time.Duration(n) * width
	case unit.kind == nameToken && ok:
		return syntaxError(s.query, count.offset, "a slice of more than ten years")
	case s.word("buckets") && n <= maxBuckets:
		stage.Buckets = n
	case s.word("buckets"):
		return syntaxError(s.query, count.offset, "more than %d buckets", maxBuckets)
	default:
		return s.expected("s, m, h, d, w or buckets after the number")
	}
	if err := s.advance(); err != nil {
		return err
	}
	if as, err := s.takeWord("as"); err != nil {
		return err
	} else if as {
		if stage.Name, err = s.newName(); err != nil {
			return err
		}
	}
	s.add(stage)
	return nil
}
