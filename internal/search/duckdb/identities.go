package duckdb

import (
	"encoding/binary"
	"sync"
)

// identities is a filter of the identities of all records: what it does not know
// is not stored, what it knows is stored but for one in some hundred million. So
// the table is asked about repeated lines only.
//
// An identity takes 5 bytes. Beyond the bound, and until the filter has been
// filled after the start, it says of each that it may be stored: then the table
// is asked about every line, which the time of most lines makes cheap; see
// [search.Record.Timed].
//
// An identity is the beginning of a SHA-256, so its own bits serve as hashes.
type identities struct {
	mu      sync.Mutex
	bound   int // bytes
	layers  []layer
	full    bool // the bound was reached: what is not known may be stored
	filled  bool // everything that was stored before the start is known
	removed int  // records deleted since the filter was begun, whose identities are still known
}

const (
	bucketTags = 16 // of 4 bytes: a line of the processor's cache
	// A bucket takes what another cannot: with two to choose from, at this share
	// of them filled there is hardly ever none.
	fillPercent  = 85
	firstBuckets = 1 << 12 // 256 KiB
	growth       = 4       // of a layer, over the one before
)

// layer is a table of tags, each in one of two buckets that its identity names.
// A layer that is filled stays as it is, for tags cannot be moved.
type layer struct {
	buckets [][bucketTags]uint32 // 0 is no tag
	tags    int
}

func newIdentities(bound int) *identities { return &identities{bound: bound} }

// mayHave says whether the identity may be stored.
func (f *identities) mayHave(id [16]byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full || !f.filled {
		return true
	}
	for i := range f.layers {
		if f.layers[i].has(id) {
			return true
		}
	}
	return false
}

// add notes identities that are stored, or may come to be.
func (f *identities) add(ids ...[16]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.addOne(id)
	}
}

func (f *identities) addOne(id [16]byte) {
	if f.full || len(f.layers) > 0 && f.layers[len(f.layers)-1].add(id) {
		return
	}
	if !f.grow() {
		f.full = true
		f.layers = nil
		return
	}
	f.layers[len(f.layers)-1].add(id)
}

// grow adds a layer within the bound.
func (f *identities) grow() bool {
	size, used := firstBuckets, 0
	for _, l := range f.layers {
		size = growth * len(l.buckets)
		used += len(l.buckets)
	}
	const bucketBytes = bucketTags * 4
	for size >= firstBuckets && (used+size)*bucketBytes > f.bound {
		size /= 2
	}
	if size < firstBuckets {
		return false
	}
	f.layers = append(f.layers, layer{buckets: make([][bucketTags]uint32, size)})
	return true
}

// forget notes how many records were deleted, and says nothing of which: their
// identities stay until the filter is made anew.
func (f *identities) forget(records int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removed += records
}

// begin makes the filter anew: it says of everything that it may be stored until
// done is called.
func (f *identities) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.layers, f.full, f.filled, f.removed = nil, false, false, 0
}

func (f *identities) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filled = true
}

// stale says whether most of what the filter knows was deleted.
func (f *identities) stale() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.removed > 0 && (f.full || f.removed > f.tags()/2)
}

// tags is how many identities are known.
func (f *identities) tags() (n int) {
	for _, l := range f.layers {
		n += l.tags
	}
	return n
}

func (l *layer) places(id [16]byte) (first, second int, tag uint32) {
	n := uint32(len(l.buckets)) // a power of two
	tag = binary.LittleEndian.Uint32(id[8:])
	if tag == 0 {
		tag = 1
	}
	return int(binary.LittleEndian.Uint32(id[0:]) & (n - 1)), int(binary.LittleEndian.Uint32(id[4:]) & (n - 1)), tag
}

func (l *layer) has(id [16]byte) bool {
	first, second, tag := l.places(id)
	for _, bucket := range [...]*[bucketTags]uint32{&l.buckets[first], &l.buckets[second]} {
		for _, t := range bucket {
			if t == tag {
				return true
			}
		}
	}
	return false
}

// add takes the identity unless the layer is filled.
func (l *layer) add(id [16]byte) bool {
	if l.tags >= len(l.buckets)*bucketTags*fillPercent/100 {
		return false
	}
	first, second, tag := l.places(id)
	a, b := &l.buckets[first], &l.buckets[second]
	if free(b) > free(a) {
		a = b
	}
	for i, t := range a {
		if t == 0 {
			a[i] = tag
			l.tags++
			return true
		}
	}
	return false
}

func free(bucket *[bucketTags]uint32) (n int) {
	for _, t := range bucket {
		if t == 0 {
			n++
		}
	}
	return n
}
