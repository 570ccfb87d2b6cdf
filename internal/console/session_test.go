package console

import (
	"context"
	"strconv"
	"testing"
	"time"
)

func sessionsAt(c *clock) *sessions { return newSessions(c.now) }

func TestASessionEndsAnHourAfterItsLastUse(t *testing.T) {
	c := &clock{at: time.Now()}
	s := sessionsAt(c)
	id := s.begin("", siemHalf, credential{authorization: "a"})
	for range 3 {
		c.advance(sessionIdle - time.Second)
		if s.find(id) == nil {
			t.Fatal("a session that is used is over")
		}
	}
	c.advance(sessionIdle)
	if s.find(id) != nil {
		t.Error("a session that was not used for an hour goes on")
	}
	if len(s.byID) != 0 {
		t.Error("a session that is over takes memory")
	}
}

func TestASessionEndsTwelveHoursAfterItBeganHoweverItIsUsed(t *testing.T) {
	c := &clock{at: time.Now()}
	s := sessionsAt(c)
	id := s.begin("", siemHalf, credential{authorization: "a"})
	for range 11 {
		c.advance(time.Hour - time.Second)
		if s.find(id) == nil {
			t.Fatal("over before its time")
		}
	}
	// Signing in to the other half makes no younger what was signed in to before.
	id = s.begin(id, platformHalf, credential{authorization: "b"})
	both := s.find(id)
	if !both.holds(siemHalf) || !both.holds(platformHalf) {
		t.Fatal("the session does not hold both credentials")
	}
	c.advance(50 * time.Minute)
	s.find(id)
	c.advance(15 * time.Minute)
	if s.find(id) != nil {
		t.Error("a session goes on for more than 12 hours")
	}
}

func TestASignInMakesANewSessionAndEndsTheOld(t *testing.T) {
	s := sessionsAt(&clock{at: time.Now()})
	old := s.begin("", siemHalf, credential{authorization: "a"})
	before := s.find(old)
	id := s.begin(old, siemHalf, credential{authorization: "a"})
	if id == old || s.find(old) != nil || s.find(id) == nil {
		t.Error("the old session goes on")
	}
	if before.ended.Err() == nil {
		t.Error("what the old session streams goes on")
	}
}

func TestThereAreOnlySoManySessions(t *testing.T) {
	c := &clock{at: time.Now()}
	s := sessionsAt(c)
	firstOfAnn := s.begin("", siemHalf, credential{authorization: "ann"})
	bob := s.begin("", siemHalf, credential{authorization: "bob"})
	for range maxOwn {
		c.advance(time.Millisecond)
		s.begin("", siemHalf, credential{authorization: "ann"})
	}
	if s.find(firstOfAnn) != nil || s.find(bob) == nil {
		t.Error("one person's many sessions end others', or do not end their own")
	}
	for i := range maxSessions + 5 {
		c.advance(time.Millisecond)
		s.begin("", siemHalf, credential{authorization: strconv.Itoa(i)})
	}
	if len(s.byID) != maxSessions {
		t.Errorf("%d sessions", len(s.byID))
	}
}

func TestAStreamKeepsItsSessionAndEndsWithIt(t *testing.T) {
	c := &clock{at: time.Now()}
	s := sessionsAt(c)
	id := s.begin("", siemHalf, credential{authorization: "a"})
	ctx, done := s.stream(context.Background(), s.find(id))
	c.advance(2 * sessionIdle)
	if s.find(id) == nil {
		t.Fatal("a session whose tail is watched is over")
	}
	s.finish(id)
	<-ctx.Done()
	done()
	if s.find(id) != nil {
		t.Error("a session that was signed out of is there")
	}
}

func TestNoticesAreShownOnceAndBounded(t *testing.T) {
	s := sessionsAt(&clock{at: time.Now()})
	one := s.find(s.begin("", siemHalf, credential{authorization: "a"}))
	for range 2 * maxNotices {
		s.note(one, "done")
	}
	if n := len(s.takeNotices(one)); n != maxNotices {
		t.Errorf("%d notices", n)
	}
	if len(s.takeNotices(one)) != 0 {
		t.Error("a notice is shown twice")
	}
}
