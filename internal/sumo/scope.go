package sumo

import (
	"context"
	"iter"
	"slices"

	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/search"
)

// scoped is a store in which a search that names no source sees what was sent
// to the sources: neither the audit events of this half, which tell of the very
// searches, nor what is in quarantine. Both are found by _source.
type scoped struct{ search.Store }

// Scoped returns the store as searches see it that name no source: without the
// audit events of this half and without what is in quarantine.
func Scoped(store search.Store) search.Store { return scoped{store} }

// Search implements [search.Store].
func (s scoped) Search(ctx context.Context, r search.Request) iter.Seq2[search.Record, error] {
	r.Query = inScope(r.Query)
	return s.Store.Search(ctx, r)
}

// Groups implements [search.Store].
func (s scoped) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	g.Query = inScope(g.Query)
	return s.Store.Groups(ctx, g)
}

func inScope(filter search.Expr) search.Expr {
	if namesSource(filter) {
		return filter
	}
	return search.And{Terms: append([]search.Expr{filter}, outOfScope()...)}
}

func outOfScope() []search.Expr {
	return []search.Expr{
		search.Not{Term: search.Compare{Field: "_source", Value: search.Literal(collector.OwnSource)}},
		search.Not{Term: search.Compare{Field: "_source", Value: search.Pattern{"", collector.QuarantineSuffix}}},
	}
}

func namesSource(e search.Expr) bool {
	switch e := e.(type) {
	case search.And:
		return slices.ContainsFunc(e.Terms, namesSource)
	case search.Or:
		return slices.ContainsFunc(e.Terms, namesSource)
	case search.Not:
		return namesSource(e.Term)
	case search.Compare:
		name, _ := search.Metadata(e.Field)
		return name == "_source"
	}
	return false
}
