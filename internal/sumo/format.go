package sumo

import (
	"mime"
	"net/http"
	"strings"
)

// format is in what a search is answered, as the parameter format names it.
type format string

const (
	asLines   format = "ndjson"
	asCSV     format = "csv"
	asParquet format = "parquet"
)

// formatOf returns what the caller asks for: with the parameter, or without one
// with the first type of the header Accept.
func formatOf(r *http.Request) (format, error) {
	switch as := format(r.URL.Query().Get("format")); as {
	case asLines, asCSV, asParquet:
		return as, nil
	case "":
	default:
		return "", badRequest("format %q is neither ndjson nor csv nor parquet", as)
	}
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	switch kind, _, _ := mime.ParseMediaType(first); kind {
	case "text/csv":
		return asCSV, nil
	case parquetType:
		return asParquet, nil
	}
	return asLines, nil
}

// kind is what bounds a search that is answered so, and what it counts as.
func (f format) kind() searchKind {
	if f == asParquet {
		return exportSearch
	}
	return directSearch
}
