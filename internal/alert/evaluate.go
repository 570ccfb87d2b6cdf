package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search"
)

// What one evaluation may take.
const (
	evaluationTime  = time.Minute
	evaluationBytes = 32 << 20 // of memory, in groups and values

	// maxCatchUp is how far an evaluation that comes late goes back beyond its
	// window.
	maxCatchUp = 24 * time.Hour

	saveTime = 10 * time.Second
)

var errEvaluationTime = errors.New("the evaluation took longer than " + evaluationTime.String() + ": narrow the query or the window")

// plans is what the schedule goes by: the alerts that are enabled, and those of
// which something is left to be ended.
func (a *Alerts) plans() (map[string]plan, <-chan struct{}) {
	changed := a.searches.Changed()
	plans := map[string]plan{}
	for _, s := range a.Searches() {
		st, _ := a.state(s.ID)
		switch {
		case s.enabled():
			plans[s.ID] = plan{version: s.Revision, every: s.Alert.Every, last: st.At}
		case st.Definition != "":
			plans[s.ID] = plan{version: s.Revision, every: MinEvery}
		}
	}
	for _, entry := range a.states.List("") {
		if _, err := a.Search(entry.Key); errors.Is(err, broker.ErrNotFound) {
			plans[entry.Key] = plan{every: MinEvery}
		}
	}
	return plans, changed
}

// step does what there is to do for an alert.
func (a *Alerts) step(ctx context.Context, id string) {
	s, err := a.Search(id)
	if err != nil {
		if err := a.forget(ctx, id); err != nil && ctx.Err() == nil {
			a.Logger.Warn("what was kept of a deleted alert stays for now", "alert", id, "error", err)
		}
		return
	}
	d, err := definition{}, error(nil)
	if s.Alert != nil {
		d, err = s.define()
	}
	if err != nil {
		a.unreadable(ctx, s, err)
		return
	}
	if err := a.conclude(ctx, s, d); err != nil {
		a.unsaved(ctx, s, err)
		return
	}
	if s.enabled() {
		a.evaluate(ctx, s, d)
	}
}

// unreadable shows that what is stored of an alert is not of this version's language.
func (a *Alerts) unreadable(ctx context.Context, s Search, err error) {
	st, revision := a.state(s.ID)
	st.At = time.Now().UTC()
	a.note(s, &st, fmt.Errorf("%w: %w", errUnreadable, err))
	if err := a.commit(ctx, s, st, revision, nil); err != nil {
		a.unsaved(ctx, s, err)
	}
}

// conclude ends what fires by a definition that is not in force any more, and
// forgets how far the alert had come: what came while it was off is not looked at.
func (a *Alerts) conclude(ctx context.Context, s Search, d definition) error {
	st, revision := a.state(s.ID)
	if st.Definition == "" || s.enabled() && st.Definition == d.text {
		return nil
	}
	reason := "the alert was changed"
	if !s.enabled() {
		reason = "the alert was switched off"
	}
	var told []post
	if s.webhook() != nil {
		for _, f := range st.Firing {
			told = append(told, a.recovery(s, d, f, ended{at: time.Now().UTC(), reason: reason}))
		}
	}
	return a.commit(ctx, s, state{Posts: st.Posts}, revision, told)
}

// evaluate evaluates an alert once, and keeps what comes of it.
func (a *Alerts) evaluate(ctx context.Context, s Search, d definition) {
	begin := time.Now()
	st, revision := a.state(s.ID)
	st.Definition, st.At = d.text, begin.UTC()
	limited, stop := context.WithTimeoutCause(ctx, evaluationTime, errEvaluationTime)
	defer stop()
	told, err := a.look(limited, s, d, &st)
	if ctx.Err() != nil {
		return // a shutdown is nobody's mistake
	}
	st.Took = time.Since(begin)
	a.note(s, &st, err)
	if err := a.commit(ctx, s, st, revision, told); err != nil {
		a.unsaved(ctx, s, err)
	}
}

// look searches, and takes what was found into the state. After an error, the
// state is as it was, but perhaps for where the next evaluation begins.
func (a *Alerts) look(ctx context.Context, s Search, d definition, st *state) ([]post, error) {
	to, err := a.Settled(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsettled, err)
	}
	w := windowOf(d.condition.Window, st.End, to)
	readings, err := a.read(ctx, d, w)
	if err != nil {
		if heavy(err) && w.late {
			// The next one would find it heavier yet.
			st.End = w.to.Add(-d.condition.Window)
			err = fmt.Errorf("%w; what was received from %s to %s was not evaluated", err, w.from.Format(time.RFC3339), st.End.Format(time.RFC3339))
		}
		return nil, err
	}
	c := st.take(readings, w.to)
	st.End = w.to
	return a.tell(ctx, s, d, w, c), nil
}

// window is a time of receipt: from is in it, to is not.
type window struct {
	from, to time.Time
	late     bool // it goes back further than the condition's
}

