package duckdb

import (
	"context"
	"fmt"

	"github.com/trailhook/trailhook/internal/search"
)

// storedPage bounds how many records one statement of Stored answers with: the
// engine holds the answer as a whole, and a line may be long.
const storedPage = 200

// Stored implements [search.Store].
func (s *Store) Stored(ctx context.Context, sourceID string, after int64, max int) ([]search.Stored, error) {
	list, err := s.stored(ctx, sourceID, after, min(max, storedPage))
	if err != nil {
		return nil, fmt.Errorf("read source %s after record %d: %w", sourceID, after, err)
	}
	return list, nil
}

func (s *Store) stored(ctx context.Context, sourceID string, after int64, max int) ([]search.Stored, error) {
	rows, err := s.db.QueryContext(ctx,
		`SELECT "ordinal", coalesce("raw", ''), "raw_bytes" FROM records WHERE "source_id" = ? AND "ordinal" > ? ORDER BY "ordinal" LIMIT ?`,
		sourceID, after, int64(max))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []search.Stored
	size := 0
	for rows.Next() && size < search.StoredBytes {
		var line search.Stored
		var invalid []byte // a line that is not valid UTF-8
		if err := rows.Scan(&line.Ordinal, &line.Raw, &invalid); err != nil {
			return nil, err
		}
		if invalid != nil {
			line.Raw = string(invalid)
		}
		size += len(line.Raw)
		list = append(list, line)
	}
	return list, rows.Err()
}

// Last implements [search.Store].
func (s *Store) Last(ctx context.Context) (int64, error) { return lastOrdinal(ctx, s.db) }
