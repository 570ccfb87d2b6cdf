package konnect

import (
	"bytes"
	"net/http"
)

// answer holds a response back until what it tells of is recorded.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer {
	return &answer{header: http.Header{}, status: http.StatusOK}
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// reset forgets the response but for its request id.
func (a *answer) reset() {
	id := a.header.Get("X-Request-Id")
	a.header = http.Header{"X-Request-Id": {id}}
	a.status = http.StatusOK
	a.body.Reset()
}

func (a *answer) writeTo(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.WriteHeader(a.status)
	// A client that is gone is told nothing; what it asked for is recorded.
	_, _ = w.Write(a.body.Bytes())
}
