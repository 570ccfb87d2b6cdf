package konnect

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/registry"
)

// Problem is how the API says no: application/problem+json (RFC 9457) with
// Konnect's additions.
type Problem struct {
	Status            int                `json:"status"`
	Title             string             `json:"title"`
	Type              string             `json:"type"`
	Instance          string             `json:"instance"` // kong:trace:<the trace id of the request's events>
	Detail            string             `json:"detail"`
	InvalidParameters []InvalidParameter `json:"invalid_parameters,omitempty"`

	// What clients of Kong's Admin API look for, in problems of core entities.
	Code    int            `json:"code,omitempty"`
	Name    string         `json:"name,omitempty"`
	Message string         `json:"message,omitempty"`
	Fields  map[string]any `json:"fields,omitempty"`
}

// InvalidParameter says what is wrong with one value of a request.
type InvalidParameter struct {
	Field   string   `json:"field"`
	Rule    string   `json:"rule"`
	Reason  string   `json:"reason"`
	Source  string   `json:"source"` // body, query or path
	Choices []string `json:"choices,omitempty"`
}

func (p *Problem) Error() string             { return p.Title + ": " + p.Detail }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (c *call) problem(status int, detail string) *Problem {
	p := &Problem{
		Status: status,
		Title:  http.StatusText(status),
		Type:   "https://httpstatuses.com/" + strconv.Itoa(status),
		Detail: detail,
	}
	if c != nil {
		p.Instance = "kong:trace:" + strconv.FormatUint(c.trail.TraceID(), 10)
	}
	return p
}

func (c *call) unrecorded() *Problem {
	return c.problem(http.StatusServiceUnavailable, "The audit journal cannot take events now, and nothing is done unrecorded. Try again later.")
}

func (c *call) invalid(parameters ...InvalidParameter) *Problem {
	p := c.problem(http.StatusBadRequest, "Invalid Parameters")
	p.InvalidParameters = parameters
	return p
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(p) // into an answer's buffer, which takes everything
}

// problemOf says what an error of the packages below means to the client.
func (a *API) problemOf(c *call, err error) *Problem {
	var (
		problem *Problem
		invalid *registry.InvalidError
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &invalid):
		return c.invalid(InvalidParameter{Field: invalid.Field, Rule: invalid.Rule, Reason: invalid.Reason, Source: "body"})
	case errors.Is(err, registry.ErrNotFound):
		return c.problem(http.StatusNotFound, "Not found")
	case errors.Is(err, registry.ErrNameTaken):
		return c.problem(http.StatusConflict, "Another object has this name already. Choose another name")
	case errors.Is(err, registry.ErrInUse):
		// A client looks for these words: Kong's kongctl waits for the webhook to let go.
		return c.problem(http.StatusConflict, "The destination is in use by a webhook. Point the webhook elsewhere or delete it first")
	case errors.Is(err, registry.ErrAssigned):
		return c.problem(http.StatusConflict, "The role is assigned already")
	case errors.Is(err, registry.ErrLastAdmin):
		return c.problem(http.StatusConflict, "The organization would be left without an admin. Make another user an admin first")
	case errors.Is(err, registry.ErrReplayRunning):
		return c.problem(http.StatusConflict, "A replay job is currently running")
	case errors.Is(err, registry.ErrConflict):
		return c.problem(http.StatusConflict, "Somebody else changed this at the same moment. Read it again and retry")
	case errors.Is(err, broker.ErrUnavailable):
		a.Logger.Error("storage is unavailable", "trace_id", c.trail.TraceID(), "error", err)
		return c.problem(http.StatusServiceUnavailable, "The store cannot be written now. Try again later")
	}
	a.Logger.Error("unexpected error", "trace_id", c.trail.TraceID(), "error", err)
	return c.problem(http.StatusInternalServerError, "Something went wrong on our side. The trace id finds it in the log")
}

// Huma has hooks for all errors that it finds itself (by the first it also
// knows their type), and one switch for names of properties in another case, and
// they are variables of its package: they are set here, before anything runs, and never again.
func init() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return decodeProblem(nil, status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		var c *call
		if ctx != nil {
			c = callOf(ctx.Context())
		}
		return decodeProblem(c, status, message, errs)
	}
}

