package collector

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/broker"
)

const (
	// keepInterval is how often is written when the sources received their last
	// lines: a crash makes that so much older.
	keepInterval = 5 * time.Minute
	// keepGrace is how long the last time may take, when the server stops.
	keepGrace = 5 * time.Second

	// dayMinutes is for how many minutes, the present one included, it is known
	// what came in each.
	dayMinutes = 24 * 60
)

// Statistics tell what each source has taken, refused and stored since the
// server started, and when it received its last line ever. They are kept in
// memory, but for the latter.
type Statistics struct {
	catalog *Catalog
	sources *sources
	logger  *slog.Logger
}

// NewStatistics makes Statistics of what the metrics' owners count. Run must be
// running for sources that were deleted to be forgotten.
func NewStatistics(catalog *Catalog, metrics *Metrics, logger *slog.Logger) *Statistics {
	return &Statistics{catalog: catalog, sources: metrics.sources, logger: logger}
}

// Counts are what a source has done with what was sent to it.
type Counts struct {
	Received    uint64            // lines that were taken
	Stored      uint64            // of these, lines that the store took
	Duplicates  uint64            // and that it had already
	Quarantined uint64            // lines that were set apart, duplicates included
	Verdicts    map[string]uint64 // lines by the verdict on their signature, as [audit.Verdict] words it
	Rejected    map[string]uint64 // requests of which no line was acknowledged, by reason
	LastAt      time.Time         // of the last receipt, before the start too; zero: never
	LastMinute  Rates
	LastHour    Rates
}

// Rates are averages a second, over a time or since the start if that is shorter.
type Rates struct {
	Received, Stored, Duplicates, Invalid, Rejected float64
}

// Minutes are what was counted in each minute of a day, or since the start if
// that is shorter, oldest first. The last is the present one.
type Minutes struct {
	From                                            time.Time // when the first began
	Received, Stored, Duplicates, Invalid, Rejected []uint32
}

// Since is when the counting began.
func (s *Statistics) Since() time.Time { return s.sources.began.UTC().Truncate(time.Millisecond) }

// Of returns the counts of a source.
func (s *Statistics) Of(sourceID int64) Counts {
	of, now := s.sources.of(sourceID), time.Now()
	c := Counts{
		Received: of.received.Load(), Stored: of.stored.Load(), Duplicates: of.duplicates.Load(), Quarantined: of.quarantined.Load(),
		Verdicts: map[string]uint64{}, Rejected: of.refusals(), LastAt: s.lastAt(sourceID),
		LastMinute: s.rates(of, now, 1), LastHour: s.rates(of, now, 60),
	}
	for v := range of.verdicts {
		c.Verdicts[audit.Verdict(v).String()] = of.verdicts[v].Load()
	}
	return c
}

// Server returns what was refused that no source can be named for, by reason:
// requests, and syslog messages over UDP for which there was no room.
func (s *Statistics) Server() map[string]uint64 { return s.sources.of(thisServer).refusals() }

// Minutes returns what a source has counted minute by minute.
func (s *Statistics) Minutes(sourceID int64) Minutes {
	of, last := s.sources.of(sourceID), minuteOf(time.Now())
	first := max(minuteOf(s.sources.began), last-dayMinutes+1)
	each := func(what measure) []uint32 {
		list := make([]uint32, 0, last-first+1)
		for minute := first; minute <= last; minute++ {
			list = append(list, of.counted(what, minute))
		}
		return list
	}
	return Minutes{
		From: time.Unix(first*60, 0).UTC(), Received: each(linesReceived), Stored: each(linesStored),
		Duplicates: each(linesDuplicate), Invalid: each(linesInvalid), Rejected: each(timesRejected),
	}
}

// rates are those of the last minutes. Of the first of them, which began before
// that time, counts what falls into it if all of it came evenly.
func (s *Statistics) rates(of *sourceCounts, now time.Time, minutes int64) Rates {
	present := minuteOf(now)
	passed := now.Sub(time.Unix(present*60, 0)).Seconds() / 60
	span := time.Duration(minutes) * time.Minute
	over := max(min(span, now.Sub(s.sources.began)), time.Second).Seconds()
	rate := func(what measure) float64 {
		sum := (1 - passed) * float64(of.counted(what, present-minutes))
		for minute := present - minutes + 1; minute <= present; minute++ {
			sum += float64(of.counted(what, minute))
		}
		return sum / over
	}
	return Rates{rate(linesReceived), rate(linesStored), rate(linesDuplicate), rate(linesInvalid), rate(timesRejected)}
}

func (s *Statistics) lastAt(sourceID int64) time.Time {
	kept, _ := s.catalog.lastLines.Get(key(sourceID)) // none: it has received nothing before
	if ms := s.sources.of(sourceID).last.Load(); ms > 0 {
		return time.UnixMilli(ms).UTC()
	}
	return kept.Value
}

// Run keeps what outlives the server, and forgets sources that were deleted, at
// intervals and once more when ctx ends.
func (s *Statistics) Run(ctx context.Context) {
	ticker := time.NewTicker(keepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.keep(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepGrace)
			defer cancel()
			s.keep(last)
			return
		}
	}
}

// keep writes what has changed. What cannot be written now is tried again at
// the next interval.
func (s *Statistics) keep(ctx context.Context) {
	known := func(id int64) bool {
		_, err := s.catalog.Source(id)
		return err == nil
	}
	s.sources.forget(known)
	if err := s.catalog.forgetLastLines(ctx, known); err != nil {
		s.logger.Warn("cannot forget a deleted source; trying again later", "error", err)
	}
	s.sources.each.Range(func(id, counts any) bool {
		if id == int64(thisServer) || counts.(*sourceCounts).last.Load() == 0 {
			return true
		}
		if err := s.catalog.keepLastLine(ctx, id.(int64), s.lastAt(id.(int64))); err != nil {
			s.logger.Warn("cannot write when sources received their last lines; trying again later", "error", err)
			return false
		}
		return true
	})
}

// keepLastLine writes when a source received its last line, if that is new.
func (c *Catalog) keepLastLine(ctx context.Context, sourceID int64, at time.Time) error {
	kept, err := c.lastLines.Get(key(sourceID))
	if err == nil && !at.After(kept.Value) {
		return nil
	}
	return c.lastLines.Put(ctx, key(sourceID), at)
}

func (c *Catalog) forgetLastLines(ctx context.Context, known func(id int64) bool) error {
	for _, entry := range c.lastLines.List("") {
		if known(parseKey(entry.Key)) {
			continue
		}
		if err := c.lastLines.Delete(ctx, entry.Key, entry.Revision); err != nil && !errors.Is(err, broker.ErrConflict) {
			return err
		}
	}
	return nil
}
