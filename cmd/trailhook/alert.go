package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

type alertCommand struct {
	List    alertListCommand    `cmd:"" help:"List the saved searches, and how their alerts stand."`
	Show    alertShowCommand    `cmd:"" help:"Show one of them: what fires, and what was not accepted yet."`
	Create  alertCreateCommand  `cmd:"" help:"Save a search, with an alert or without."`
	Enable  alertEnableCommand  `cmd:"" help:"Switch an alert on."`
	Disable alertDisableCommand `cmd:"" help:"Switch an alert off, which ends what fires."`
	Test    alertTestCommand    `cmd:"" help:"Post a test notification to an alert's webhook."`
	Delete  alertDeleteCommand  `cmd:"" help:"Delete a saved search and its alert."`
}

func (alertCommand) Help() string {
	return `A saved search with an alert is evaluated on a schedule, and posts to a webhook when its condition begins to hold for a
group, and when it no longer does (docs/alerts.md). Seven that Konnect's documentation recommends are there from the
start and lack only a webhook:

  trailhook alert list
  trailhook alert enable konnect-denied --webhook https://hooks.example.com/audit
  trailhook alert test konnect-denied
  trailhook alert show konnect-denied`
}

const searchesPath = "/trailhook/v1/searches"

// savedSearch is a saved search as the API has it.
type savedSearch struct {
	ID          string      `json:"id,omitempty"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Query       string      `json:"query"`
	Range       string      `json:"range"`
	TimeZone    string      `json:"timeZone"`
	Alert       *savedAlert `json:"alert,omitempty"`
}

type savedAlert struct {
	Enabled   bool          `json:"enabled"`
	Condition string        `json:"condition"`
	Every     string        `json:"every,omitempty"`
	Webhook   *savedWebhook `json:"webhook,omitempty"`
	State     *alertState   `json:"state,omitempty"`
}

type savedWebhook struct {
	URL           string  `json:"url"`
	Authorization *string `json:"authorization,omitempty"`
}

type alertState struct {
	Status         string
	EvaluatedAt    *time.Time
	DurationMs     int64
	Error          string
	FiringCount    int
	OmittedGroups  int
	DeferredGroups int
	PendingCount   int
	Firing         []struct {
		Group map[string]*string
		Since time.Time
		Value float64
	}
	Pending []struct {
		State         string
		Group         map[string]*string
		At            time.Time
		Attempts      int
		LastError     string
		NextAttemptAt *time.Time
	}
}

type alertListCommand struct {
	Server siemFlags `embed:""`
}

func (alertListCommand) Help() string {
	return `Prints for each saved search its id, its status (off, waiting, ok, firing, error, or search where it has no alert), its
condition and its name, in columns.`
}

func (c *alertListCommand) Run(ctx context.Context, s streams) error {
	var answer struct{ Data []savedSearch }
	if _, err := c.Server.call(ctx, "GET", searchesPath, "", nil, &answer); err != nil {
		return err
	}
	return shownRows(s.out, func(row func(...string)) {
		row("ID", "STATUS", "CONDITION", "NAME")
		for _, saved := range answer.Data {
			status, condition := "search", ""
			if saved.Alert != nil {
				status, condition = saved.Alert.State.Status, saved.Alert.Condition
			}
			row(saved.ID, status, condition, saved.Name)
		}
	})
}

type alertShowCommand struct {
	ID     string    `arg:"" help:"Id, as listed."`
	Server siemFlags `embed:""`
}

func (c *alertShowCommand) Run(ctx context.Context, s streams) error {
	saved, _, err := c.Server.saved(ctx, c.ID)
	if err != nil {
		return err
	}
	return shownRows(s.out, func(row func(...string)) {
		row("name", saved.Name)
		row("description", saved.Description)
		row("query", saved.Query)
		row("range", saved.Range)
		if saved.TimeZone != "" {
			row("time zone", saved.TimeZone)
		}
		if saved.Alert != nil {
			saved.Alert.show(row)
		}
	})
}

func (a *savedAlert) show(row func(...string)) {
	row("condition", a.Condition+", every "+a.Every)
	if a.Webhook != nil {
		row("webhook", a.Webhook.URL)
	}
	state := a.State
	row("status", state.Status)
	if state.EvaluatedAt != nil {
		row("evaluated", fmt.Sprintf("%s, in %d ms", state.EvaluatedAt.Format(time.RFC3339), state.DurationMs))
	}
	if state.Error != "" {
		row("error", state.Error)
	}
	for _, f := range state.Firing {
		row("firing", fmt.Sprintf("%ssince %s, value %v", shownGroup(f.Group), f.Since.Format(time.RFC3339), f.Value))
	}
	if beyond := state.FiringCount - len(state.Firing) + state.OmittedGroups; beyond > 0 {
		row("firing", fmt.Sprintf("and %d more groups", beyond))
	}
	for _, p := range state.Pending {
		text := fmt.Sprintf("%s %sof %s, refused %d times", p.State, shownGroup(p.Group), p.At.Format(time.RFC3339), p.Attempts)
		if p.LastError != "" {
			text += ": " + p.LastError
		}
		if p.NextAttemptAt != nil {
			text += "; again at " + p.NextAttemptAt.Format(time.RFC3339)
		}
		row("not accepted", text)
	}
	if beyond := state.PendingCount - len(state.Pending); beyond > 0 {
		row("not accepted", fmt.Sprintf("and %d more", beyond))
	}
}

// shownGroup writes a group as one would search for it, with a space at its end.
func shownGroup(group map[string]*string) string {
	var members []string
	for field, value := range group {
		if value == nil {
			members = append(members, "no "+field+" ")
		} else {
			members = append(members, field+"="+*value+" ")
		}
	}
	slices.Sort(members)
	return strings.Join(members, "")
}

type alertCreateCommand struct {
	Name          string  `arg:"" help:"Name of the saved search; there is one of each."`
	Query         string  `arg:"" help:"What to look for, in the search language."`
	Description   string  `help:"What it is for." placeholder:"TEXT"`
	Range         back    `default:"-24h" help:"How far people look back who open it." placeholder:"TIME"`
	TimeZone      string  `help:"Time zone in which timeslice cuts days, such as Europe/Berlin; UTC unless it is given." placeholder:"ZONE"`
	Alert         string  `help:"Condition of its alert, such as 'count > 10 in 5m by src'; none unless it is given." placeholder:"CONDITION"`
	Every         string  `help:"How often the condition is looked at, 1m to 24h, and at least once in its window." placeholder:"TIME"`
	Webhook       string  `help:"URL to which the alert posts; it is switched on then." placeholder:"URL"`
	Authorization *string `help:"Value of the Authorization header of posts." env:"TRAILHOOK_ALERT_AUTHORIZATION" placeholder:"VALUE"`

	Server siemFlags `embed:""`
}

func (alertCreateCommand) Help() string {
	return `Prints the id. A condition names count, or a column of the table that the query makes, what it is compared to, and the
time in which lines were received; by makes groups that fire one by one.

  trailhook alert create 'many deletions' 'action=delete' --alert 'count > 20 in 10m by principal_id' \
    --webhook https://hooks.example.com/audit --authorization "Bearer $TOKEN"
  trailhook alert create 'Konnect is silent' '_source=Konnect' --alert 'count == 0 in 1h' --webhook https://hooks.example.com/audit
  trailhook alert create 'server errors' 'status=* | if(status >= 500, 1, 0) as failed | avg(failed) by src' \
    --alert '_avg >= 0.1 in 15m' --webhook https://hooks.example.com/audit
  trailhook alert create 'who came' '* | count by principal_id' --range -7d`
}

func (c *alertCreateCommand) Run(ctx context.Context, s streams) error {
	saved := savedSearch{Name: c.Name, Description: c.Description, Query: c.Query, Range: string(c.Range), TimeZone: c.TimeZone}
	switch {
	case c.Alert != "":
		saved.Alert = &savedAlert{Condition: c.Alert, Every: c.Every}
		if c.Webhook != "" {
			saved.Alert.Enabled = true
			saved.Alert.Webhook = &savedWebhook{c.Webhook, c.Authorization}
		}
	case c.Every != "" || c.Webhook != "":
		return errors.New("--every and --webhook go with --alert, the condition")
	}
	var created savedSearch
	if _, err := c.Server.call(ctx, "POST", searchesPath, "", saved, &created); err != nil {
		return saved.explain(err)
	}
	_, err := fmt.Fprintln(s.out, created.ID)
	return err
}

// explain shows the place of a mistake in the query or the condition.
func (s *savedSearch) explain(err error) error {
	problem, ok := errors.AsType[*siemProblem](err)
	if !ok {
		return err
	}
	line, column, message := problem.place()
	switch problem.Code {
	case "invalid_query":
		return fmt.Errorf("query: %s%s", harmless(message), pointAt(s.Query, line, column))
	case "invalid_condition":
		return fmt.Errorf("condition: %s%s", harmless(message), pointAt(s.Alert.Condition, line, column))
	}
	return err
}

type alertEnableCommand struct {
	ID            string  `arg:"" help:"Id, as listed."`
	Webhook       string  `help:"URL to which it posts, unless it has one." placeholder:"URL"`
	Authorization *string `help:"Value of the Authorization header of posts." env:"TRAILHOOK_ALERT_AUTHORIZATION" placeholder:"VALUE"`
	Condition     string  `help:"Condition in place of the one it has." placeholder:"CONDITION"`

	Server siemFlags `embed:""`
}

func (alertEnableCommand) Help() string {
	return `The alert is evaluated at once. A post is a JSON object; try where it leads with trailhook alert test.

  trailhook alert enable konnect-locked --webhook https://hooks.example.com/audit
  trailhook alert enable konnect-failed-authentications --condition 'count > 50 in 5m by src' --webhook https://hooks.example.com/audit`
}

