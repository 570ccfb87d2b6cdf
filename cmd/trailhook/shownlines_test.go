package main

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

func TestALineIsShownOnceAndForgottenWhenItCannotComeAgain(t *testing.T) {
	begin := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	line := func(second int) object {
		return object{{"_source", "App"}, {"_receipttime", begin.Add(time.Duration(second) * time.Second).Format("2006-01-02T15:04:05.000Z07:00")}, {"_raw", fmt.Sprint("line ", second)}}
	}
	var s shownLines
	s.find(line(-1))
	const count = 20_000
	for second := range count {
		place := strconv.FormatInt(begin.Add(time.Duration(second-10)*time.Second).UnixMilli(), 10)
		if !s.first(line(second), place) || s.first(line(second), place) || second >= 10 && s.first(line(second-10), place) {
			t.Fatalf("line %d is not shown once", second)
		}
	}
	if s.first(line(-1), "0") {
		t.Error("a line that the search found is shown again")
	}
	if len(s.shown) > 2000 {
		t.Errorf("%d lines are remembered", len(s.shown))
	}
}
