package duckdb

import (
	"math"
	"sync"

	"github.com/trailhook/trailhook/internal/search"
)

// traces is a filter of the traces of all records, by where in the order of storing
// they are: a query for one trace reads of the table only the part that may have
// it, however much is stored. The events of a trace come close together, so the
// part is small; and of what is not there hardly ever anything is read, for a
// section has a trace by mistake once in some thousand times.
//
// A record takes 2 bytes. Beyond the bound the oldest sections are given up, and
// until the filter has been filled after the start it knows nothing: then what is
// not known is read.
type traces struct {
	mu       sync.Mutex
	bound    int // sections
	sections map[int64]*section
	first    int64 // the sections before are not known
	filled   bool
}

// section is a filter of the traces of so many records: of each, a bit in every
// word of one block, which is a line of the processor's cache.
type section [sectionLines / 32][8]uint64

const (
	sectionBits  = 17
	sectionLines = 1 << sectionBits
)

// traceBytes bounds the filter; that is good for 32 million lines.
const traceBytes = 64 << 20

func newTraces(bytes int) *traces {
	return &traces{bound: bytes / (2 * sectionLines), sections: map[int64]*section{}}
}

// add notes the trace of a record that is stored, or may come to be.
func (f *traces) add(ordinal int64, trace uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := ordinal >> sectionBits
	if at < f.first {
		return
	}
	s := f.sections[at]
	if s == nil {
		s = new(section)
		f.sections[at] = s
		for len(f.sections) > f.bound {
			delete(f.sections, f.first)
			f.first++
		}
	}
	h := hashOf(trace)
	block := &s[h>>48%uint64(len(s))]
	for i := range block {
		block[i] |= 1 << (h & 63)
		h >>= 6
	}
}

func (s *section) has(trace uint64) bool {
	h := hashOf(trace)
	block := &s[h>>48%uint64(len(s))]
	for i := range block {
		if block[i]&(1<<(h&63)) == 0 {
			return false
		}
		h >>= 6
	}
	return true
}

// hashOf is the mixing of SplitMix64: traces need not be random.
func hashOf(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// part returns the ordinals that records of the trace may have, both ends included;
// the end is before the beginning where there are none. It is not ok where
// nothing is known.
func (f *traces) part(trace uint64) (p part, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.filled {
		return part{}, false
	}
	p = part{from: math.MaxInt64, to: -1}
	if f.first > 0 {
		p = part{from: 0, to: f.first<<sectionBits - 1}
	}
	for at, s := range f.sections {
		if s.has(trace) {
			p.from = min(p.from, at<<sectionBits)
			p.to = max(p.to, (at+1)<<sectionBits-1)
		}
	}
	return p, true
}

// begin makes the filter anew: it knows nothing until done is called.
func (f *traces) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sections, f.first, f.filled = map[int64]*section{}, 0, false
}

func (f *traces) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filled = true
}

// traceColumn is the column whose values the filter knows.
const traceColumn = "trace_id"

// traceOf returns the trace that all records must have which the query matches, if
// it asks for one.
func traceOf(query search.Expr) (trace uint64, ok bool) {
	for _, term := range conjuncts(query) {
		e, isCompare := term.(search.Compare)
		if !isCompare || search.Text(e.Field) != traceColumn || len(e.Value) != 1 {
			continue
		}
		// What the column cannot hold is elsewhere.
		if v, ok := large.value(search.Fold(e.Value[0]), 0); ok {
			return v.(uint64), true
		}
	}
	return 0, false
}
