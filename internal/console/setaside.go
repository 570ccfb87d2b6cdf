package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func setAsideRoutes() []route {
	return []route{
		{"GET /audit-logs/set-aside", platform, showSetAside},
		{"POST /audit-logs/set-aside/resend", platform, resendSetAside},
		{"POST /audit-logs/set-aside/discard", platform, discardSetAside},
	}
}

// setAsideView lists lines that the endpoint refused while it took others.
type setAsideView struct {
	setup
	Lines   []setAsideLine
	Older   string // address of the first page; empty: this is it
	Newer   string // address of the next page
	Reasons []setAsideReason
	Enabled bool // there is a webhook to send to again
}

// setAsideReason counts the lines of the page that were refused alike.
type setAsideReason struct {
	Words string
	Count int
}

// setAsideLine is what the API has.
type setAsideLine struct {
	ID      string          `json:"id"`
	At      time.Time       `json:"set_aside_at"`
	Code    int             `json:"response_code"`
	Message string          `json:"response_message"`
	Event   json.RawMessage `json:"event"`
}

// Answer is the endpoint's, in words.
func (l setAsideLine) Answer() string { return answerWords(l.Code, l.Message) }

func answerWords(code int, message string) string {
	if code == 0 {
		return message
	}
	number := strconv.Itoa(code)
	return strings.TrimSpace(number + " " + strings.TrimSpace(strings.TrimPrefix(message, number)))
}

// Indented is the event, to be read; empty if the list left it out.
func (l setAsideLine) Indented() string {
	var text bytes.Buffer
	if len(l.Event) == 0 || json.Indent(&text, l.Event, "", "  ") != nil {
		return string(l.Event)
	}
	return text.String()
}

// Summary is what the event is about, in a few words.
func (l setAsideLine) Summary() string {
	var e struct {
		Type, Resource, Action, Method, URI, Outcome string
	}
	if json.Unmarshal(l.Event, &e) != nil {
		return "an event"
	}
	var parts []string
	for _, part := range []string{e.Type, e.Action, e.Resource, e.Method, e.URI, e.Outcome} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return shorten(strings.Join(parts, " "))
}

// setAsidePage is how many lines a page shows.
const setAsidePage = "50"

func showSetAside(v *visit) error {
	s, err := v.setup("Lines set aside")
	if err != nil {
		return err
	}
	query := url.Values{"page[size]": {setAsidePage}}
	if after := v.query("after"); after != "" {
		query.Set("page[after]", after)
	}
	var page struct {
		Data []setAsideLine
		Meta struct{ Next string }
	}
	if err := v.get(v.ctx(), platformHalf, s.Scope.own("set-aside"), query, &page); err != nil {
		return err
	}
	view := setAsideView{setup: s, Lines: page.Data}
	if v.query("after") != "" {
		view.Older = s.Scope.at("/audit-logs/set-aside")
	}
	if _, next := cutQuery(page.Meta.Next); next.Get("page[after]") != "" {
		view.Newer = s.Scope.at("/audit-logs/set-aside", "after", next.Get("page[after]"))
	}
	view.count()
	w, err := v.webhook(s.Scope)
	if err != nil {
		return err
	}
	view.Enabled = w.Enabled
	return v.show("setaside", view)
}

func (s *setAsideView) count() {
	places := map[string]int{}
	for _, l := range s.Lines {
		words := l.Answer()
		if _, ok := places[words]; !ok {
			places[words] = len(s.Reasons)
			s.Reasons = append(s.Reasons, setAsideReason{Words: words})
		}
		s.Reasons[places[words]].Count++
	}
}

// resendSetAside sends a line again, or all where the form names none.
func resendSetAside(v *visit) error {
	s := v.scope()
	path := s.own("set-aside", "resend")
	if id := v.form("id"); id != "" {
		path = s.own("set-aside", id, "resend")
	}
	var r resent
	if err := v.send(v.ctx(), platformHalf, http.MethodPost, path, nil, &r); err != nil {
		return err
	}
	return v.redirect(s.at("/audit-logs/set-aside"), r.String())
}

// resent is what became of lines that were sent again.
type resent struct {
	Sent, Refused, Left int
	Code                int    `json:"last_response_code"`
	Message             string `json:"last_response_message"`
}

func (r resent) String() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, plural(n, "line", "lines")+" "+what)
		}
	}
	add(r.Sent, "taken by the endpoint")
	add(r.Refused, "refused again")
	add(r.Left, "not tried, or not answered")
	if len(parts) == 0 {
		return "There was nothing to send again."
	}
	text := strings.Join(parts, ", ") + "."
	if last := answerWords(r.Code, r.Message); last != "" && r.Refused+r.Left > 0 {
		text += " The last answer: " + finished(last)
	}
	if r.Left > 0 && r.Code >= 200 && r.Code <= 299 {
		text += " The time of one call was over: send the others again too."
	}
	return text
}

func discardSetAside(v *visit) error {
	s := v.scope()
	id := v.form("id")
	if err := v.send(v.ctx(), platformHalf, http.MethodDelete, s.own("set-aside", id), nil, nil); err != nil {
		return err
	}
	return v.redirect(s.at("/audit-logs/set-aside"), "The line is given up: the endpoint will not get it.")
}
