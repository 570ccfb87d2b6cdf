package collector

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trailhook/trailhook/audit"
)

// sources holds the counts of each source since the server started. Whoever
// counts takes no lock, but for what is rejected.
type sources struct {
	began time.Time
	each  sync.Map // *sourceCounts by the source's id
}

// thisServer is the id under which is counted what no source can be named for,
// such as requests with an unknown token.
const thisServer = ownSourceID

func (s *sources) of(id int64) *sourceCounts {
	if counts, ok := s.each.Load(id); ok {
		return counts.(*sourceCounts)
	}
	counts, _ := s.each.LoadOrStore(id, &sourceCounts{})
	return counts.(*sourceCounts)
}

// forget drops the counts of sources that are no more.
func (s *sources) forget(known func(id int64) bool) {
	s.each.Range(func(id, _ any) bool {
		if id := id.(int64); id != thisServer && !known(id) {
			s.each.Delete(id)
		}
		return true
	})
}

// sourceCounts are what one source has taken, refused and stored.
type sourceCounts struct {
	received    atomic.Uint64
	stored      atomic.Uint64
	duplicates  atomic.Uint64
	quarantined atomic.Uint64
	verdicts    [verdictCount]atomic.Uint64
	last        atomic.Int64 // when lines were received last, in Unix milliseconds; 0: not yet
	hours       [hourCount]atomic.Pointer[hour]

	mu       sync.Mutex
	rejected map[string]uint64 // by reason; the reasons are this package's, and few
}

const verdictCount = int(audit.UnknownKey) + 1

// measure is what is also counted minute by minute.
type measure int

const (
	linesReceived measure = iota
	linesStored
	linesDuplicate
	linesInvalid
	timesRejected
	measureCount
)

// hourCount is one more than a day has, since the first and the last of a day's
// minutes may lie in the same hour of two days.
const hourCount = 25

// hour is made when something is counted in it: a source that nobody sends to
// costs nothing, and one that is never silent 30 KB.
type hour struct {
	number  int64 // since the epoch
	minutes [60][measureCount]atomic.Uint32
}

func (s *sourceCounts) count(what measure, n int, at time.Time) {
	if n == 0 {
		return
	}
	minute := minuteOf(at)
	s.hour(minute / 60).minutes[minute%60][what].Add(uint32(n))
}

func minuteOf(at time.Time) int64 { return at.Unix() / 60 }

// hour returns one to count in, in place of that of a day before.
func (s *sourceCounts) hour(number int64) *hour {
	place := &s.hours[number%hourCount]
	for {
		there := place.Load()
		if there != nil && there.number >= number {
			return there
		}
		fresh := &hour{number: number}
		if place.CompareAndSwap(there, fresh) {
			return fresh
		}
	}
}

// counted returns what was counted in a minute since the epoch.
func (s *sourceCounts) counted(what measure, minute int64) uint32 {
	there := s.hours[minute/60%hourCount].Load()
	if there == nil || there.number != minute/60 {
		return 0
	}
	return there.minutes[minute%60][what].Load()
}

func (s *sourceCounts) took(lines int, at time.Time) {
	if lines == 0 {
		return
	}
	s.received.Add(uint64(lines))
	s.count(linesReceived, lines, at)
	for ms := at.UnixMilli(); ; {
		last := s.last.Load()
		if last >= ms || s.last.CompareAndSwap(last, ms) {
			return
		}
	}
}

func (s *sourceCounts) refused(reason string, n int, at time.Time) {
	s.count(timesRejected, n, at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rejected == nil {
		s.rejected = map[string]uint64{}
	}
	s.rejected[reason] += uint64(n)
}

func (s *sourceCounts) refusals() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.rejected)
}

// indexed counts the lines of one insert.
func (s *sourceCounts) indexed(t *tally, at time.Time) {
	s.stored.Add(uint64(t.stored))
	s.duplicates.Add(uint64(t.lines - t.stored))
	if t.quarantined {
		s.quarantined.Add(uint64(t.lines))
	}
	for verdict, lines := range t.verdicts {
		s.verdicts[verdict].Add(uint64(lines))
	}
	s.count(linesStored, t.stored, at)
	s.count(linesDuplicate, t.lines-t.stored, at)
	s.count(linesInvalid, t.verdicts[audit.Invalid], at)
}
