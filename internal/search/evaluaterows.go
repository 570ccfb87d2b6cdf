package search

import (
	"cmp"
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
		var all []*row
		for r, err := range in {
			if err == nil {
				err = e.holdRow(r)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			all = append(all, r)
		}
		slices.SortStableFunc(all, stage.compare)
		each(all, yield)
	}
}

func (s Sort) compare(a, b *row) int {
	for _, k := range s.Keys {
		order := orderValues(a.value(k.Column.Name), b.value(k.Column.Name))
		if !k.Ascending {
			order = -order
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

func each(all []*row, yield func(*row, error) bool) {
	for _, r := range all {
		if !yield(r, nil) {
			return
		}
	}
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
	functions []accumulator
}

func (e *evaluator) aggregated(stage Aggregate, in rows) rows {
	return func(yield func(*row, error) bool) {
		groups, err := e.groups(stage, in)
		if err != nil {
			yield(nil, err)
			return
		}
		slices.SortFunc(groups, func(a, b *group) int { return slices.CompareFunc(a.by, b.by, orderValues) })
		for _, g := range groups {
			if !yield(g.row(stage), nil) {
				return
			}
		}
	}
}

func (e *evaluator) groups(stage Aggregate, in rows) ([]*group, error) {
	byKey := map[string]*group{}
	var groups []*group
	find := func(by []Value) (*group, error) {
		k := key(by)
		if g := byKey[k]; g != nil {
			return g, nil
		}
		g, err := stage.group(by)
		byKey[k] = g
		groups = append(groups, g)
		return g, cmp.Or(err, e.hold(2*len(k)+rowOverhead*(2+len(stage.Functions))))
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

func (s Aggregate) group(by []Value) (*group, error) {
	g := &group{by: by}
	for _, f := range s.Functions {
		a, err := f.accumulator()
		if err != nil {
			return nil, err
		}
		g.functions = append(g.functions, a)
	}
	return g, nil
}

// add gives the row to every function, and returns how many bytes more they hold.
func (g *group) add(stage Aggregate, r *row) (held int) {
	for i, f := range stage.Functions {
		v := truth(true) // stands for the row itself
		if f.Of.Name != "" {
			v = r.value(f.Of.Name)
		}
		held += g.functions[i].add(v)
	}
	return held
}

func (g *group) row(stage Aggregate) *row {
	r := &row{fields: map[string]Value{}}
	for i, c := range stage.By {
		r.fields[c.Name] = g.by[i]
	}
	for i, f := range stage.Functions {
		r.fields[f.Name] = g.functions[i].result()
	}
	return r
}
