package loadtest

import (
	"math/bits"
	"sync"
)

// bitset is a set of numbers from 0 on.
type bitset []uint64

// add reports whether the number was new.
func (b *bitset) add(number uint64) bool {
	word, bit := int(number/64), uint64(1)<<(number%64)
	for len(*b) <= word {
		*b = append(*b, 0)
	}
	known := (*b)[word]&bit != 0
	(*b)[word] |= bit
	return !known
}

// without counts the numbers that other has not.
func (b bitset) without(other bitset) (count uint64) {
	for i, word := range b {
		if i < len(other) {
			word &^= other[i]
		}
		count += uint64(bits.OnesCount64(word))
	}
	return count
}

// ledger holds what is owed of one sort of thing that was sent, by number: for each
// that was acknowledged, one event of every kind; and what of that was found.
type ledger struct {
	kinds []string

	mu           sync.Mutex
	acknowledged bitset
	found        []bitset // of each kind
	given        uint64   // numbers: those below it were sent
}

func newLedger(kinds ...string) *ledger {
	return &ledger{kinds: kinds, found: make([]bitset, len(kinds))}
}

// acknowledge notes that count numbers were, from first on.
func (l *ledger) acknowledge(first uint64, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range uint64(count) {
		l.acknowledged.add(first + i)
	}
}

// owed is how many events are to be found.
func (l *ledger) owed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acknowledged.without(nil) * uint64(len(l.kinds))
}

// forget begins to look anew. Numbers below given were sent.
func (l *ledger) forget(given uint64) { l.found, l.given = make([]bitset, len(l.kinds)), given }

// find notes that an event was found, and reports whether it is one that there can
// be, and whether for the first time.
func (l *ledger) find(kind string, number uint64) (known, first bool) {
	if number >= l.given { // forged: it shall not make the sets grow
		return false, false
	}
	for i, k := range l.kinds {
		if k == kind {
			return true, l.found[i].add(number)
		}
	}
	return false, false
}

// lost is how many events are owed and were not found.
func (l *ledger) lost() (count uint64) {
	for _, found := range l.found {
		count += l.acknowledged.without(found)
	}
	return count
}

// ledgers are those of a run.
type ledgers struct {
	calls  *ledger // requests of the first phase
	bodies *ledger // requests of the second, which are calls too
	events *ledger // what is in the bodies
}

func newLedgers() ledgers {
	return ledgers{
		calls:  newLedger("authentication", "authorization"),
		bodies: newLedger("authentication", "authorization", "access"),
		events: newLedger("authorization"),
	}
}

func (l ledgers) all() []*ledger { return []*ledger{l.calls, l.bodies, l.events} }

func (l ledgers) owed() (count uint64) {
	for _, one := range l.all() {
		count += one.owed()
	}
	return count
}

func (l ledgers) lost() (count uint64) {
	for _, one := range l.all() {
		count += one.lost()
	}
	return count
}
