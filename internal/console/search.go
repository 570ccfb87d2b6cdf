package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/trailhook/trailhook/internal/search"
)

func searchRoutes() []route {
	return []route{
		{"GET /{$}", siem, showSearch},
		{"GET /search/results", siem, showResults},
		{"GET /search/histogram", siem, showHistogram},
		{"GET /search/words", siem, showWords},
	}
}

// searchView is the search page.
type searchView struct {
	Asked   asked
	Choices []choice
	Custom  bool // the time is none of the choices
	From    string
	To      string // absolute times, for the form's fields
	Error   *languageError
	Alerts  bool // there is a page to save a search on
	// Results and Histogram are there when they came soon enough, or nobody can
	// fetch them later.
	Results   *resultsView
	Histogram *histogram
}

// resultsView is what was found, with the address of it all.
type resultsView struct {
	Asked asked
	found
	Any bool // the query asks for everything
}

// soon is how long a page waits for its parts, if scripts can fetch them later.
// Most searches are done by then, and the page is whole at once.
const soon = 300 * time.Millisecond

func showSearch(v *visit) error {
	if v.query("add") != "" || v.query("exclude") != "" || v.query("since") != "" || v.query("until") != "" || v.query("from") == "custom" {
		return v.redirect(v.chosen().at("/"), "")
	}
	a := v.asked()
	view := searchView{Asked: a, From: a.entered(a.From), To: a.entered(a.To), Alerts: routed("/alerts/new")}
	var among bool
	view.Choices, among = a.choices()
	view.Custom = !among
	ctx, cancel := v.patience()
	defer cancel()
	histograms := make(chan *histogram, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil { // of this goroutine nobody else does
				v.console.logger.Error("console: a histogram failed", "panic", p)
				histograms <- nil
			}
		}()
		histograms <- v.histogram(ctx, a)
	}()
	results, err := v.search(ctx, a)
	view.Histogram = <-histograms
	refused, ok := errors.AsType[*apiError](err)
	switch {
	case err == nil:
		view.Results = &resultsView{Asked: a, found: results, Any: isAny(a.Query)}
	case ctx.Err() != nil && v.ctx().Err() == nil: // the scripts fetch it
	case ok && refused.Line > 0:
		view.Error = newLanguageError(a.Query, refused)
	case ok && refused.Status == http.StatusUnauthorized:
		return err
	default:
		view.Results = &resultsView{Asked: a, found: found{Problem: v.problemOf(err)}}
	}
	return v.show("search", view)
}

// patience is how long a page waits for a search: as long as it takes, if the
// browser runs no scripts.
func (v *visit) patience() (context.Context, context.CancelFunc) {
	if cookie, err := v.r.Cookie(scriptsCookie); err != nil || cookie.Value != "1" {
		return context.WithCancel(v.ctx())
	}
	return context.WithTimeout(v.ctx(), soon)
}

// chosen is what is asked for once what was clicked, or entered as times, is in it.
func (v *visit) chosen() asked {
	a := v.asked().first()
	if term := v.query("add"); term != "" {
		a.Query = refined(a.Query, term)
	}
	if term := v.query("exclude"); term != "" {
		a.Query = refined(a.Query, term)
	}
	since, until := strings.TrimSpace(v.query("since")), strings.TrimSpace(v.query("until"))
	if v.query("from") == "custom" {
		a.From, a.To = since, until
		if since == "" {
			a.From = defaultFrom
		}
	}
	return a
}

func isAny(query string) bool { return strings.Trim(query, " *") == "" }

// showResults is the part of the page that a script fetches.
func showResults(v *visit) error {
	a := v.asked()
	results, err := v.search(v.ctx(), a)
	if err != nil {
		if v.ctx().Err() != nil {
			return nil // whoever asked is gone
		}
		results = found{Problem: v.problemOf(err)}
	}
	return v.fragment("search", "results", resultsView{Asked: a, found: results, Any: isAny(a.Query)})
}

func showHistogram(v *visit) error {
	return v.fragment("search", "histogram", v.histogram(v.ctx(), v.asked()))
}

// showWords gives scripts the words of the language, to complete what is written.
func showWords(v *visit) error {
	v.w.Header().Set("Cache-Control", "private, max-age=3600")
	return v.json(search.Words())
}

// languageError is what is wrong with a query, at its place.
type languageError struct {
	Message string
	Line    int
	Column  int
	Before  string // of the line at fault, up to the place
	At      string // the word there, or a space
	After   string
}

func newLanguageError(query string, refused *apiError) *languageError {
	e := &languageError{Line: refused.Line, Column: refused.Column, At: " "}
	_, message, found := strings.Cut(refused.Message, ": ")
	if !found {
		message = refused.Message
	}
	e.Message = sentence(message)
	lines := strings.Split(query, "\n")
	if e.Line > len(lines) {
		return e
	}
	line := []rune(strings.TrimRight(lines[e.Line-1], "\r"))
	at := min(max(e.Column-1, 0), len(line))
	e.Before = string(line[:at])
	end := at // of the word there
	for end < len(line) && (end == at || line[end] == '_' || unicode.IsLetter(line[end]) || unicode.IsDigit(line[end])) {
		end++
	}
	if at < len(line) {
		e.At, e.After = string(line[at:end]), string(line[end:])
	}
	return e
}
