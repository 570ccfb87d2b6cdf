package alert

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // time zones by name, wherever this runs

	"github.com/trailhook/trailhook/internal/search"
)

var (
	// ErrInvalid is wrapped by what is wrong with a search that was given.
	ErrInvalid = errors.New("invalid")
	// ErrNameTaken says that another saved search has the name.
	ErrNameTaken = errors.New("the name is in use")
	// ErrTooMany says that there are as many saved searches as there may be.
	ErrTooMany = fmt.Errorf("there are %d saved searches, which is the limit: delete some", maxSearches)
)

// The limits of saved searches.
const (
	maxSearches    = 500
	maxName        = 128  // bytes
	maxDescription = 2000 // bytes

	MinEvery = time.Minute
	MaxEvery = 24 * time.Hour

	defaultRange = "-24h"
)

// Search is a saved search.
type Search struct {
	ID          string
	Name        string
	Description string
	Query       string
	Range       string // how far it looks back for people, such as -24h
	TimeZone    string // in which it cuts days; empty for UTC
	Owner       string // the access id of who made it, or Shipped
	Alert       *Alert `json:",omitempty"` // nil: it is for people only
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Revision    uint64 `json:"-"` // for optimistic concurrency: what was read
}

// Alert is what makes a saved search tell by itself.
type Alert struct {
	Enabled   bool
	Condition string // in the form that Condition.String gives it
	Every     time.Duration
	Webhook   *Webhook `json:",omitempty"`
}

func (s *Search) enabled() bool { return s.Alert != nil && s.Alert.Enabled }

func (s *Search) webhook() *Webhook {
	if s.Alert == nil {
		return nil
	}
	return s.Alert.Webhook
}

// Setting is what a user asks for.
type Setting struct {
	Name        string
	Description string
	Query       string
	Range       string // empty: -24h
	TimeZone    string
	Alert       *AlertSetting
}

// AlertSetting is what a user asks for of an alert.
type AlertSetting struct {
	Enabled   bool
	Condition string
	Every     string // such as 5m; empty: a fifth of the window, from 1m to 1h
	Webhook   *WebhookSetting
}

// definition is what of a saved search decides what an evaluation finds.
type definition struct {
	query     search.Query
	condition Condition
	zone      *time.Location
	text      string // changes with any of the others
}

// define reads the definition of a search that has an alert.
func (s *Search) define() (d definition, err error) {
	if d.query, err = search.ParseQuery(s.Query); err != nil {
		return d, err
	}
	if d.zone, err = parseZone(s.TimeZone); err != nil {
		return d, err
	}
	if d.condition, err = ParseCondition(s.Alert.Condition, d.query); err != nil {
		return d, err
	}
	d.text = strings.Join([]string{s.Query, d.condition.String(), s.TimeZone}, "\n")
	_, err = d.counting()
	return d, err
}

// counting is the query whose table is held against the condition.
func (d definition) counting() (search.Query, error) {
	if d.query.Aggregates() {
		return d.query, nil
	}
	text := d.query.String() + " | count"
	for i, name := range d.condition.By {
		text += map[bool]string{true: " by ", false: ", "}[i == 0] + search.Column{Name: name}.String()
	}
	q, err := search.ParseQuery(text)
	if err != nil {
		return q, fmt.Errorf("%w: the query cannot be counted by the condition's fields: %w", ErrInvalid, err)
	}
	return q, nil
}

func parseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("%w: timeZone %q is not the name of a time zone such as Europe/Berlin or UTC", ErrInvalid, name)
	}
	return zone, nil
}

// apply puts what a user asks for in place of what the search has, but for the
// webhook.
func (s *Search) apply(given Setting) error {
	s.Name, s.Description, s.Query = given.Name, given.Description, given.Query
	s.Range, s.TimeZone, s.Alert = given.Range, given.TimeZone, nil
	if s.Range == "" {
		s.Range = defaultRange
	}
	if err := s.check(); err != nil || given.Alert == nil {
		return err
	}
	s.Alert = &Alert{Enabled: given.Alert.Enabled, Condition: given.Alert.Condition}
	d, err := s.define()
	if err != nil {
		return err
	}
	s.Alert.Condition = d.condition.String()
	s.Alert.Every, err = parseEvery(given.Alert.Every, d.condition.Window)
	return err
}

func (s *Search) check() error {
	switch {
	case strings.TrimSpace(s.Name) == "":
		return fmt.Errorf("%w: name must not be empty", ErrInvalid)
	case len(s.Name) > maxName:
		return fmt.Errorf("%w: name must have at most %d bytes", ErrInvalid, maxName)
	case len(s.Description) > maxDescription:
		return fmt.Errorf("%w: description must have at most %d bytes", ErrInvalid, maxDescription)
	}
	if _, err := ParseRange(s.Range); err != nil {
		return fmt.Errorf("%w: range %w", ErrInvalid, err)
	}
	if _, err := parseZone(s.TimeZone); err != nil {
		return err
	}
	_, err := search.ParseQuery(s.Query)
	return err
}

// parseEvery reads how often an alert is evaluated: at least once in its window,
// so that nothing falls between.
func parseEvery(text string, window time.Duration) (time.Duration, error) {
	if text == "" {
		return min(max((window/5).Truncate(time.Second), MinEvery), time.Hour), nil
	}
	every, err := parseSpan(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: alert.every: %w", ErrInvalid, err)
	case every < MinEvery || every > MaxEvery:
		return 0, fmt.Errorf("%w: alert.every must be from %s to %s", ErrInvalid, formatSpan(MinEvery), formatSpan(MaxEvery))
	case every > window:
		return 0, fmt.Errorf("%w: alert.every must not be longer than the condition's window of %s: what comes between two of them would never be looked at",
			ErrInvalid, formatSpan(window))
	}
	return every, nil
}

// FormatSpan writes a time as the settings of an alert have it.
func FormatSpan(d time.Duration) string { return formatSpan(d) }
