package duckdb

import (
	"context"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// Oldest implements [search.Store].
func (s *Store) Oldest(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT "source_id", min("receipt") FROM records GROUP BY "source_id"`)
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

// Expire implements [search.Store]. The space is used again for records to come:
// the file does not shrink.
func (s *Store) Expire(ctx context.Context, sourceID string, before time.Time) (removed int, err error) {
	s.expiring.Lock()
	defer s.expiring.Unlock()
	defer s.views.reveal()
	sourceID = search.Text(sourceID)
	if err := s.views.hide(ctx, &expired{sourceID, before}); err != nil {
		return 0, fmt.Errorf("expire records of source %s: wait for searches that read them: %w", sourceID, err)
	}
	if removed, err = s.remove(ctx, sourceID, before); err != nil {
		return 0, fmt.Errorf("expire records of source %s: %w", sourceID, err)
	}
	s.identities.forget(removed)
	if s.identities.stale() {
		s.fill(ctx)
	}
	return removed, nil
}

func (s *Store) remove(ctx context.Context, sourceID string, before time.Time) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	result, err := s.writer.ExecContext(ctx,
		`DELETE FROM records WHERE "source_id" = CAST(? AS VARCHAR) AND "receipt" < ?`, sourceID, wholeMilliseconds(before))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
