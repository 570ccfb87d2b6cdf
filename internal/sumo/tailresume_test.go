package sumo

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

// raws reads so many messages of a tail.
func (r *reader) raws(count int) (raws []string) {
	r.t.Helper()
	for range count {
		raws = append(raws, r.message()["_raw"])
	}
	return raws
}

func TestATailThatGoesOnBringsWhatWasMissed(t *testing.T) {
	s := start(t, nil)
	source, server := s.addSource(), s.serveTails()
	s.send(source, "before the tail began")
	tail := s.tail(http.DefaultClient, server, "NOT nothing")
	s.send(source, "one\nnothing\ntwo")
	tail.raws(2)
	tail.body.Close()
	s.send(source, "three\nnothing")
	s.send(source, "four")
	tail = s.tail(http.DefaultClient, server, "NOT nothing", "Last-Event-ID", tail.id)
	s.send(source, "five")
	// What was seen is there again, for it is seconds old; the order is that of receipt.
	if diff := cmp.Diff([]string{"one", "two", "three", "four", "five"}, tail.raws(5)); diff != "" {
		t.Error(diff)
	}
}

func TestMoreThanATailBringsIsToldOf(t *testing.T) {
	s := start(t, nil)
	s.api.tails.maxMissed = 3
	source, server := s.addSource(), s.serveTails()
	tail := s.tail(http.DefaultClient, server, "line")
	s.send(source, "line 0")
	tail.raws(1)
	tail.body.Close()
	for i := range 5 {
		s.send(source, fmt.Sprintf("line %d", i+1))
	}
	tail = s.tail(http.DefaultClient, server, "line", "Last-Event-ID", tail.id)
	if e, ok := tail.next(); !ok || e.name != "gap" || !strings.Contains(e.data, "left out") {
		t.Errorf("%+v", e)
	}
	if diff := cmp.Diff([]string{"line 3", "line 4", "line 5"}, tail.raws(3)); diff != "" {
		t.Error(diff)
	}
}

func TestATailIsAtTheTimeOfItsMessagesAndNeverGoesBack(t *testing.T) {
	at := place(1_000_000)
	received := func(ms int64) *search.Record { return &search.Record{Receipt: time.UnixMilli(ms)} }
	for _, step := range []struct{ receipt, want int64 }{
		{1_000_001, 1_000_000}, {1_020_000, 1_010_000}, {1_015_000, 1_010_000}, {2_000_000, 1_990_000},
	} {
		if at = at.after(received(step.receipt)); at != place(step.want) {
			t.Errorf("after %d: %d, want %d", step.receipt, at, step.want)
		}
	}
}

func TestAnIdThatIsNoneIsRefused(t *testing.T) {
	s := start(t, nil)
	for _, id := range []string{"x", "-1", "1e3", "99999999999999999999", "253402300800000"} {
		if w := s.do("GET", "/trailhook/v1/tail", "", "Last-Event-ID", id); w.Code != 400 || !strings.Contains(w.Body.String(), "Last-Event-ID") {
			t.Errorf("%s: %d %s", id, w.Code, w.Body)
		}
	}
}

func TestATailThatCannotLookForWhatWasMissedIsRefused(t *testing.T) {
	breaking := &breakingStore{}
	s := start(t, func(store search.Store) search.Store { breaking.Store = store; return breaking })
	s.send(s.addSource(), "a line")
	if w := s.do("GET", "/trailhook/v1/tail", "", "Last-Event-ID", "0"); w.Code != 500 || strings.Contains(w.Body.String(), "fire") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if s.api.tails.turns.running() != 0 || s.api.searches.running() != 0 {
		t.Error("turns are not given back")
	}
}
