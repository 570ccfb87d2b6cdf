package console

import (
	"errors"
	"net/http"
	"strings"
)

var errNoPage = errors.New("there is no page at this address")

// Over is the mux, but that a browser which goes to an address without a route
// gets a page that says so. Programs get what the mux says.
func (c *Console) Over(mux *http.ServeMux) http.Handler {
	missing := c.open(route{needs: nothing, serve: func(*visit) error { return errNoPage }})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" && r.Method == http.MethodGet && forReading(r) {
			missing.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// forReading says that a browser means to show the answer.
func forReading(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return (mode == "" || mode == "navigate") && strings.Contains(r.Header.Get("Accept"), "text/html")
}
