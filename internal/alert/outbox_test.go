package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/seal"
)

func TestAPostIsTriedAgainUntilItIsAccepted(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m")
	w.receive(line(1, `"who":"ann"`))
	// 403 is not retried at once: these are five rounds.
	w.receiver.refuse = []int{403, 404, 401, 302, 403}
	w.expect(w.step(time.Minute, s), "fires 1")
	ids := map[string]bool{}
	for _, header := range w.receiver.headers {
		ids[header.Get("Idempotency-Key")] = true
	}
	if len(w.receiver.headers) != 6 || len(ids) != 1 {
		t.Errorf("%d posts of %v", len(w.receiver.headers), ids)
	}
}

func TestWhatAWebhookRefusesIsShown(t *testing.T) {
	w := start(t)
	w.options.MinPause, w.options.MaxPause = time.Hour, time.Hour
	w.reopen()
	s := w.create("who=*", "count > 0 in 5m")
	w.receive(line(1, `"who":"ann"`))
	w.receiver.refuse = []int{403}
	w.now = w.now.Add(time.Minute)
	w.alerts.step(t.Context(), s.ID)
	if wait := w.alerts.sendDue(t.Context(), s.ID, w.alerts.waiting(s.ID)); wait < 50*time.Minute {
		t.Errorf("tried again after %s", wait)
	}
	got := w.alerts.Status(s)
	if len(got.Pending) != 1 || got.Pending[0].LastError != "the webhook answered 403 Forbidden" || got.Pending[0].Attempts != 1 ||
		time.Until(got.Pending[0].Next) < 50*time.Minute {
		t.Fatalf("%+v", got.Pending)
	}
	// It waits over a restart, and no longer than until there is another webhook.
	w.reopen()
	if wait := w.alerts.sendDue(t.Context(), s.ID, w.alerts.waiting(s.ID)); wait < 50*time.Minute || len(w.receiver.headers) != 1 {
		t.Errorf("%s, %d posts", wait, len(w.receiver.headers))
	}
	w.update(s, func(g *Setting) { g.Alert.Webhook.URL += "/other" })
	w.expect(w.send(s), "fires 1")
}

