package search

import (
	"encoding/json"
	"fmt"
	"strings"
)

// step returns what a stage does with one row: it changes the row, and says
// whether the row is kept.
func (e *evaluator) step(stage, previous Stage) (func(*row) bool, error) {
	switch stage := stage.(type) {
	case Where:
		condition, err := e.compile(stage.Condition)
		return func(r *row) bool { return condition(r).holds() }, err
	case Assign:
		value, err := e.compile(stage.Expression)
		return func(r *row) bool { r.set(stage.Name, value(r)); return true }, err
	case Timeslice:
		return e.slice(stage)
	case Fields:
		names := map[string]bool{}
		for _, c := range stage.Columns {
			names[c.Name] = true
		}
		return func(r *row) bool { r.keep(names, stage.Except); return true }, nil
	}
	extract, err := extraction(stage)
	if err != nil {
		return nil, err
	}
	return extract.step(fitsOr(previous)), nil
}

func (e *evaluator) slice(stage Timeslice) (func(*row) bool, error) {
	sized, err := stage.Range(e.setting.From, e.setting.To)
	if err != nil {
		return nil, err
	}
	return func(r *row) bool {
		at := r.record.Time
		if e.setting.ByReceiptTime {
			at = r.record.Receipt
		}
		r.set(stage.Name, NumberValue(float64(sized.Start(at, e.setting.Zone))))
		return true
	}, nil
}

// extractor is a stage that sets fields from a text.
type extractor struct {
	from   Column
	names  []string
	noDrop bool

	// find returns a value for each name, null for what it did not find, and
	// whether the text fits.
	find func(text string) (values []Value, fits bool)
}

func extraction(stage Stage) (extractor, error) {
	switch stage := stage.(type) {
	case ParseAnchor:
		return extractor{stage.From, stage.Names, stage.NoDrop, stage.find}, nil
	case ParseRegexp:
		expression, err := stage.Regexp.compile()
		find := func(text string) ([]Value, bool) {
			found := expression.FindStringSubmatch(text)
			if found == nil {
				return nil, false
			}
			return texts(found[1:]), true
		}
		return extractor{stage.From, stage.Regexp.Names(), stage.NoDrop, find}, err
	case ParseJSON:
		return extractor{stage.From, stage.Names, stage.NoDrop, stage.find}, nil
	}
	return extractor{}, fmt.Errorf("evaluate the query: no meaning for %T", stage)
}

// fitsOr says whether a stage is one after which another need not fit.
func fitsOr(previous Stage) bool {
	if previous == nil {
		return false
	}
	x, err := extraction(previous)
	return err == nil && x.noDrop
}

func (x extractor) step(goesOn bool) func(*row) bool {
	return func(r *row) bool {
		if !goesOn {
			r.fitted = false
		}
		values, fits := []Value(nil), false
		if text := r.value(x.from.Name); !text.null() {
			values, fits = x.find(text.String())
		}
		for i, name := range x.names {
			switch {
			case values != nil && !values[i].null():
				r.set(name, values[i])
			case r.value(name).Kind() == KindNumber:
				r.set(name, r.value(name).asText()) // from here on the name is a text's
			}
		}
		r.fitted = r.fitted || fits
		return r.fitted || x.noDrop
	}
}

func (s ParseAnchor) find(text string) ([]Value, bool) {
	_, rest, ok := strings.Cut(text, s.Anchor[0])
	if !ok {
		return nil, false
	}
	var found []string
	for i, piece := range s.Anchor[1:] {
		between, after, ok := strings.Cut(rest, piece)
		switch {
		case piece == "" && i == len(s.Anchor)-2:
			between = rest
		case !ok:
			return nil, false
		}
		found = append(found, between)
		rest = after
	}
	return texts(found), true
}

func (s ParseJSON) find(text string) ([]Value, bool) {
	if document := strings.TrimSpace(text); document == "" || !json.Valid([]byte(document)) {
		return nil, false
	}
	values, fits := make([]Value, len(s.Paths)), true
	for i, path := range s.Paths {
		var ok bool
		values[i], ok = path.find([]byte(strings.TrimSpace(text)))
		fits = fits && ok
	}
	return values, fits
}

func texts(found []string) []Value {
	values := make([]Value, len(found))
	for i, s := range found {
		values[i] = TextValue(s)
	}
	return values
}
