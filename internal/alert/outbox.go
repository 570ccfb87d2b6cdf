package alert

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/outbound"
)

// postsAtOnce is how many posts are on their way at a time.
const postsAtOnce = 32

// post is a notification that is to be sent.
type post struct {
	ID    string
	Alert string // the id of its search
	State string
	Key   string   // of its group: the posts of a group go out in order
	Group []Member `json:",omitempty"`
	At    time.Time
	Body  json.RawMessage

	// How the last attempt went that was refused.
	Attempts  int       `json:",omitempty"`
	LastError string    `json:",omitempty"`
	Next      time.Time `json:",omitzero"`
	Webhook   string    `json:",omitempty"` // the mark of the webhook that refused
	Alone     bool      `json:",omitempty"` // it refused this post, and perhaps not others
}

func newPost(s Search, f firing, n notification) post {
	return post{ID: n.ID, Alert: s.ID, State: n.State, Key: f.Key, Group: f.Group, At: n.At, Body: n.encode()}
}

func (p post) key() string { return p.Alert + "/" + p.ID }

// waiting returns the posts of an alert that may be sent, in order.
func (a *Alerts) waiting(id string) []broker.Entry[post] {
	st, _ := a.state(id)
	var list []broker.Entry[post]
	for _, name := range st.Posts {
		if entry, err := a.outbox.Get(id + "/" + name); err == nil {
			list = append(list, entry)
		}
	}
	return list
}

// deliver sends what waits until ctx ends: the posts of each alert one after the
// other, so that one webhook that takes nothing holds up no other.
func (a *Alerts) deliver(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	senders := map[string]bool{}
	ended := make(chan string)
	for {
		changed := a.states.Changed()
		for _, entry := range a.states.List("") {
			id := entry.Key
			if senders[id] || len(a.waiting(id)) == 0 {
				continue
			}
			senders[id] = true
			running.Go(func() {
				a.sendAll(ctx, id)
				select {
				case ended <- id:
				case <-ctx.Done():
				}
			})
		}
		select {
		case <-changed:
		case id := <-ended:
			delete(senders, id)
		case <-ctx.Done():
			return
		}
	}
}

// sendAll sends the posts of an alert until none waits.
func (a *Alerts) sendAll(ctx context.Context, id string) {
	for ctx.Err() == nil {
		searches, states := a.searches.Changed(), a.states.Changed()
		list := a.waiting(id)
		if len(list) == 0 {
			return
		}
		alarm := time.NewTimer(a.sendDue(ctx, id, list))
		select {
		case <-alarm.C:
		case <-searches: // the webhook may be another one
		case <-states: // there may be more
		case <-ctx.Done():
		}
		alarm.Stop()
	}
}

// sendDue sends those of the posts that are due, and returns how long it is until
// the next one is.
func (a *Alerts) sendDue(ctx context.Context, id string, list []broker.Entry[post]) time.Duration {
	s, err := a.Search(id)
	if w := s.webhook(); err != nil || w == nil {
		return a.giveUp(ctx, list)
	}
	wait := a.MaxPause
	held := map[string]bool{} // groups of which an earlier post waits
	for _, entry := range list {
		if held[entry.Value.Key] {
			continue
		}
		p, left := entry.Value, a.untilNext(s, entry.Value)
		if left <= 0 {
			if p, left = a.send(ctx, s, entry); left <= 0 {
				continue
			}
		}
		held[p.Key] = true
		wait = min(wait, left)
		if !p.Alone || ctx.Err() != nil {
			break
		}
	}
	if len(held) == 0 {
		return 0
	}
	return wait
}

// untilNext is how long a post still waits: not at all where the webhook is not
// the one that refused it.
func (a *Alerts) untilNext(s Search, p post) time.Duration {
	if p.Webhook != s.webhook().mark() {
		return 0
	}
	return min(time.Until(p.Next), a.MaxPause)
}

// giveUp deletes posts that there is nobody to send to.
func (a *Alerts) giveUp(ctx context.Context, list []broker.Entry[post]) time.Duration {
	if err := a.drop(ctx, list, nil); err != nil {
		return a.MinPause
	}
	a.metrics.notifications.WithLabelValues("dropped").Add(float64(len(list)))
	return 0
}

// send sends a post, by the retry rule of webhooks, and deletes it when it was
// accepted; else it keeps how it went, and returns how long it waits.
func (a *Alerts) send(ctx context.Context, s Search, entry broker.Entry[post]) (post, time.Duration) {
	select {
	case a.posting <- struct{}{}:
		defer func() { <-a.posting }()
	case <-ctx.Done():
		return entry.Value, a.MinPause
	}
	p := entry.Value
	alone, problem := a.attempt(ctx, s, p)
	if ctx.Err() != nil && problem != "" {
		return p, a.MinPause
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	if problem == "" {
		a.metrics.notifications.WithLabelValues("accepted").Inc()
		err := a.outbox.Delete(saving, entry.Key, entry.Revision)
		if err != nil && !errors.Is(err, broker.ErrConflict) {
			a.Logger.Error("an alert's notification was accepted, but that cannot be kept; it will be sent again", "alert", s.ID, "error", err)
			return p, a.MinPause
		}
		return p, 0
	}
	a.metrics.notifications.WithLabelValues("refused").Inc()
	if p.Attempts == 0 {
		a.Logger.Warn("an alert's notification is not accepted; it is tried again", "alert", s.ID, "name", s.Name, "error", problem)
	}
	pause := min(a.MinPause<<min(p.Attempts, 20), a.MaxPause)
	p.Attempts++
	p.LastError, p.Alone, p.Webhook = problem, alone, s.webhook().mark()
	p.Next = time.Now().UTC().Add(pause)
	if err := a.outbox.Update(saving, entry.Key, p, entry.Revision); err != nil && !errors.Is(err, broker.ErrConflict) {
		a.Logger.Warn("how an alert's notification was refused cannot be kept", "alert", s.ID, "error", err)
	}
	return p, pause
}

// attempt sends a post. A problem may be shown; alone says that the receiver may
// well take other posts.
func (a *Alerts) attempt(ctx context.Context, s Search, p post) (alone bool, problem string) {
	request, err := a.request(s.ID, s.webhook(), p.ID, p.Body)
	if err != nil {
		return false, "the webhook's authorization cannot be opened: give it again"
	}
	response, err := a.Client.PostRetrying(ctx, request, nil)
	if err == nil && accepted(response.Status) {
		return false, ""
	}
	status, message := outbound.Describe(response, err)
	switch status {
	case 0:
		return false, message
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		alone = true
	}
	return alone, "the webhook answered " + answerOf(status, message)
}
