package search

// Match says whether a query matches a record. It is the meaning of the
// language: stores are tested to answer as it does, and what has not been
// stored yet is filtered by it.
func Match(e Expr, r *Record) bool {
	return match(e, r, Fold(r.Raw))
}

func match(e Expr, r *Record, foldedRaw string) bool {
	switch e := e.(type) {
	case And:
		for _, t := range e.Terms {
			if !match(t, r, foldedRaw) {
				return false
			}
		}
		return true
	case Or:
		for _, t := range e.Terms {
			if match(t, r, foldedRaw) {
				return true
			}
		}
		return false
	case Not:
		return !match(e.Term, r, foldedRaw)
	case Keyword:
		return len(e.Pattern) > 0 && e.Pattern.matchWithin(foldedRaw)
	case Compare:
		value, ok := r.value(e.Field)
		return ok && e.Value.matchWhole(Fold(value))
	case Order:
		return e.matches(r)
	}
	return true // All, and nil
}