func TestAWebhookThatIsGoneHasNothingSent(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m")
	w.receive(line(1, `"who":"ann"`))
	w.now = w.now.Add(time.Minute)
	w.alerts.step(t.Context(), s.ID)
	w.update(s, func(g *Setting) { g.Alert.Enabled, g.Alert.Webhook = false, nil })
	w.expect(w.send(s))
	if got := w.alerts.Status(s); len(got.Pending) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestOneRefusedPostHoldsUpItsGroupOnly(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m by who")
	refused := 0
	w.receiver.judge = func(n notification) int {
		if *n.Group["who"] == "ann" && refused < 3 {
			refused++
			return 400
		}
		return 200
	}
	w.receive(line(1, `"who":"ann"`), line(2, `"who":"bob"`))
	w.now = w.now.Add(time.Minute)
	w.alerts.step(t.Context(), s.ID)
	w.now = w.now.Add(10 * time.Minute)
	w.alerts.step(t.Context(), s.ID)
	w.expect(w.send(s), "fires who=bob 1", "recovers who=bob 0", "fires who=ann 1", "recovers who=ann 0")
}

func TestAnEndpointThatIsDownHoldsUpAllPostsInOrder(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m by who")
	w.receiver.refuse = []int{403, 403, 403}
	w.receive(line(1, `"who":"ann"`), line(2, `"who":"bob"`))
	w.expect(w.step(time.Minute, s), "fires who=ann 1", "fires who=bob 1")
}

func TestAPrivateAddressIsRefused(t *testing.T) {
	w := start(t)
	w.options.Client = outbound.New(outbound.Options{})
	w.reopen()
	s := w.create("who=*", "count > 0 in 5m")
	tried, err := w.alerts.Test(t.Context(), s)
	if err != nil || tried.Delivered || tried.Status != 0 || !strings.Contains(tried.Message, "address 127.0.0.1 is refused") {
		t.Errorf("%+v %v", tried, err)
	}
	w.receive(line(1, `"who":"ann"`))
	w.now = w.now.Add(time.Minute)
	w.alerts.step(t.Context(), s.ID)
	w.alerts.sendDue(t.Context(), s.ID, w.alerts.waiting(s.ID))
	if got := w.alerts.Status(s).Pending; len(got) != 1 || !strings.Contains(got[0].LastError, "is refused") || len(w.receiver.headers) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTheAuthorizationIsSealedAndSent(t *testing.T) {
	w := start(t)
	secret := "Bearer s3cret-of-the-hook"
	s := w.create("who=*", "count > 0 in 5m")
	s = w.update(s, func(g *Setting) { g.Alert.Webhook.Authorization = &secret })
	if strings.Contains(string(s.Alert.Webhook.Authorization), "s3cret") {
		t.Error("it is kept in the clear")
	}
	s = w.update(s, func(*Setting) {}) // which keeps it
	tried, err := w.alerts.Test(t.Context(), s)
	if err != nil || !tried.Delivered || tried.Status != 200 {
		t.Errorf("%+v %v", tried, err)
	}
	told := w.receiver.take()
	if len(told) != 1 || told[0].State != "test" || w.receiver.headers[0].Get("Authorization") != secret {
		t.Errorf("%+v %v", told, w.receiver.headers)
	}
	empty := ""
	s = w.update(s, func(g *Setting) { g.Alert.Webhook.Authorization = &empty })
	if s.Alert.Webhook.HasAuthorization() {
		t.Error("it is still there")
	}
}

func TestAnAuthorizationIsSealedAnewWithTheMasterKey(t *testing.T) {
	w := start(t)
	secret := "Bearer s3cret"
	s := w.create("who=*", "count > 0 in 5m")
	w.update(s, func(g *Setting) { g.Alert.Webhook.Authorization = &secret })
	fresh, err := seal.OpenFile(t.TempDir() + "/key")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 0} {
		if n, err := Reseal(t.Context(), w.broker, w.options.Sealer, fresh, fresh); err != nil || n != want {
			t.Errorf("%d. time: %d, %v", i, n, err)
		}
	}
	w.options.Sealer = fresh
	w.reopen()
	s, _ = w.alerts.Search(s.ID)
	if tried, err := w.alerts.Test(t.Context(), s); err != nil || !tried.Delivered || w.receiver.headers[0].Get("Authorization") != secret {
		t.Errorf("%+v %v", tried, err)
	}
}

// A crash between an evaluation and its posts loses none of them, and one between
// the posts and the state leaves none that is sent.
func TestACrashNeitherLosesNorMakesUpPosts(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m by who")
	w.receive(line(1, `"who":"ann"`))
	w.now = w.now.Add(time.Minute)
	w.alerts.step(t.Context(), s.ID) // and nothing is sent
	lost := newPost(s, firing{Key: "k"}, notification{ID: "unnamed", State: fires})
	if err := w.alerts.outbox.Create(t.Context(), lost.key(), lost); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	if _, err := w.alerts.outbox.Get(lost.key()); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("what no state names is still there: %v", err)
	}
	w.expect(w.send(s), "fires who=ann 1")
	w.reopen()
	w.expect(w.send(s))
	w.expect(w.step(time.Minute, s))
	w.expect(w.step(10*time.Minute, s), "recovers who=ann 0")
}

// The whole, as it runs: many alerts, each told once, over restarts in between.
func TestAlertsThatRunTellOnceOverRestarts(t *testing.T) {
	w := start(t)
	const alerts = 5
	for i := range alerts {
		w.create("who=*", fmt.Sprintf("count > %d in 1h by who", i))
	}
	w.receiver.refuse = []int{403, 403, 403}
	var lines []string
	for i := range alerts {
		lines = append(lines, line(i, `"who":"ann"`))
	}
	w.receive(lines...)
	w.now = w.now.Add(time.Second)
	var told []notification
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.alerts.Run(ctx) })
		deadline := time.After(generous)
		for len(told) < alerts {
			select {
			case <-deadline:
				t.Fatalf("%d of %d told", len(told), alerts)
			case <-time.After(5 * time.Millisecond):
				told = append(told, w.receiver.take()...)
			}
		}
		cancel()
		running.Wait()
		w.reopen()
	}
	told = append(told, w.receiver.take()...)
	var names []string
	for _, n := range told {
		names = append(names, n.State+" "+n.Condition)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != alerts || len(names) != alerts {
		t.Errorf("%q", names)
	}
}
