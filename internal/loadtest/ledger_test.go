package loadtest

import (
	"testing"

	"pgregory.net/rapid"
)

// A map of counts is what the bits are held against.
func TestALedgerTellsWhatIsLostDoubledAndInvalid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const given = 200
		ledgers := newLedgers()
		acknowledged := map[uint64]bool{}
		for _, number := range rapid.SliceOf(rapid.Uint64Range(0, given-1)).Draw(t, "acknowledged") {
			ledgers.calls.acknowledge(number, 1)
			acknowledged[number] = true
		}
		ledgers.calls.forget(given)
		type event struct {
			kind   string
			number uint64
		}
		found := map[event]uint64{}
		var doubled, invalid, wantDoubled, wantInvalid uint64
		for range rapid.IntRange(0, 300).Draw(t, "rows") {
			e := event{rapid.SampledFrom([]string{"authentication", "authorization"}).Draw(t, "kind"), rapid.Uint64Range(0, given-1).Draw(t, "number")}
			count := rapid.Uint64Range(1, 3).Draw(t, "count")
			signature := rapid.SampledFrom([]string{"valid", "valid", "invalid", "unknown key"}).Draw(t, "signature")
			again, bad := ledgers.find(foundLine{UserAgent: "trailhook-bench/x call " + number(e.number), Kind: e.kind, Signature: signature, Count: number(count)})
			doubled, invalid = doubled+again, invalid+bad
			if signature != "valid" {
				wantInvalid += count
			}
			found[e] += count
		}
		for _, count := range found {
			wantDoubled += count - 1
		}
		wantLost := uint64(0)
		for n := range acknowledged {
			for _, kind := range []string{"authentication", "authorization"} {
				if found[event{kind, n}] == 0 {
					wantLost++
				}
			}
		}
		if doubled != wantDoubled || invalid != wantInvalid || ledgers.lost() != wantLost || ledgers.owed() != 2*uint64(len(acknowledged)) {
			t.Fatalf("doubled %d, want %d; invalid %d, want %d; lost %d, want %d; owed %d",
				doubled, wantDoubled, invalid, wantInvalid, ledgers.lost(), wantLost, ledgers.owed())
		}
	})
}

func TestALineThatWasNeverSentIsInvalidAndTakesNoMemory(t *testing.T) {
	ledgers := newLedgers()
	ledgers.events.acknowledge(0, 10)
	for _, l := range ledgers.all() {
		l.forget(10)
	}
	for _, row := range []foundLine{
		{UserAgent: "trailhook-bench/x event", TraceID: "18446744073709551615", Kind: "authorization"},
		{UserAgent: "trailhook-bench/x event", TraceID: "11", Kind: "authorization"},
		{UserAgent: "trailhook-bench/x event", TraceID: "0", Kind: "authorization"},
		{UserAgent: "trailhook-bench/x event", TraceID: "1", Kind: "access"},
		{UserAgent: "trailhook-bench/x call 10", Kind: "authorization"},
		{UserAgent: "trailhook-bench/x call one", Kind: "authorization"},
		{UserAgent: "trailhook-bench/x call", Kind: "authorization"},
		{UserAgent: "trailhook-bench/x other 1", Kind: "authorization"},
		{UserAgent: "trailhook-bench/x", Kind: "authorization"},
		{},
	} {
		row.Signature, row.Count = "valid", "2"
		if doubled, invalid := ledgers.find(row); doubled != 0 || invalid != 2 {
			t.Errorf("%+v: doubled %d, invalid %d", row, doubled, invalid)
		}
	}
	if ledgers.lost() != 10 {
		t.Errorf("lost %d", ledgers.lost())
	}
}
