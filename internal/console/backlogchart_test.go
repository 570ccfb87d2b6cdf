package console

import (
	"testing"
	"time"
)

func TestTheBacklogIsDrawnWithZerosWhereNothingWaited(t *testing.T) {
	now := time.Date(2026, 3, 4, 13, 0, 0, 0, time.UTC)
	h := backlogHistory{Complete: true, Recent: []backlogSample{
		{now.Add(-20 * time.Minute), 9000}, // before what is shown
		{now.Add(-300 * time.Second), 50},
		{now.Add(-295 * time.Second), 100},
		{now.Add(-290 * time.Second), 0},
	}}
	c := newBacklogChart(h, "", now)
	if want := "0.0,100.0 0.0,100.0 500.0,100.0 500.0,51.0 508.3,2.0 516.7,100.0 516.7,100.0 1000.0,100.0"; c.Line != want {
		t.Errorf("the line is %s", c.Line)
	}
	if want := "100 events waited at most in the last 10 minutes, 0 at its end."; c.Words() != want {
		t.Errorf("in words: %s", c.Words())
	}
}

func TestABacklogThatWaitsNowReachesTheEndOfTheChart(t *testing.T) {
	now := time.Date(2026, 3, 4, 13, 0, 0, 0, time.UTC)
	h := backlogHistory{Complete: true, Minutes: []backlogSample{{now.Add(-90 * time.Second), 10}, {now.Add(-30 * time.Second), 20}}}
	c := newBacklogChart(h, "day", now)
	if !c.Day || c.Last != 20 || c.Most != 20 || c.Span() != 24*3600 {
		t.Errorf("%+v", c)
	}
	if c := newBacklogChart(backlogHistory{Complete: true}, "", now); c.Words() != "Nothing waited in the last 10 minutes." {
		t.Errorf("without samples: %s", c.Words())
	}
}
