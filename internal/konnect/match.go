package konnect

import (
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
)

// matches reports whether a text passes the two filters of a text in Konnect's
// lists: the same, or found within in any case. An empty filter is none.
func matches(text, same, within string) bool {
	return (same == "" || text == same) &&
		(within == "" || strings.Contains(strings.ToLower(text), strings.ToLower(within)))
}

// says reports whether a truth passes a filter of true or false; "" is none.
func says(truth bool, filter string) bool {
	return filter == "" || truth == (filter == "true")
}

// knownFilters finds the filters of a query that the list does not have: one
// that was misspelt would show too much. Others than filters are let be.
func knownFilters(ctx huma.Context, known ...string) (errs []error) {
	u := ctx.URL()
	for name := range u.Query() {
		if strings.HasPrefix(name, "filter") && !slices.Contains(known, name) {
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: validation.MsgUnexpectedProperty})
		}
	}
	return errs
}
