package delivery

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

func TestALineSetAsideCanBeSentAgainAndDeleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var mended atomic.Bool
	judge := poisoned(400, 2, 5, 7)
	r := judged(t, func(got received) int {
		if mended.Load() {
			return 200
		}
		return judge(got)
	})
	p := start(t, dir, soon)
	org := p.organization()
	org.backlog(r, func() { org.record(10) })
	org.awaitDone()
	p.stop()
	org = org.after(start(t, dir, soon))

	m, ctx := org.manager, t.Context()
	lines, err := m.SetAside(ctx, org.scope())
	if err != nil || len(lines) != 3 {
		t.Fatalf("set aside: %+v, %v", lines, err)
	}
	if l := lines[0]; l.Webhook != org.webhook().ID || l.Code != 400 || l.Message != "Bad Request" || !l.At.Equal(instant) || l.Position == 0 {
		t.Errorf("a line: %+v", l)
	}
	if got, err := m.Resend(ctx, org.scope(), ""); err != nil || got != (Resent{Refused: 3, Code: 400, Message: "Bad Request"}) {
		t.Errorf("sent again too soon: %+v, %v", got, err)
	}
	mended.Store(true)
	if got, err := m.Resend(ctx, org.scope(), lines[1].ID); err != nil || got != (Resent{Sent: 1, Code: 200, Message: "OK"}) {
		t.Errorf("one sent again: %+v, %v", got, err)
	}
	if err := m.DeleteSetAside(ctx, org.scope(), lines[2].ID); err != nil {
		t.Error(err)
	}
	for _, id := range []string{lines[1].ID, lines[2].ID, "", "0", "x", "01", "99"} {
		if err := m.DeleteSetAside(ctx, org.scope(), id); !errors.Is(err, ErrNotSetAside) {
			t.Errorf("deleting %q: %v", id, err)
		}
	}
	if _, err := m.SetAsideLine(ctx, registry.Scope{Region: "eu", Organization: org.id}, lines[0].ID); !errors.Is(err, ErrNotSetAside) {
		t.Errorf("from another region: %v", err)
	}
	org.enable(false)
	if _, err := m.Resend(ctx, org.scope(), ""); !errors.Is(err, ErrNotEnabled) {
		t.Errorf("while disabled: %v", err)
	}
	org.enable(true)
	if got, err := m.Resend(ctx, org.scope(), ""); err != nil || got.Sent != 1 {
		t.Errorf("the rest sent again: %+v, %v", got, err)
	}
	if got := org.aside(); len(got) > 0 {
		t.Errorf("still set aside: %v", got)
	}
	requests, _ := r.all()
	r.checkRepeats(requests)
	if got := taken(requests); !slices.Equal(got, []int{1, 3, 4, 6, 8, 9, 10, 5, 2}) {
		t.Errorf("taken: %v", got)
	}
}

func TestALineIsSetAsideOnceThoughItsBatchIsSentAgain(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), soon)
	org := p.organization()
	org.backlog(judged(t, poisoned(400, 2)), func() { org.record(3) })
	org.awaitDone()
	// As after a crash before the cursor was saved.
	before := p.manager.stateOf(org.webhook())
	w := &worker{Manager: p.manager, hook: org.webhook(), logger: p.manager.Logger}
	line, err := p.manager.SetAside(t.Context(), org.scope())
	if err != nil {
		t.Fatal(err)
	}
	again := entries(0)[0]
	again.Position = line[0].Position
	if err := w.setAside(t.Context(), []refused{{entry: again, verdict: verdict{code: 422}, at: instant}}); err != nil {
		t.Fatal(err)
	}
	if got := org.aside(); !slices.Equal(got, []int{2}) {
		t.Errorf("set aside are %v", got)
	}
	if w.state.SetAside != 1 || before.SetAside != 1 {
		t.Errorf("counted %d before and %d after", before.SetAside, w.state.SetAside)
	}
}

func TestAnEventOfTheLargestKindCanBeSetAside(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), soon)
	org := p.organization()
	large := make([]byte, 1_500_000)
	for i := range large {
		large[i] = 'x'
	}
	r := judged(t, poisoned(413, 2))
	org.backlog(r, func() {
		org.record(1)
		org.recordAs(1, string(large))
		org.record(1)
	})
	org.awaitDone()
	if got := org.aside(); !slices.Equal(got, []int{2}) {
		t.Errorf("set aside are %v", got)
	}
	line, err := p.manager.SetAside(t.Context(), org.scope())
	if err != nil || line[0].Event != (audit.Event{}) {
		t.Errorf("the list carries events: %v", err)
	}
}

func TestWhenNoMoreCanBeSetAsideTheCursorIsHeldUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), soon)
	p.manager.asides.most = 2
	org := p.organization()
	r := judged(t, poisoned(400, 2, 5, 7))
	org.backlog(r, func() { org.record(10) })
	org.await(func() bool { return strings.Contains(org.status().LastMessage, "2 are set aside, of 2 at most") })
	if got := org.status(); got.Webhook != Inactive || got.SetAside != 2 {
		t.Errorf("status %+v", got)
	}
	lines, err := p.manager.SetAside(t.Context(), org.scope())
	if err != nil || len(lines) != 2 {
		t.Fatalf("%+v, %v", lines, err)
	}
	if err := p.manager.DeleteSetAside(t.Context(), org.scope(), lines[0].ID); err != nil {
		t.Fatal(err)
	}
	org.awaitDone()
	if got := org.aside(); !slices.Equal(got, []int{5, 7}) {
		t.Errorf("set aside are %v", got)
	}
	requests, _ := r.all()
	r.checkRepeats(requests)
}

func TestWhatIsSetAsideIsBoundedInBytesToo(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), soon)
	p.manager.asides.mostBytes = 20_000
	org := p.organization()
	r := judged(t, poisoned(400, 2, 4, 6))
	org.backlog(r, func() { org.recordAs(7, strings.Repeat("x", 15_000)) })
	org.await(func() bool { return strings.Contains(org.status().LastMessage, "2 are set aside") })
	// Removed by another process, of which this one does not hear.
	lines, err := p.manager.SetAside(t.Context(), org.scope())
	if err != nil || len(lines) != 2 {
		t.Fatalf("%+v, %v", lines, err)
	}
	if err := p.manager.DeleteSetAside(t.Context(), org.scope(), lines[0].ID); err != nil {
		t.Fatal(err)
	}
	org.awaitDone()
	if got := org.aside(); !slices.Equal(got, []int{4, 6}) {
		t.Errorf("set aside are %v", got)
	}
}

func TestAnyProcessOfAClusterListsAndResendsWhatAnotherHasSetAside(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), soon, shared)
	org := p.organization()
	var mended atomic.Bool
	judge := poisoned(400, 2)
	r := judged(t, func(got received) int {
		if mended.Load() {
			return 200
		}
		return judge(got)
	})
	org.backlog(r, func() { org.record(3) })
	org.awaitDone()
	other := p.another("process/2")
	defer other.Close()
	mended.Store(true)
	if got, err := other.Resend(t.Context(), org.scope(), ""); err != nil || got.Sent != 1 {
		t.Errorf("sent again: %+v, %v", got, err)
	}
	if got := org.aside(); len(got) > 0 {
		t.Errorf("still set aside: %v", got)
	}
	requests, _ := r.all()
	r.checkRepeats(requests)
}
