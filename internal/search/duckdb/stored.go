package duckdb

import (
	"context"
	"fmt"

	"github.com/trailhook/trailhook/internal/search"
)

// storedWindow is how many ordinals Stored looks at first; from one empty window
// to the next it doubles.
const storedWindow = 10_000

// Stored implements [search.Store]. It reads a window of ordinals after the other,
// which are next to each other in the file, until one has records of the source.
func (s *Store) Stored(ctx context.Context, sourceID string, after int64, limit int) ([]search.Stored, error) {
	sourceID = search.Text(sourceID)
	last, err := s.lastOf(ctx, sourceID)
	if err != nil {
		return nil, err
	}
	for window := int64(storedWindow); after < last; after, window = after+window, 2*window {
		stored, err := s.storedWithin(ctx, sourceID, after, min(after+window, last), limit)
		if err != nil || len(stored) > 0 {
			return stored, err
		}
	}
	return nil, nil
}

// lastOf returns the last ordinal of the source, and 0 if it has none.
func (s *Store) lastOf(ctx context.Context, sourceID string) (int64, error) {
	s.newestMu.Lock()
	defer s.newestMu.Unlock()
	if s.newest != nil {
		return s.newest[sourceID], nil
	}
	rows, err := s.db.QueryContext(ctx, `SELECT "source_id", max("ordinal") FROM records GROUP BY "source_id"`)
	if err != nil {
		return 0, fmt.Errorf("find the last records: %w", err)
	}
	defer rows.Close()
	newest := map[string]int64{}
	for rows.Next() {
		var id string
		var ordinal int64
		if err := rows.Scan(&id, &ordinal); err != nil {
			return 0, fmt.Errorf("find the last records: %w", err)
		}
		newest[id] = ordinal
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("find the last records: %w", err)
	}
	s.newest = newest
	return newest[sourceID], nil
}

// noteNewest is called with what was stored, before the ordinal moves on.
func (s *Store) noteNewest(records []search.Record) {
	s.newestMu.Lock()
	defer s.newestMu.Unlock()
	if s.newest == nil { // whoever asks first reads it
		return
	}
	for i := range records {
		s.newest[search.Text(records[i].SourceID)] = s.state.ordinal + int64(i) + 1
	}
}

func (s *Store) storedWithin(ctx context.Context, sourceID string, after, to int64, limit int) ([]search.Stored, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+readList()+` FROM records
		WHERE "ordinal" > ? AND "ordinal" <= ? AND "source_id" = CAST(? AS VARCHAR) ORDER BY "ordinal" LIMIT ?`,
		after, to, sourceID, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("read what was stored: %w", err)
	}
	defer rows.Close()
	var stored []search.Stored
	size := 0
	read := newReader()
	for size < search.StoredBytes && rows.Next() {
		record, err := read.record(rows)
		if err != nil {
			return nil, err
		}
		stored = append(stored, search.Stored{Ordinal: read.ordinal, Raw: record.Raw})
		size += len(record.Raw)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what was stored: %w", err)
	}
	return stored, nil
}

// Last implements [search.Store].
func (s *Store) Last(context.Context) (int64, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.state.ordinal, nil
}
