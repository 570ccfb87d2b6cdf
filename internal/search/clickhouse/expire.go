package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

const day = 24 * time.Hour // in UTC

// Oldest implements [search.Store].
func (s *Store) Oldest(ctx context.Context) (map[string]time.Time, error) {
	there := s.current()
	rows, err := s.reading.conn.Query(ctx, `SELECT "source_id", min("receipt") FROM records WHERE `+there.condition()+` GROUP BY "source_id"`)
	if err != nil {
		return nil, fmt.Errorf("find the oldest records: %w", err)
	}
	defer rows.Close()
	oldest := map[string]time.Time{}
	for rows.Next() {
		var sourceID string
		var receipt int64
		if err := rows.Scan(&sourceID, &receipt); err != nil {
			return nil, fmt.Errorf("find the oldest records: %w", err)
		}
		oldest[sourceID] = time.UnixMilli(receipt).UTC()
	}
	return oldest, rows.Err()
}

// Expire implements [search.Store]. A day that has records of no other source is
// dropped as a whole, which costs nothing; of others the engine writes anew what
// stays. If that fails, what expires is seen no more, and deleted by the next call
// or, if this process ends before, by the engine before the store is opened again.
func (s *Store) Expire(ctx context.Context, sourceID string, before time.Time) (removed int, err error) {
	s.expiring.Lock()
	defer s.expiring.Unlock()
	x := &expired{search.Text(sourceID), before}
	if err := s.views.hide(ctx, x); err != nil {
		s.views.reveal(x)
		return 0, fmt.Errorf("expire records of source %s: wait for searches that read them: %w", sourceID, err)
	}
	if removed, err = s.remove(ctx, x); err != nil {
		return 0, fmt.Errorf("expire records of source %s: %w", sourceID, err)
	}
	s.views.reveal(x)
	return removed, nil
}

func (s *Store) remove(ctx context.Context, x *expired) (removed int, err error) {
	removed, left, err := s.dropDays(ctx, x)
	if err != nil {
		return 0, err
	}
	if left {
		for _, table := range []string{"records", "untimed"} {
			if err := s.delete(ctx, table, x.condition()); err != nil {
				return 0, err
			}
		}
	}
	return removed, s.waitForDeletions(ctx)
}

// dropDays drops the days of which everything expires, and returns how many
// records expire, and whether some are left on other days. Nothing is inserted
// meanwhile: it would be dropped with its day.
func (s *Store) dropDays(ctx context.Context, x *expired) (removed int, left bool, err error) {
	s.inserting.Lock()
	defer s.inserting.Unlock()
	days, err := s.daysOf(ctx, x.condition())
	if err != nil {
		return 0, false, err
	}
	for _, d := range days {
		removed += int(d.expired)
		if d.expired != d.records {
			left = true
			continue
		}
		for _, table := range []string{"records", "untimed"} {
			if err := s.drop(ctx, table, d.number); err != nil {
				return 0, false, err
			}
		}
	}
	return removed, left, nil
}

// dayOf is a day of receipt, counted from the epoch.
type dayOf struct {
	number           int64
	expired, records uint64
}

// daysOf returns the days that have records of which the condition is true.
func (s *Store) daysOf(ctx context.Context, condition string) (days []dayOf, err error) {
	there := s.current()
	rows, err := s.writing.conn.Query(ctx, fmt.Sprintf(`SELECT intDiv("receipt", %d) AS "day", sum(%s) AS "expired", count() FROM records WHERE %s
		GROUP BY "day" HAVING "expired" > 0 ORDER BY "day"`, day.Milliseconds(), `if(`+condition+`, 1, 0)`, there.condition()))
	if err != nil {
		return nil, fmt.Errorf("count them: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d dayOf
		if err := rows.Scan(&d.number, &d.expired, &d.records); err != nil {
			return nil, fmt.Errorf("count them: %w", err)
		}
		days = append(days, d)
	}
	return days, rows.Err()
}

func (s *Store) drop(ctx context.Context, table string, day int64) error {
	err := s.writing.conn.Exec(ctx, fmt.Sprintf(`ALTER TABLE %s%s DROP PARTITION (%d, 0)`, s.tables.local(table), s.tables.on(), day))
	if err != nil {
		return fmt.Errorf("drop a day of %s: %w", table, err)
	}
	return nil
}

// delete has the engine delete rows, which it does in its own time.
func (s *Store) delete(ctx context.Context, table, condition string) error {
	err := s.writing.conn.Exec(ctx, `ALTER TABLE `+s.tables.local(table)+s.tables.on()+` DELETE WHERE `+condition)
	if err != nil {
		return fmt.Errorf("delete from %s: %w", table, err)
	}
	return nil
}

// The pause between two looks at whether the engine has deleted doubles from the
// first to the last.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// waitForDeletions returns when the engine has deleted what it was told to.
func (s *Store) waitForDeletions(ctx context.Context) error {
	mutations := `system.mutations`
	if s.tables.cluster != "" {
		mutations = `cluster(` + quoted(s.tables.cluster) + `, system, mutations)`
	}
	statement := `SELECT count() FROM ` + mutations + ` WHERE database = currentDatabase() AND is_done = 0 AND table IN ('` +
		s.tables.local("records") + `', '` + s.tables.local("untimed") + `')`
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		var left uint64
		if err := queryOne(ctx, s.writing.conn, statement, &left); err != nil {
			return fmt.Errorf("look for what is still to be deleted: %w", err)
		}
		if left == 0 {
			return nil
		}
		if pause < lastPause && 2*pause >= lastPause {
			s.logger.InfoContext(ctx, "the server is still deleting records; what fails of it, its table system.mutations says", "deletions", left)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("wait for %d deletions: %w", left, ctx.Err())
		}
	}
}
