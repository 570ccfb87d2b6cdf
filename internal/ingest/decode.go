package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/konnect"
)

const (
	// maxAhead is how far in the future an event may lie: clocks differ.
	maxAhead = 5 * time.Minute
	// maxNamed is how many bad events an answer names.
	maxNamed = 20
	// fewEvents are decoded sooner than another goroutine is at work.
	fewEvents = 64
)

// decode reads the events of a body and holds each against the rules. It uses
// all cores: to read JSON is most of what an ingested event costs.
func (h *Handler) decode(body []byte, organization string) ([]audit.Event, error) {
	pieces, err := split(body)
	if err != nil {
		return nil, err
	}
	now := h.Now()
	rule := rule{organization: organization, now: now, oldest: now.Add(-h.Retention)}
	events := make([]audit.Event, len(pieces))
	share := max(fewEvents, (len(pieces)+h.workers-1)/h.workers)
	parts := make([]part, (len(pieces)+share-1)/share)
	var group sync.WaitGroup
	for i := range parts {
		from, to := i*share, min((i+1)*share, len(pieces))
		if i == len(parts)-1 { // here, rather than wait
			parts[i].decode(rule, pieces, events, from, to)
			break
		}
		group.Go(func() { parts[i].decode(rule, pieces, events, from, to) })
	}
	group.Wait()
	var bad []konnect.InvalidParameter
	for i := range parts {
		if parts[i].panicked != nil {
			panic(parts[i].panicked) // where the API expects it
		}
		bad = append(bad, parts[i].bad...)
	}
	if len(bad) > 0 {
		return nil, &refusal{http.StatusBadRequest, "Invalid Parameters", bad[:min(len(bad), maxNamed)]}
	}
	return events, nil
}

// part is what one goroutine has to tell.
type part struct {
	bad      []konnect.InvalidParameter // the first maxNamed
	panicked any
}

func (p *part) decode(r rule, pieces [][]byte, events []audit.Event, from, to int) {
	defer func() {
		if r := recover(); r != nil {
			p.panicked = fmt.Sprintf("%v\n%s", r, debug.Stack())
		}
	}()
	for i := from; i < to && len(p.bad) < maxNamed; i++ {
		var err error
		if events[i], err = r.decode(pieces[i]); err != nil {
			p.bad = append(p.bad, parameter(i, err))
		}
	}
}

// rule is what an event must keep to.
type rule struct {
	organization string
	now, oldest  time.Time
}

func (r *rule) decode(piece []byte) (audit.Event, error) {
	e, err := audit.DecodePull(piece)
	if err != nil {
		return e, err
	}
	switch {
	case e.OrgID == "":
		e.OrgID = r.organization
	case e.OrgID != r.organization:
		return e, &audit.FieldError{Field: "org_id", Rule: "invalid", Reason: "must be your own organization, or left out"}
	}
	switch {
	case e.Time.After(r.now.Add(maxAhead)):
		return e, &audit.FieldError{Field: "ts", Rule: "max",
			Reason: fmt.Sprintf("must not be more than %v ahead of the server's clock, which is at %s", maxAhead, r.now.UTC().Format(time.RFC3339))}
	case e.Time.Before(r.oldest):
		return e, &audit.FieldError{Field: "ts", Rule: "min",
			Reason: "must not be before " + r.oldest.UTC().Format(time.RFC3339) + ": older events are not kept"}
	}
	return e, nil
}

// parameter says in the API's form what is wrong with the event at index.
func parameter(index int, err error) konnect.InvalidParameter {
	var field *audit.FieldError
	if !errors.As(err, &field) {
		field = &audit.FieldError{Rule: "invalid", Reason: err.Error()}
	}
	return konnect.InvalidParameter{
		Field: place(index, field.Field), Rule: field.Rule, Reason: field.Reason, Source: "body", Choices: field.Choices,
	}
}

// place names a field of an event, or the whole of it: [17].status_code, [17].
// Events are counted from 0, in an array and in lines alike.
func place(index int, field string) string {
	at := "[" + strconv.Itoa(index) + "]"
	if field != "" {
		at += "." + field
	}
	return at
}
