package collector

import (
	"testing"
	"time"
)

func TestTheLagTellsOfLinesThatAreNotSearchableYet(t *testing.T) {
	y := start(t, t.TempDir(), setup{idle: true})
	y.take(t, "one\ntwo")
	y.take(t, "three")
	lag, err := y.indexer.Lag(t.Context(), time.Now().Add(time.Hour))
	if err != nil || lag.Messages != 2 || lag.Age < 59*time.Minute || lag.Age > 61*time.Minute {
		t.Errorf("before they are indexed: %+v, %v", lag, err)
	}
	y.run()
	y.find(t, "")
	if lag, err := y.indexer.Lag(t.Context(), time.Now().Add(time.Hour)); err != nil || lag != (Lag{}) {
		t.Errorf("when they are: %+v, %v", lag, err)
	}
}

func TestTheLagSaysWhyNothingIsIndexed(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	if err := y.store.Close(); err != nil {
		t.Fatal(err)
	}
	y.take(t, "a line")
	waitFor(t, "the trouble to be told", func() bool {
		lag, err := y.indexer.Lag(t.Context(), time.Now())
		return err == nil && lag.Messages == 1 && lag.Trouble != nil
	})
}

func TestNothingIsTakenOutOfAnIntakeThatIsKept(t *testing.T) {
	y := start(t, t.TempDir(), setup{})
	release := y.indexer.KeepIntake()
	y.take(t, "one")
	y.find(t, "one")
	y.take(t, "two")
	y.find(t, "two")
	if n := y.waiting(t); n != 2 {
		t.Errorf("%d messages in the intake while it is kept, want 2", n)
	}
	release()
	y.take(t, "three")
	y.find(t, "three")
	waitFor(t, "the intake to be empty", func() bool { return y.waiting(t) == 0 })
}

// waiting is how many messages the intake has, indexed or not.
func (y *system) waiting(t *testing.T) uint64 {
	t.Helper()
	info, err := y.intake.stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}
