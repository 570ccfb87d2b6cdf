package collector

import (
	"testing"

	"github.com/trailhook/trailhook/internal/search"
)

func TestAFeedHandsOverWhatWasJustStored(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	y.take(t, "before")
	y.find(t, "")
	subscription := y.indexer.Feed().Subscribe()
	y.take(t, "one\ntwo")
	y.find(t, "")
	var got []string
	for _, r := range <-subscription.Records {
		got = append(got, r.Raw)
	}
	if len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Errorf("got %q", got)
	}
	subscription.Close()
	y.take(t, "one") // stored before, and so nothing new
	y.take(t, "after")
	y.find(t, "")
	if len(subscription.Records) != 0 {
		t.Error("a closed subscription got more")
	}
}

func TestWhoDoesNotKeepUpMissesRecordsAndHoldsUpNobody(t *testing.T) {
	f := newFeed()
	slow, other := f.Subscribe(), f.Subscribe()
	for range feedRoom + 3 {
		f.publish(make([]search.Record, 2))
		<-other.Records
	}
	if len(slow.Records) != feedRoom || slow.Missed() != 6 || slow.Missed() != 0 || other.Missed() != 0 {
		t.Errorf("%d inserts are ready", len(slow.Records))
	}
}
