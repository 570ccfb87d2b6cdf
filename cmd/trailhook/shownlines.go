package main

import (
	"crypto/sha256"
	"maps"
	"strconv"
	"time"
)

// shownLines knows again the lines that a tail has shown, as far back as the server
// may send them once more when the tail goes on: to the place that an event's id
// tells, in milliseconds of the time of receipt.
type shownLines struct {
	found map[lineID]bool      // by a search before the tail
	shown map[lineID]time.Time // by the tail, with the time of receipt
	most  int                  // of these, before the old ones are forgotten
}

// lineID tells a line from others.
type lineID [16]byte

func idOf(o object) lineID {
	source, _ := o.get("_source")
	at, _ := o.get("_receipttime")
	raw, _ := o.get("_raw")
	sum := sha256.Sum256([]byte(source + "\n" + at + "\n" + raw))
	return lineID(sum[:16])
}

// find notes a line that a search found.
func (s *shownLines) find(o object) {
	if s.found == nil {
		s.found = map[lineID]bool{}
	}
	s.found[idOf(o)] = true
}

// first says whether a line is to be shown: whether it was not before.
func (s *shownLines) first(o object, place string) bool {
	id := idOf(o)
	if _, again := s.shown[id]; again || s.found[id] {
		return false
	}
	if s.shown == nil {
		s.shown = map[lineID]time.Time{}
	}
	text, _ := o.get("_receipttime")
	receipt, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return true // of a server that does not say when: it could never be forgotten
	}
	s.shown[id] = receipt
	if len(s.shown) > s.most {
		s.forget(place)
	}
	return true
}

// forget leaves out what was received before the place: seldom, as it takes time.
func (s *shownLines) forget(place string) {
	const few = 1000
	if ms, err := strconv.ParseInt(place, 10, 64); err == nil {
		maps.DeleteFunc(s.shown, func(_ lineID, receipt time.Time) bool { return receipt.UnixMilli() < ms })
	}
	s.most = max(few, 2*len(s.shown))
}