func (c *alertEnableCommand) Run(ctx context.Context, s streams) error {
	return c.Server.change(ctx, c.ID, func(a *savedAlert) {
		a.Enabled = true
		if c.Condition != "" {
			a.Condition = c.Condition
		}
		if c.Webhook != "" {
			a.Webhook = &savedWebhook{URL: c.Webhook}
		}
		if a.Webhook != nil {
			a.Webhook.Authorization = c.Authorization
		}
	})
}

type alertDisableCommand struct {
	ID     string    `arg:"" help:"Id, as listed."`
	Server siemFlags `embed:""`
}

func (c *alertDisableCommand) Run(ctx context.Context) error {
	return c.Server.change(ctx, c.ID, func(a *savedAlert) { a.Enabled = false })
}

type alertTestCommand struct {
	ID     string    `arg:"" help:"Id, as listed."`
	Server siemFlags `embed:""`
}

func (alertTestCommand) Help() string {
	return `Posts one notification whose state is "test", once, whether the alert is switched on or not. The exit status is 1 when it
was not accepted.`
}

func (c *alertTestCommand) Run(ctx context.Context, s streams) error {
	var tried struct {
		Delivered  bool
		Status     int
		Message    string
		DurationMs int64
	}
	if _, err := c.Server.call(ctx, "POST", searchesPath+"/"+url.PathEscape(c.ID)+"/test", "", nil, &tried); err != nil {
		return err
	}
	if !tried.Delivered {
		return fmt.Errorf("not accepted: %s", harmless(answerOf(tried.Status, tried.Message)))
	}
	_, err := fmt.Fprintf(s.out, "accepted: %s, in %d ms\n", answerOf(tried.Status, tried.Message), tried.DurationMs)
	return err
}

