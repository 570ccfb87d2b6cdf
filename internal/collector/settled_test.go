package collector

import (
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func TestWhatIsOnItsWayHoldsUpWhatIsSettled(t *testing.T) {
	var a arrivals
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	if got := a.over(now); !got.Equal(now.Add(-settleTime)) {
		t.Errorf("with nothing: %s", got)
	}
	endSecond := a.begin(now.Add(-5 * time.Second))
	endFirst := a.begin(now.Add(-8 * time.Second))
	defer a.begin(now)()
	for _, step := range []struct {
		end  func()
		want time.Duration
	}{{func() {}, 8 * time.Second}, {endFirst, 5 * time.Second}, {endSecond, settleTime}} {
		step.end()
		if got := a.over(now); !got.Equal(now.Add(-step.want)) {
			t.Errorf("%s, want %s before %s", got, step.want, now)
		}
	}
}

func TestWhatIsSettledIsSearchable(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	before := time.Now()
	origin := Origin{SourceID: 1, Source: "s", ReceivedAt: before.Add(-time.Minute)}
	if err := y.intake.Append(t.Context(), origin, [][]byte{[]byte("a line")}); err != nil {
		t.Fatal(err)
	}
	settled, err := y.indexer.Settled(t.Context())
	if err != nil || settled.After(time.Now()) || settled.Before(before.Add(-2*settleTime)) {
		t.Fatalf("%s %v", settled, err)
	}
	found := 0
	for _, err := range y.store.Search(t.Context(), search.Request{To: settled, ByReceiptTime: true}) {
		if err != nil {
			t.Fatal(err)
		}
		found++
	}
	if found != 1 {
		t.Errorf("%d records", found)
	}
}
