// Package console is the SIEM's web page: a query box and its results.
//
// It is a client of the public search API, which it calls in process with the
// browser's own credentials: it can show nothing that these could not fetch.
// The page is rendered here, without scripts, and everything on it that comes
// from a log line is text: a strict Content-Security-Policy stands behind
// html/template's escaping.
package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
)

//go:embed page.html
var pageText string

//go:embed static
var staticFiles embed.FS

// limit is how many records the page shows.
const limit = 100

// Console serves the pages.
type Console struct {
	api    http.Handler
	page   *template.Template
	static http.Handler
	logger *slog.Logger
}

// New makes a Console on the handler that serves GET /trailhook/v1/search. It
// may be the very mux that the console's own routes are registered on.
func New(api http.Handler, logger *slog.Logger) (*Console, error) {
	page, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return &Console{
		api:    api,
		page:   page,
		static: http.StripPrefix("/static/", http.FileServerFS(static)),
		logger: logger,
	}, nil
}

// Routes registers the page at / and what it loads under /static/.
func (c *Console) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", c.servePage)
	mux.HandleFunc("GET /static/{file}", c.serveStatic)
}

func (c *Console) serveStatic(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header())
	w.Header().Set("Cache-Control", "no-cache")
	c.static.ServeHTTP(w, r)
}

// view is what the page shows.
type view struct {
	Query   string
	Ranges  []timeRange
	Rows    []row
	Cut     string // why the rows are not all there are; empty if they are
	Problem string // why there are no rows: a message, of the query or of the server
	SignIn  bool   // the browser has given no valid key
	Any     bool   // the query asks for everything
}

func (c *Console) servePage(w http.ResponseWriter, r *http.Request) {
	from := chosenRange(r.URL.Query().Get("from"))
	v := view{Query: r.URL.Query().Get("query"), Ranges: ranges(from)}
	v.Any = v.Query == "" || v.Query == "*"
	answer, err := c.search(r, v.Query, from)
	status := answer.status
	switch {
	case err != nil:
		c.logger.Error("console: the search API gave an unreadable answer", "error", err)
		status, v.Problem = http.StatusBadGateway, "The search gave an answer that cannot be read: see the server's log."
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="Trailhook", charset="UTF-8"`)
		v.SignIn = true
	default:
		v.Rows, v.Cut, v.Problem = answer.rows, answer.cut, answer.problem
	}
	c.render(w, status, v)
}

func (c *Console) render(w http.ResponseWriter, status int, v view) {
	var page bytes.Buffer
	if err := c.page.Execute(&page, v); err != nil {
		c.logger.Error("console: the page cannot be rendered", "error", err)
		http.Error(w, "the page cannot be rendered: see the server's log", http.StatusInternalServerError)
		return
	}
	setSecurityHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(page.Bytes()) // an error is the browser's going away
}

func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // queries are in the address
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// timeRange is one choice of how far back to search.
type timeRange struct {
	From, Label string
	Selected    bool
}

func ranges(chosen string) []timeRange {
	list := []timeRange{
		{From: "-15m", Label: "Last 15 minutes"},
		{From: "-1h", Label: "Last hour"},
		{From: "-24h", Label: "Last 24 hours"},
		{From: "-7d", Label: "Last 7 days"},
		{From: "-30d", Label: "Last 30 days"},
		{From: "0", Label: "All time"},
	}
	for i := range list {
		list[i].Selected = list[i].From == chosen
	}
	return list
}

func chosenRange(from string) string {
	for _, r := range ranges(from) {
		if r.Selected {
			return from
		}
	}
	return "-24h"
}

// search asks the search API, as the one who asked for the page.
func (c *Console) search(r *http.Request, query, from string) (answer, error) {
	parameters := url.Values{"query": {query}, "from": {from}, "limit": {fmt.Sprint(limit)}}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "/trailhook/v1/search?"+parameters.Encode(), nil)
	if err != nil {
		return answer{}, err
	}
	if authorization := r.Header.Values("Authorization"); len(authorization) > 0 {
		request.Header["Authorization"] = authorization
	}
	request.Host, request.RemoteAddr = r.Host, r.RemoteAddr
	response := &capture{header: http.Header{}, status: http.StatusOK}
	c.api.ServeHTTP(response, request)
	return readAnswer(response)
}

// maxAnswer bounds what one page holds in memory, in bytes.
const maxAnswer = 8 << 20

// capture is a ResponseWriter that keeps the answer, up to maxAnswer.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
	full   bool
}

func (c *capture) Header() http.Header    { return c.header }
func (c *capture) WriteHeader(status int) { c.status = status }

var errFull = errors.New("the page holds no more")

func (c *capture) Write(data []byte) (int, error) {
	if c.full || c.body.Len()+len(data) > maxAnswer {
		c.full = true
		return 0, errFull
	}
	return c.body.Write(data)
}
