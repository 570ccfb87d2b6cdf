package search

import (
	"slices"
)

// limited stops asking for rows once it has enough.
func limited(count int, in rows) rows {
	return func(yield func(*row, error) bool) {
		left := count
		for r, err := range in {
			left--
			if !yield(r, err) || left == 0 {
				return
			}
		}
	}
}

func (e *evaluator) sorted(stage Sort, in rows) rows {
	return func(yield func(*row, error) bool) {
		columns := make([]Column, len(stage.Keys))
		for i, k := range stage.Keys {
			columns[i] = k.Column
		}
		var all []sortable
		for r, err := range in {
			if err == nil {
				err = e.holdRow(r)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			all = append(all, sortable{r, placesOf(r.values(columns))})
		}
		slices.SortStableFunc(all, stage.compare)
		for _, s := range all {
			if !yield(s.row, nil) {
				return
			}
		}
	}
}

// sortable is a row with the places of what it is sorted by.
type sortable struct {
	row    *row
	places []place
}

func (s Sort) compare(a, b sortable) int {
	for i, k := range s.Keys {
		order := a.places[i].compare(b.places[i])
		if !k.Ascending {
			order = -order
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

func (e *evaluator) deduplicated(stage Dedup, in rows) rows {
	return func(yield func(*row, error) bool) {
		seen := map[string]int{}
		for r, err := range in {
			if err == nil {
				k := key(r.values(stage.By))
				if seen[k]++; seen[k] > stage.Count {
					continue
				}
				err = e.hold(len(k) + rowOverhead)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

type group struct {
	by        []Value
	places    []place // of by
	functions []accumulator
}

func (e *evaluator) aggregated(stage Aggregate, in rows) rows {
	return e.ordered(stage, func() ([]*group, error) { return e.groups(stage, in) })
}

// ordered is the table of the groups that collect finds.
func (e *evaluator) ordered(stage Aggregate, collect func() ([]*group, error)) rows {
	return func(yield func(*row, error) bool) {
		groups, err := collect()
		if err != nil {
			yield(nil, err)
			return
		}
		slices.SortFunc(groups, func(a, b *group) int { return slices.CompareFunc(a.places, b.places, place.compare) })
		for _, g := range groups {
			if !yield(g.row(stage), nil) {
				return
			}
		}
	}
}

func (e *evaluator) groups(stage Aggregate, in rows) ([]*group, error) {
	newGroup, err := stage.newGroup()
	if err != nil {
		return nil, err
	}
	byKey := map[string]*group{}
	var groups []*group
	find := func(by []Value) (*group, error) {
		k := key(by)
		if g := byKey[k]; g != nil {
			return g, nil
		}
		g := newGroup(by)
		byKey[k] = g
		groups = append(groups, g)
		return g, e.hold(2*len(k) + rowOverhead*(2+len(stage.Functions)))
	}
	if len(stage.By) == 0 {
		if _, err := find(nil); err != nil {
			return nil, err
		}
	}
	for r, err := range in {
		if err != nil {
			return nil, err
		}
		g, err := find(r.values(stage.By))
		if err != nil {
			return nil, err
		}
		if err := e.hold(g.add(stage, r)); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// newGroup returns what makes groups, each of some values.
func (s Aggregate) newGroup() (func(by []Value) *group, error) {
	makers := make([]func() accumulator, len(s.Functions))
	for i, f := range s.Functions {
		var err error
		if makers[i], err = f.accumulator(); err != nil {
			return nil, err
		}
	}
	return func(by []Value) *group {
		g := &group{by: by, places: placesOf(by), functions: make([]accumulator, len(makers))}
		for i, make := range makers {
			g.functions[i] = make()
		}
		return g
	}, nil
}

// add gives the row to every function, and returns how many bytes more they hold.
func (g *group) add(stage Aggregate, r *row) (held int) {
	for i, f := range stage.Functions {
		v := truth(true) // stands for the row itself
		if f.Of.Name != "" {
			v = r.value(f.Of.Name)
		}
		held += g.functions[i].add(v, r.weight)
	}
	return held
}

func (g *group) row(stage Aggregate) *row {
	r := &row{fields: map[string]Value{}, weight: 1}
	for i, c := range stage.By {
		r.fields[c.Name] = g.by[i]
	}
	for i, f := range stage.Functions {
		r.fields[f.Name] = g.functions[i].result()
	}
	return r
}