// windowOf returns the window to look at now, which begins where the last one ended
// if that is further back.
func windowOf(length time.Duration, last, to time.Time) window {
	to = to.UTC().Truncate(time.Millisecond)
	w := window{from: to.Add(-length), to: to}
	if !last.IsZero() && last.Before(w.from) {
		w.late = true
		w.from = last
		if most := to.Add(-length - maxCatchUp); w.from.Before(most) {
			w.from = most
		}
	}
	return w
}

// reading is what a group has.
type reading struct {
	key   string
	group []Member
	value float64
	holds bool
}

// read returns the groups that a window has.
func (a *Alerts) read(ctx context.Context, d definition, w window) ([]reading, error) {
	query, err := d.counting()
	if err != nil {
		return nil, err
	}
	asked := search.Search{Query: query, Setting: d.setting(w)}
	table, err := asked.Run(ctx, a.Store, nil)
	if err != nil {
		return nil, err
	}
	return d.readings(table), nil
}

func (d definition) setting(w window) search.Setting {
	return search.Setting{Now: w.to, Zone: d.zone, From: w.from, To: w.to, ByReceiptTime: true, MaxBytes: evaluationBytes}
}

// readings makes the rows of a table readings. Of rows of one group, that counts
// for which the condition holds.
func (d definition) readings(table *search.Table) []reading {
	var list []reading
	place := map[string]int{}
	fields, columns, of := d.columns(table)
	for _, row := range table.Rows {
		values := make([]*string, len(columns))
		for i, c := range columns {
			if row[c].Kind() != search.KindNull {
				text := row[c].String()
				values[i] = &text
			}
		}
		r := reading{}
		r.key, r.group = groupOf(fields, values)
		if of >= 0 {
			var number bool
			r.value, number = row[of].Number()
			r.holds = number && d.condition.Holds(r.value)
		}
		i, known := place[r.key]
		switch {
		case !known:
			place[r.key] = len(list)
			list = append(list, r)
		case r.holds && !list[i].holds:
			list[i] = r
		}
	}
	return list
}

// columns returns which columns of the table make a group, and which one the
// condition is of, -1 if none.
func (d definition) columns(table *search.Table) (fields []string, columns []int, of int) {
	if !d.query.Aggregates() {
		of = len(table.Columns) - 1 // the count comes last
		for i, c := range table.Columns[:of] {
			fields, columns = append(fields, c.Name), append(columns, i)
		}
		return fields, columns, of
	}
	of = -1
	groups := d.groupedBy()
	for i, c := range table.Columns {
		if c.Name == d.condition.Column {
			of = i
		}
		if groups[c.Name] {
			fields, columns = append(fields, c.Name), append(columns, i)
		}
	}
	return fields, columns, of
}

// groupedBy are the columns by which the last aggregate of the query groups.
func (d definition) groupedBy() map[string]bool {
	groups := map[string]bool{}
	for _, stage := range d.query.Stages {
		if aggregate, ok := stage.(search.Aggregate); ok {
			clear(groups)
			for _, c := range aggregate.By {
				groups[c.Name] = true
			}
		}
	}
	return groups
}

func heavy(err error) bool {
	return errors.Is(err, search.ErrTooMuch) || errors.Is(err, errEvaluationTime)
}

var (
	errUnsettled  = errors.New("what was received is not searchable yet")
	errUnreadable = errors.New("the alert cannot be read")
)

// note takes how an evaluation ended into the state. The log has the first of
// several that fail alike.
func (a *Alerts) note(s Search, st *state, err error) {
	if err == nil {
		st.Error = ""
		a.metrics.evaluated("ok", st.Took)
		return
	}
	a.metrics.evaluated("error", st.Took)
	if explained := explain(err); explained != st.Error {
		st.Error = explained
		a.Logger.Error("an alert could not be evaluated; it is tried again", "alert", s.ID, "name", s.Name, "error", err)
	}
}

// explain puts an error into words that may be shown.
func explain(err error) string {
	switch {
	case heavy(err), errors.Is(err, errUnreadable):
		return err.Error()
	case errors.Is(err, errUnsettled):
		return errUnsettled.Error()
	}
	return "the store could not be searched: see the server's log"
}

func (a *Alerts) unsaved(ctx context.Context, s Search, err error) {
	if ctx.Err() == nil {
		a.Logger.Error("what an alert found could not be kept; it is evaluated again", "alert", s.ID, "name", s.Name, "error", err)
	}
}

// commit writes the posts, and then the state that names them.
func (a *Alerts) commit(ctx context.Context, s Search, st state, revision uint64, told []post) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	waiting := map[string]bool{}
	for _, entry := range a.outbox.List(s.ID + "/") {
		waiting[entry.Value.ID] = true
	}
	named := make([]string, 0, len(st.Posts)+len(told))
	for _, id := range st.Posts {
		if waiting[id] {
			named = append(named, id)
		}
	}
	for _, p := range told {
		if err := a.outbox.Create(ctx, p.key(), p); err != nil {
			return err
		}
		named = append(named, p.ID)
	}
	st.Posts = named
	return a.save(ctx, s.ID, st, revision)
}
