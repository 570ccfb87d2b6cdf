package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// apiError is how an API refused a call, whichever half's it is.
type apiError struct {
	half    half
	call    string // method and path
	Status  int
	Code    string // the SIEM's short name of the error; empty from the platform
	Message string // what is wrong, in the API's words
	ID      string // by which the server's log or the audit trail tells more
	Fields  []fieldError

	// Line and Column are the place in a query that is at fault, from 1, the column
	// in characters; 0 if it is nowhere.
	Line, Column int
}

func (e *apiError) Error() string { return fmt.Sprintf("%s: %d: %s", e.call, e.Status, e.Message) }

// fieldError is what is wrong with one value.
type fieldError struct{ Field, Reason string }

// fieldErrors returns what an error says of single fields, by name, so that a
// form can show it beside them; nil if the error is of another kind.
func fieldErrors(err error) map[string]string {
	refused, ok := errors.AsType[*apiError](err)
	if !ok || len(refused.Fields) == 0 {
		return nil
	}
	byName := map[string]string{}
	for _, f := range refused.Fields {
		if _, twice := byName[f.Field]; !twice {
			byName[f.Field] = f.Reason
		}
	}
	return byName
}

func newAPIError(c call, a answer) *apiError {
	e := &apiError{half: c.half, call: strings.TrimSpace(c.method + " " + c.path), Status: a.status}
	var body struct {
		ID, Code, Message string // the SIEM's
		Line, Column      int
		Detail, Instance  string                           // the platform's
		Parameters        []struct{ Field, Reason string } `json:"invalid_parameters"`
	}
	if json.Unmarshal(a.body, &body) != nil || body.Message == "" && body.Detail == "" {
		e.Message = "the API answered with status " + fmt.Sprint(a.status) + " and nothing that can be read"
		return e
	}
	e.Code, e.Message, e.ID, e.Line, e.Column = body.Code, body.Message, body.ID, body.Line, body.Column
	if body.Detail != "" {
		e.Message, e.ID = body.Detail, strings.TrimPrefix(body.Instance, "kong:trace:")
	}
	for _, p := range body.Parameters {
		e.Fields = append(e.Fields, fieldError(p))
	}
	return e
}

// problem is an error as a page shows it: what happened, and what to try.
type problem struct {
	Status int
	Title  string
	What   string
	Try    string
	ID     string
	Fields []fieldError
}

// problemOf puts an error into words. What is no refusal of an API's is for the
// log, not for the page.
func (v *visit) problemOf(err error) *problem {
	refused, ok := errors.AsType[*apiError](err)
	switch {
	case ok:
		return refused.problem()
	case errors.Is(err, errForged):
		return &problem{http.StatusForbidden, "This form was not accepted", sentence(errForged.Error()),
			"Go back, reload the page, and send the form again.", "", nil}
	case errors.Is(err, errForm):
		return &problem{http.StatusRequestEntityTooLarge, "This form was not accepted", sentence(errForm.Error()), "Go back and shorten what you sent.", "", nil}
	case errors.Is(err, errSignedOut):
		return &problem{http.StatusUnauthorized, "Signed out", sentence(errSignedOut.Error()), "Reload the page to sign in again.", "", nil}
	case errors.Is(err, errNoPage):
		return &problem{http.StatusNotFound, "There is no such page", sentence(errNoPage.Error()), "Check the address, or go on by the links of this page.", "", nil}
	case errors.Is(err, context.Canceled):
		return &problem{http.StatusServiceUnavailable, "Cancelled", "The request was cancelled.", "Reload the page to try again.", "", nil}
	}
	v.console.logger.Error("console: a page failed", "method", v.r.Method, "path", v.r.URL.Path, "error", err)
	return &problem{http.StatusInternalServerError, "This page failed", "Something went wrong on the server.",
		"Reload the page. If it fails again, the server's log says why.", "", nil}
}

func (e *apiError) problem() *problem {
	p := &problem{Status: e.Status, Title: "The server refused this", What: sentence(e.Message), ID: e.ID, Fields: e.Fields}
	switch e.Status {
	case http.StatusUnauthorized:
		p.Title = "Your " + e.half.Credential() + " is not valid any more"
		p.Try = "It may have been disabled, or has expired: sign in with another one."
	case http.StatusForbidden:
		p.Title = "You may not do this"
		p.Try = "Ask who administers this server for a role that allows it, or sign in with another " + e.half.Credential() + "."
	case http.StatusNotFound:
		p.Title = "There is no such thing"
		p.Try = "It may have been deleted meanwhile: go back to the list."
	case http.StatusConflict, http.StatusPreconditionFailed:
		p.Title = "This does not go together with what is there"
		p.Try = "Reload the page to see what is there now, and try again."
	case http.StatusTooManyRequests:
		p.Title = "Too much at a time"
		p.Try = "Wait a moment and try again."
	case http.StatusBadRequest:
		p.Title = "Something in this is not right"
	default:
		if e.Status >= http.StatusInternalServerError {
			p.Title = "The server cannot do this now"
			p.Try = "Try again in a moment. If it stays so, the server's log says why."
		}
	}
	return p
}

// sentence begins a message with a capital and ends it with a full stop.
func sentence(message string) string {
	if message == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(message)
	message = string(unicode.ToUpper(first)) + message[size:]
	if strings.HasSuffix(message, ".") || strings.HasSuffix(message, "!") || strings.HasSuffix(message, "?") {
		return message
	}
	return message + "."
}

// fail answers with an error: as a page, or for a script as a part of one.
func (v *visit) fail(err error) {
	refused, ok := errors.AsType[*apiError](err)
	if ok && refused.Status == http.StatusUnauthorized && v.session != nil && !v.scripted() && v.r.Method == http.MethodGet {
		v.console.sessions.note(v.session, refused.problem().Title+". "+refused.problem().Try)
		v.redirect("/signin?return="+escapeQuery(localPath(v.r.URL.RequestURI())), "")
		return
	}
	p := v.problemOf(err)
	if v.scripted() {
		v.render("problem", "problem", p.Status, p)
		return
	}
	v.showStatus("problem", p.Status, p)
}
