package konnect

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// StrictQuery refuses what the query of a list has and what cannot be meant: a
// filter or a page parameter that there is not, one that is given twice, one
// without a value. Whoever asks for a part of a list must not get all of it for a
// slip of the pen. What has neither family's name is nobody's, and ignored.
//
// It is embedded in the input of a list, by an exported name, which is all that
// huma looks into.
type StrictQuery struct{}

// Resolve implements [huma.Resolver].
func (StrictQuery) Resolve(ctx huma.Context) (errs []error) {
	address := ctx.URL()
	query, err := url.ParseQuery(address.RawQuery)
	if err != nil {
		return []error{&badParameter{Field: "query", Rule: "invalid", Reason: "the query is not well-formed", Source: "query"}}
	}
	known := map[string]bool{}
	for _, parameter := range ctx.Operation().Parameters {
		known[parameter.Name] = parameter.In == "query"
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if bad := badQuery(name, query[name], known[name]); bad != nil {
			errs = append(errs, bad)
		}
	}
	return errs
}

func badQuery(name string, values []string, known bool) error {
	family, _, _ := strings.Cut(name, "[")
	if !known && family != "filter" && family != "page" {
		return nil
	}
	bad := &badParameter{Field: name, Source: "query"}
	switch {
	case !known:
		bad.Rule, bad.Reason = "unknown_property", "there is no such parameter"
	case len(values) > 1:
		bad.Rule, bad.Reason = "invalid", "must not be given more than once"
	case values[0] == "" && family == "filter":
		bad.Rule, bad.Reason = "required", "must not be empty"
	default:
		return nil
	}
	return bad
}

// badParameter is an error that knows what it is in the words of the API.
type badParameter InvalidParameter

func (b *badParameter) Error() string { return b.Field + ": " + b.Reason }

// filter says of one text whether it is wanted. A condition that is empty holds
// for all; texts are compared as they are, upper and lower case apart.
type filter struct {
	eq, neq, contains string
	oeq               string // any of these, separated by commas
}

func (f filter) wants(text string) bool {
	return (f.eq == "" || text == f.eq) &&
		(f.neq == "" || text != f.neq) &&
		(f.contains == "" || strings.Contains(text, f.contains)) &&
		(f.oeq == "" || slices.Contains(strings.Split(f.oeq, ","), text))
}