// decodeProblem turns what huma found wrong with a request into a problem of
// Konnect's form, in which whatever is the client's mistake is a 400.
func decodeProblem(c *call, status int, message string, errs []error) *Problem {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return c.invalid(InvalidParameter{Field: "body", Rule: "max_length", Reason: fmt.Sprintf("the body must not be larger than %d bytes", maxBody), Source: "body"})
	case http.StatusUnsupportedMediaType:
		return c.invalid(InvalidParameter{Field: "Content-Type", Rule: "invalid", Reason: "the body must be sent as application/json", Source: "header"})
	case http.StatusInternalServerError: // huma's for one thing only: the client broke off
		return c.invalid(InvalidParameter{Field: "body", Rule: "invalid", Reason: "the body could not be read to its end", Source: "body"})
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestTimeout:
		var parameters []InvalidParameter
		for _, err := range errs {
			parameters = append(parameters, parameterOf(err))
		}
		if len(parameters) == 0 {
			parameters = append(parameters, InvalidParameter{Field: "body", Rule: "invalid", Reason: message, Source: "body"})
		}
		return c.invalid(parameters...)
	}
	return c.problem(status, message)
}

// rules are huma's messages, Konnect's name for the rule that each is about, and
// the reason in our words, in which % stands for what huma's message holds.
var rules = []struct{ message, rule, reason string }{
	{validation.MsgExpectedRequiredProperty, "required", "% is required"},
	{validation.MsgUnexpectedProperty, "unknown_property", "there is no such property"},
	{validation.MsgExpectedOneOf, "enum", "must be one of %"},
	{validation.MsgExpectedRFC4122UUID, "is_uuid", "must be a UUID"},
	{validation.MsgExpectedRFC3339DateTime, "is_date_time", "must be a time as in RFC 3339"},
	{"invalid date/time for format %s", "is_date_time", "must be a time as in RFC 3339"},
	{validation.MsgExpectedString, "is_string", "must be a string"},
	{validation.MsgExpectedBoolean, "is_boolean", "must be a boolean"},
	{validation.MsgExpectedInteger, "is_integer", "must be an integer"},
	{"invalid integer", "is_integer", "must be an integer"},
	{validation.MsgExpectedNumber, "is_number", "must be a number"},
	{validation.MsgExpectedArray, "is_array", "must be an array"},
	{validation.MsgExpectedObject, "is_object", "must be an object"},
	{validation.MsgExpectedMinLength, "min_length", "must not be shorter than % character(s)"},
	{validation.MsgExpectedMaxLength, "max_length", "must not be longer than % character(s)"},
	{validation.MsgExpectedMinItems, "min_items", "must have at least % item(s)"},
	{validation.MsgExpectedMaxItems, "max_items", "must not have more than % item(s)"},
	{validation.MsgExpectedMaxProperties, "max_items", "must not have more than % properties"},
	{validation.MsgExpectedMinimumNumber, "min", "must be at least %"},
	{validation.MsgExpectedMaximumNumber, "max", "must be at most %"},
	{validation.MsgExpectedMatchPattern, "matches_regex", "must match the pattern %"},
}

// parameterOf turns one finding of huma into Konnect's form. The value that was
// sent is left out: it may be a secret.
func parameterOf(err error) InvalidParameter {
	var (
		bad    *badParameter
		detail *huma.ErrorDetail
	)
	switch {
	case errors.As(err, &bad):
		return InvalidParameter(*bad)
	case !errors.As(err, &detail):
		return InvalidParameter{Field: "body", Rule: "invalid", Reason: err.Error(), Source: "body"}
	}
	source, field, _ := strings.Cut(detail.Location, ".")
	p := InvalidParameter{Field: field, Rule: "invalid", Reason: detail.Message, Source: source}
	for _, r := range rules {
		argument, ok := argumentOf(r.message, detail.Message)
		if !ok {
			continue
		}
		p.Rule, p.Reason = r.rule, strings.Replace(r.reason, "%", argument, 1)
		switch r.rule {
		case "required":
			p.Field = strings.TrimPrefix(field+"."+argument, ".")
		case "enum":
			p.Choices = strings.Split(argument, ", ")
		}
		break
	}
	if p.Field == "" {
		p.Field = source
	}
	return p
}

var placeholder = regexp.MustCompile(`%[a-z]`)

// argumentOf reports whether a message was made of the format, which has one
// placeholder at most, and what was put into it.
func argumentOf(format, message string) (argument string, ok bool) {
	at := placeholder.FindStringIndex(format)
	if at == nil {
		return "", message == format
	}
	rest, begins := strings.CutPrefix(message, format[:at[0]])
	argument, ends := strings.CutSuffix(rest, format[at[1]:])
	return argument, begins && ends
}
