package journal

import (
	"fmt"
	"math"
	"strconv"
)

// Position is the place of an event in the journal. Positions are compared as
// numbers; 0 is before every event.
//
// It is the sequence of the event's message in the upper 48 bits, and the
// event's place in the message, from 1, in the lower 16: for the last event of a
// message all ones, so that a position tells whether its message has more.
type Position uint64

const (
	indexBits = 16
	maxIndex  = 1<<indexBits - 1

	// never is after every event.
	never Position = math.MaxUint64
)

func positionOf(sequence uint64, index, events int) Position {
	if index == events-1 {
		return endOf(sequence)
	}
	return Position(sequence<<indexBits | uint64(index+1))
}

// endOf returns the position of a message's last event.
func endOf(sequence uint64) Position { return Position(sequence<<indexBits | maxIndex) }

// sequence returns the sequence of the message that holds the event.
func (p Position) sequence() uint64 { return uint64(p) >> indexBits }

// next returns the first sequence that can hold an event after p.
func (p Position) next() uint64 {
	if p&maxIndex == maxIndex {
		return p.sequence() + 1
	}
	return max(p.sequence(), 1)
}

// String is the position as text that [ParsePosition] reads.
func (p Position) String() string { return strconv.FormatUint(uint64(p), 36) }

// ParsePosition reads what [Position.String] wrote.
func ParsePosition(s string) (Position, error) {
	n, err := strconv.ParseUint(s, 36, 64)
	if err != nil {
		return 0, fmt.Errorf("journal: %q is no position", s)
	}
	return Position(n), nil
}