type alertDeleteCommand struct {
	IDs    []string  `arg:"" name:"id" help:"Ids, as listed."`
	Server siemFlags `embed:""`
}

func (alertDeleteCommand) Help() string {
	return `What fires is forgotten, and what was not posted yet is not posted any more: trailhook alert disable ends it first.`
}

func (c *alertDeleteCommand) Run(ctx context.Context) error {
	for _, id := range c.IDs {
		if _, err := c.Server.call(ctx, "DELETE", searchesPath+"/"+url.PathEscape(id), "", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// saved fetches a saved search, and its ETag.
func (f *siemFlags) saved(ctx context.Context, id string) (saved savedSearch, etag string, err error) {
	etag, err = f.call(ctx, "GET", searchesPath+"/"+url.PathEscape(id), "", nil, &saved)
	return saved, etag, err
}

// change changes the alert of a saved search.
func (f *siemFlags) change(ctx context.Context, id string, how func(*savedAlert)) error {
	saved, etag, err := f.saved(ctx, id)
	if err != nil {
		return err
	}
	if saved.Alert == nil {
		return fmt.Errorf("%s has no alert: it is a search for people", id)
	}
	saved.Alert.State = nil
	how(saved.Alert)
	if _, err := f.call(ctx, "PUT", searchesPath+"/"+url.PathEscape(id), etag, saved, nil); err != nil {
		return saved.explain(err)
	}
	return nil
}

// shownRows writes rows in columns, harmless to a terminal.
func shownRows(out io.Writer, rows func(row func(...string))) error {
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	rows(func(cells ...string) {
		for i, cell := range cells {
			cells[i] = harmless(strings.Map(flat, cell))
		}
		fmt.Fprintln(columns, strings.Join(cells, "\t"))
	})
	return columns.Flush()
}

// flat takes the breaks out of a cell.
func flat(r rune) rune {
	if r == '\t' || r == '\n' {
		return ' '
	}
	return r
}

// back is how far a search looks back, in the server's own words.
type back string

// Decode implements kong.MapperValue. A flag's value would not begin with a dash
// otherwise.
func (b *back) Decode(ctx *kong.DecodeContext) error {
	token := ctx.Scan.Pop()
	if token.Type == kong.EOLToken {
		return errors.New("want how long ago, such as -24h")
	}
	*b = back(fmt.Sprint(token.Value))
	return nil
}
