package alert

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/seal"
	"github.com/trailhook/trailhook/internal/search"
)

// The pauses before a post that was refused is sent again, where the options name
// no others.
const (
	DefaultMinPause = 30 * time.Second
	DefaultMaxPause = 10 * time.Minute
)

// Options are what Open needs.
type Options struct {
	Broker *broker.Broker
	Store  search.Store
	// Settled returns a time before which everything that was received is
	// searchable in the store, as close to now as there is one.
	Settled func(context.Context) (time.Time, error)
	Client  *outbound.Client
	Sealer  *seal.Sealer // of the authorizations
	// AllowHTTP lets webhooks be http URLs.
	AllowHTTP bool
	BaseURL   string // of the console, for the links in posts
	Logger    *slog.Logger
	Metrics   prometheus.Registerer

	MinPause, MaxPause time.Duration // 0: the defaults
}

// Alerts holds the saved searches and evaluates those that have an alert. All
// methods may be called concurrently; a write is durable when it returns.
type Alerts struct {
	Options
	searches *broker.Bucket[Search]
	shipped  *broker.Bucket[time.Time]
	states   *broker.Bucket[state]
	outbox   *broker.Bucket[post]
	metrics  metrics

	changing sync.Mutex // held while names are checked and a search is written
	posting  chan struct{}
}

func openSearches(ctx context.Context, b *broker.Broker) (*broker.Bucket[Search], error) {
	return broker.OpenBucket[Search](ctx, b, "siem-searches")
}

// Open makes the buckets when they are missing, and the shipped searches at the
// first start, and returns when all of it is in memory.
func Open(ctx context.Context, o Options) (_ *Alerts, err error) {
	o.MinPause = cmp.Or(o.MinPause, DefaultMinPause)
	o.MaxPause = max(cmp.Or(o.MaxPause, DefaultMaxPause), o.MinPause)
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	a := &Alerts{Options: o, posting: make(chan struct{}, postsAtOnce)}
	defer func() {
		if err != nil {
			a.Close()
			err = fmt.Errorf("alerts: %w", err)
		}
	}()
	if a.searches, err = openSearches(ctx, o.Broker); err != nil {
		return nil, err
	}
	if a.shipped, err = broker.OpenBucket[time.Time](ctx, o.Broker, "siem-searches-shipped"); err != nil {
		return nil, err
	}
	if a.states, err = broker.OpenBucket[state](ctx, o.Broker, "siem-alert-states"); err != nil {
		return nil, err
	}
	if a.outbox, err = broker.OpenBucket[post](ctx, o.Broker, "siem-alert-posts"); err != nil {
		return nil, err
	}
	if err := a.dropUnnamed(ctx); err != nil {
		return nil, err
	}
	if err := a.ship(ctx); err != nil {
		return nil, err
	}
	a.metrics = newMetrics(o.Metrics, a)
	return a, nil
}

// Close ends the watches. Run must have returned. Close it before the broker.
func (a *Alerts) Close() {
	if a.searches != nil {
		a.searches.Close()
	}
	if a.shipped != nil {
		a.shipped.Close()
	}
	if a.states != nil {
		a.states.Close()
	}
	if a.outbox != nil {
		a.outbox.Close()
	}
}

// Run evaluates and posts until ctx ends. What was on its way then is done again
// at the next start.
func (a *Alerts) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { a.deliver(ctx) })
	s := &schedule{plans: a.plans, do: a.step, atOnce: evaluationsAtOnce}
	s.run(ctx)
}

// Searches returns all saved searches, by their names.
func (a *Alerts) Searches() []Search {
	var list []Search
	for _, entry := range a.searches.List("") {
		list = append(list, withRevision(entry))
	}
	slices.SortFunc(list, func(a, b Search) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// Search returns one saved search, or [broker.ErrNotFound].
func (a *Alerts) Search(id string) (Search, error) {
	entry, err := a.searches.Get(id)
	return withRevision(entry), err
}

// Create stores a new saved search and returns it with its id. Errors:
// [ErrInvalid], [ErrNameTaken], [ErrTooMany], a *[search.SyntaxError] of the query,
// a *[ConditionError], [broker.ErrUnavailable].
func (a *Alerts) Create(ctx context.Context, given Setting, owner string) (Search, error) {
	now := time.Now().UTC()
	s := Search{ID: newID(), Owner: owner, CreatedAt: now}
	if err := a.set(&s, nil, given, now); err != nil {
		return Search{}, err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	if len(a.searches.List("")) >= maxSearches {
		return Search{}, ErrTooMany
	}
	if err := a.checkName(s); err != nil {
		return Search{}, err
	}
	if err := a.searches.Create(ctx, s.ID, s); err != nil {
		return Search{}, fmt.Errorf("create saved search %q: %w", s.Name, err)
	}
	return a.Search(s.ID)
}

// Update puts what a user asks for in place of the saved search that was read, and
// returns what is stored; an enabled alert is evaluated at once. A change of the
// query, the condition or the time zone, and switching the alert off, end what is
// firing, which is posted. Errors: those of Create, and [broker.ErrConflict] when
// another has written it since.
func (a *Alerts) Update(ctx context.Context, read Search, given Setting) (Search, error) {
	s := read
	if err := a.set(&s, read.webhook(), given, time.Now().UTC()); err != nil {
		return Search{}, err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := a.checkName(s); err != nil {
		return Search{}, err
	}
	if err := a.searches.Update(ctx, s.ID, s, read.Revision); err != nil {
		return Search{}, fmt.Errorf("update saved search %q: %w", s.Name, err)
	}
	return a.Search(s.ID)
}

// Delete removes the saved search that was read at the revision. Nothing of it is
// posted any more.
func (a *Alerts) Delete(ctx context.Context, id string, revision uint64) error {
	if err := a.searches.Delete(ctx, id, revision); err != nil {
		return fmt.Errorf("delete saved search %s: %w", id, err)
	}
	return nil
}

// set puts what a user asks for into the search.
func (a *Alerts) set(s *Search, stored *Webhook, given Setting, now time.Time) (err error) {
	if err := s.apply(given); err != nil {
		return err
	}
	s.UpdatedAt = now
	if s.Alert == nil {
		return nil
	}
	if s.Alert.Webhook, err = a.prepare(s.ID, stored, given.Alert.Webhook); err != nil {
		return err
	}
	if s.Alert.Enabled && s.Alert.Webhook == nil {
		return fmt.Errorf("%w: alert.enabled needs alert.webhook: there is nobody to tell", ErrInvalid)
	}
	return nil
}

func (a *Alerts) checkName(s Search) error {
	for _, other := range a.Searches() {
		if other.Name == s.Name && other.ID != s.ID {
			return fmt.Errorf("saved search %q: %w", s.Name, ErrNameTaken)
		}
	}
	return nil
}

// ship makes the shipped searches that were not made before: what was deleted
// stays deleted.
func (a *Alerts) ship(ctx context.Context) error {
	now := time.Now().UTC()
	for _, s := range shippedSearches() {
		if _, err := a.shipped.Get(s.ID); err == nil {
			continue
		}
		s.CreatedAt, s.UpdatedAt = now, now
		if err := a.searches.Create(ctx, s.ID, s); err != nil && !errors.Is(err, broker.ErrConflict) {
			return err
		}
		if err := a.shipped.Put(ctx, s.ID, now); err != nil {
			return err
		}
	}
	return nil
}

func newID() string {
	id := make([]byte, 10)
	rand.Read(id) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(id))
}

func withRevision(entry broker.Entry[Search]) Search {
	entry.Value.Revision = entry.Revision
	return entry.Value
}
