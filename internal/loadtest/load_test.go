package loadtest

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func TestARequestIsDueAtItsTimeHoweverLateItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(10, time.Second)
		for n := range uint64(10) {
			due, ok := p.wait(t.Context(), n)
			if want := time.Duration(n) * 100 * time.Millisecond; !ok || due.Sub(p.start) != want {
				t.Fatalf("request %d: %v, due after %v, want %v", n, ok, due.Sub(p.start), want)
			}
			if n == 4 { // the server stands still
				time.Sleep(300 * time.Millisecond)
			}
		}
		if _, ok := p.wait(t.Context(), 10); ok || p.due() != 10 {
			t.Errorf("one begins that is due after the end, or there are not 10 but %d", p.due())
		}
	})
}

func TestAsManyAreDueAsBeginBeforeTheEnd(t *testing.T) {
	for _, c := range []struct {
		rate float64
		want uint64
	}{{0, 0}, {0.01, 1}, {0.1, 6}, {0.3, 18}, {1, 60}, {33.3, 1998}, {1e6, 60_000_000}} {
		if got := newPace(c.rate, time.Minute).due(); got != c.want {
			t.Errorf("at %v a second %d are due in a minute, want %d", c.rate, got, c.want)
		}
	}
}

func TestWhatWasDueAndFoundNoConnectionBeforeTheEndIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(1000, time.Second)
		time.Sleep(time.Second)
		if _, ok := p.wait(t.Context(), 3); ok {
			t.Error("it is sent")
		}
	})
}

func TestWithoutARateRequestsAreDueAtOnceUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, sent := newPace(0, time.Second), uint64(0)
		for {
			due, ok := p.wait(t.Context(), sent)
			if !ok {
				break
			}
			if !due.Equal(time.Now()) {
				t.Fatal(due)
			}
			sent++
			time.Sleep(50 * time.Millisecond) // what its answer takes
		}
		if sent != 20 {
			t.Errorf("%d were sent", sent)
		}
	})
}

func TestAnInterruptionEndsAWaitAndLastsForTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		lasting, cancel := outliving(ctx, 10*time.Second)
		defer cancel()
		time.AfterFunc(time.Second, interrupt)
		p := newPace(0.1, time.Minute)
		if _, ok := p.wait(ctx, 1); ok || time.Since(p.start) != time.Second {
			t.Errorf("%v after %v", ok, time.Since(p.start))
		}
		if _, ok := p.wait(ctx, 0); ok {
			t.Error("another begins")
		}
		<-lasting.Done()
		if took := time.Since(p.start); took != 11*time.Second {
			t.Errorf("what was under way had %v", took)
		}
	})
}
