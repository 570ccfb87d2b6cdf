package collector

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// fetcher stands where the HTTP client is, so that time can be synctest's.
type fetcher struct {
	keys    *audit.KeySet // nil: fetches fail
	took    time.Duration // of one fetch
	fetched []time.Time
}

func (f *fetcher) fetch(ctx context.Context, _ string) ([]byte, error) {
	f.fetched = append(f.fetched, time.Now())
	select {
	case <-time.After(f.took):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.keys == nil {
		return nil, errors.New("connection refused")
	}
	return f.keys.JWKS(), nil
}

func (f *fetcher) open() *Keys {
	k := NewKeys(nil, "https://keys.example/jwks.json", slog.New(slog.DiscardHandler))
	k.fetch = f.fetch
	return k
}

// at returns the seconds from start at which fetches began.
func (f *fetcher) at(start time.Time) []int {
	var seconds []int
	for _, t := range f.fetched {
		seconds = append(seconds, int(t.Sub(start)/time.Second))
	}
	return seconds
}

func verdict(t *testing.T, k *Keys, line string) audit.Verdict {
	t.Helper()
	verdicts, err := k.Verify(t.Context(), "", [][]byte{[]byte(line)})
	if err != nil {
		t.Fatal(err)
	}
	return verdicts[0].Verdict
}

func TestKeysAreNotFetchedForLinesThatNeedNone(t *testing.T) {
	f := &fetcher{}
	k := f.open()
	for _, line := range []string{"plain", string(audit.AppendUnsigned(nil, audit.CEF, event())), `{"a":1}`} {
		if v := verdict(t, k, line); v != audit.Unsigned {
			t.Errorf("%s: %s", line, v)
		}
	}
	if len(f.fetched) != 0 {
		t.Errorf("%d fetches", len(f.fetched))
	}
}

func TestWithoutAnAddressOfKeysASignedLineHasAnUnknownKey(t *testing.T) {
	k := NewKeys(nil, "", slog.New(slog.DiscardHandler))
	if v := verdict(t, k, signed(newSigner(1), audit.CEF, nil)); v != audit.UnknownKey {
		t.Errorf("verdict: %s", v)
	}
}

func TestKeysAreFetchedAtMostOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, new := newSigner(1), newSigner(2)
		f := &fetcher{keys: keySet(t, ours)}
		k := f.open()
		start := time.Now()
		if v := verdict(t, k, signed(ours, audit.CEF, nil)); v != audit.Valid {
			t.Errorf("first: %s", v)
		}
		for range 59 { // a forger makes the keys be fetched no more often
			time.Sleep(time.Second)
			if v := verdict(t, k, signed(newSigner(9), audit.CEF, nil)); v != audit.Invalid {
				t.Errorf("forged: %s", v)
			}
		}
		f.keys = keySet(t, ours, new)
		if v := verdict(t, k, signed(new, audit.CEF, nil)); v != audit.Invalid {
			t.Errorf("a new key that nobody could know: %s", v)
		}
		time.Sleep(time.Second)
		if v := verdict(t, k, signed(new, audit.CEF, nil)); v != audit.Valid {
			t.Errorf("a new key after a minute: %s", v)
		}
		if at := f.at(start); len(at) != 2 || at[1] != 60 {
			t.Errorf("fetched at %v", at)
		}
	})
}

func TestTheFirstLinesWaitForTheKeysAFewSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := newSigner(1)
		f := &fetcher{}
		k := f.open()
		start := time.Now()
		line := signed(ours, audit.CEF, nil)
		if v := verdict(t, k, line); v != audit.UnknownKey {
			t.Errorf("verdict: %s", v)
		}
		if waited := time.Since(start); waited > keysPatience {
			t.Errorf("waited %s", waited)
		}
		for time.Since(start) < 4*time.Minute { // no line waits any more
			before := time.Now()
			if v := verdict(t, k, line); v != audit.UnknownKey || time.Since(before) != 0 {
				t.Fatalf("%s after %s", v, time.Since(before))
			}
			time.Sleep(100 * time.Millisecond)
		}
		want := []int{0, 1, 3, 7, 15, 31, 63, 123, 183}
		if at := f.at(start); len(at) != len(want) {
			t.Fatalf("fetched at %v, want %v", at, want)
		} else {
			for i := range want {
				if at[i] != want[i] {
					t.Errorf("fetch %d at %d s, want %d", i, at[i], want[i])
				}
			}
		}
		f.keys = keySet(t, ours)
		time.Sleep(time.Minute)
		if v := verdict(t, k, line); v != audit.Valid {
			t.Errorf("with keys: %s", v)
		}
	})
}

func TestAKeyServerThatHangsDelaysTheFirstLinesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fetcher{took: time.Hour}
		k := f.open()
		line := signed(newSigner(1), audit.CEF, nil)
		start := time.Now()
		verdict(t, k, line)
		if waited := time.Since(start); waited > keysPatience+keysTimeout {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestAFailedRefreshKeepsTheKeysKnownSoFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := newSigner(1)
		f := &fetcher{keys: keySet(t, ours)}
		k := f.open()
		start := time.Now()
		line := signed(ours, audit.CEF, nil)
		verdict(t, k, line)
		f.keys = nil
		time.Sleep(keysMaxAge)
		for range 3 {
			if v := verdict(t, k, line); v != audit.Valid {
				t.Errorf("verdict: %s", v)
			}
		}
		if at := f.at(start); len(at) != 2 || at[1] != 3600 {
			t.Errorf("fetched at %v", at)
		}
	})
}

func TestAWithdrawnKeyEndsToCountWithinTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, new := newSigner(1), newSigner(2)
		f := &fetcher{keys: keySet(t, old)}
		k := f.open()
		line := signed(old, audit.CEF, nil)
		verdict(t, k, line)
		f.keys = keySet(t, new)
		time.Sleep(keysMaxAge)
		if v := verdict(t, k, line); v != audit.Invalid {
			t.Errorf("verdict: %s", v)
		}
	})
}

func TestAVerificationThatWaitsEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := (&fetcher{}).open()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if _, err := k.Verify(ctx, "", [][]byte{[]byte(signed(newSigner(1), audit.CEF, nil))}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error: %v", err)
		}
	})
}
