package sumo

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func TestWhoWaitsForATurnGetsItOrIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2, time.Second, "busy", "%d run")
		first, err := turns.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := turns.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second/2, first)
		began := time.Now()
		if _, err := turns.take(t.Context()); err != nil || time.Since(began) != time.Second/2 {
			t.Errorf("the third: %v after %s", err, time.Since(began))
		}
		var refused *problem
		if _, err := turns.take(t.Context()); !errors.As(err, &refused) || refused.status != http.StatusTooManyRequests || refused.message != "2 run" {
			t.Errorf("the fourth: %v", err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, err := turns.take(gone); !errors.Is(err, errGone) {
			t.Errorf("one who went away: %v", err)
		}
		if turns.running() != 2 {
			t.Errorf("%d run", turns.running())
		}
	})
}

// heldStore holds up searches until they are let go.
type heldStore struct {
	search.Store
	began chan struct{}
	goOn  chan struct{}
}

func (h *heldStore) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	return search.GroupRecords(g, h.Search(ctx, g.Request))
}

func (h *heldStore) Search(ctx context.Context, r search.Request) iter.Seq2[search.Record, error] {
	return func(yield func(search.Record, error) bool) {
		h.began <- struct{}{}
		<-h.goOn
	}
}

func TestSearchesBeyondTheirNumberAreRefusedAndCounted(t *testing.T) {
	held := &heldStore{began: make(chan struct{}), goOn: make(chan struct{})}
	s := start(t, func(store search.Store) search.Store { held.Store = store; return held })
	s.api.searches.patience, s.api.exports.patience = time.Millisecond, time.Millisecond
	var searching sync.WaitGroup
	begin := func(parameters string, count int) {
		for range count {
			searching.Go(func() {
				if w := s.do("GET", "/trailhook/v1/search"+parameters, ""); w.Code != 200 {
					t.Errorf("one of those that run: %d %s", w.Code, w.Body)
				}
			})
			<-held.began
		}
	}
	refused := func(parameters, code string) {
		t.Helper()
		w := s.do("GET", "/trailhook/v1/search"+parameters, "")
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), code) {
			t.Errorf("%s: %d %v %s", parameters, w.Code, w.Header(), w.Body)
		}
	}
	begin("?format=parquet", maxExports)
	refused("?format=parquet", "too_many_exports")
	begin("", maxSearches-maxExports)
	refused("", "too_many_searches")
	for series, want := range map[string]float64{
		`trailhook_searches_running{kind="direct"}`:     maxSearches - maxExports,
		`trailhook_searches_running{kind="export"}`:     maxExports,
		`trailhook_search_refused_total{kind="direct"}`: 1,
		`trailhook_search_refused_total{kind="export"}`: 1,
		`trailhook_search_refused_total{kind="job"}`:    0,
		`trailhook_search_jobs{state="NOT STARTED"}`:    0,
		`trailhook_search_seconds_count{kind="direct"}`: 0,
		`trailhook_search_jobs{state="CANCELLED"}`:      0,
		`trailhook_tails`:                                  0,
		`trailhook_tail_dropped_total`:                     0,
		`trailhook_search_refused_total{kind="tail"}`:      0,
		`trailhook_search_seconds_count{kind="job"}`:       0,
		`trailhook_search_seconds_count{kind="export"}`:    0,
		`trailhook_tail_events_total`:                      0,
		`trailhook_search_jobs{state="GATHERING RESULTS"}`: 0,
	} {
		if got := s.metric(series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	close(held.goOn)
	searching.Wait()
	go func() { <-held.began }()
	if w := s.do("GET", "/trailhook/v1/search", ""); w.Code != 200 {
		t.Errorf("when they have ended: %d", w.Code)
	}
	if got := s.metric(`trailhook_search_seconds_count{kind="direct"}`); got != maxSearches-maxExports+1 {
		t.Errorf("%v direct searches were measured", got)
	}
}
