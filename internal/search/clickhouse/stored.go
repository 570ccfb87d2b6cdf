package clickhouse

import (
	"context"
	"fmt"

	"github.com/trailhook/trailhook/internal/search"
)

// Stored implements [search.Store]. The engine skips the parts of the table whose
// ordinals are all before the one given.
func (s *Store) Stored(ctx context.Context, sourceID string, after int64, limit int) ([]search.Stored, error) {
	sourceID = search.Text(sourceID)
	there := s.current()
	last, err := s.lastOf(ctx, sourceID)
	if err != nil {
		return nil, fmt.Errorf("find the last records: %w", err)
	}
	if after >= last || limit <= 0 {
		return nil, nil
	}
	stored, err := s.storedAfter(ctx, fmt.Sprintf(`"source_id" = %s AND "ordinal" > %d AND %s`, literal(sourceID), after, there.condition()), limit)
	if err != nil {
		return nil, fmt.Errorf("read what was stored: %w", err)
	}
	return stored, nil
}

// Last implements [search.Store].
func (s *Store) Last(context.Context) (int64, error) { return s.current().last, nil }

// storedAfter looks for the ordinals first, as a search does.
func (s *Store) storedAfter(ctx context.Context, condition string, limit int) (stored []search.Stored, err error) {
	ctx = readOnly(ctx)
	last, err := s.lastToRead(ctx, condition, limit)
	if err != nil || last == 0 {
		return nil, err
	}
	rows, err := s.reading.conn.Query(ctx, fmt.Sprintf(`SELECT %s FROM records WHERE %s AND "ordinal" <= %d ORDER BY "ordinal"`, readList(), condition, last))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		read := newReader()
		record, err := read.record(rows)
		if err != nil {
			return nil, err
		}
		stored = append(stored, search.Stored{Ordinal: read.ordinal, Raw: record.Raw})
	}
	return stored, rows.Err()
}

// lastToRead returns the ordinal of the last of the first records that match: of
// so many, and of about so many bytes, but of one at least; 0 if none does.
func (s *Store) lastToRead(ctx context.Context, condition string, limit int) (last int64, err error) {
	rows, err := s.reading.conn.Query(ctx, fmt.Sprintf(`SELECT "ordinal", "size" FROM records WHERE %s ORDER BY "ordinal" LIMIT %d`, condition, limit))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	bytes, full := 0, false
	for rows.Next() {
		var ordinal int64
		var size uint32
		if err := rows.Scan(&ordinal, &size); err != nil {
			return 0, err
		}
		bytes += int(size)
		if full = full || last > 0 && bytes > search.StoredBytes; !full {
			last = ordinal
		} // and on to the end of the answer, which is short
	}
	return last, rows.Err()
}

// lastOf returns the last ordinal of the source, and 0 if it has none.
func (s *Store) lastOf(ctx context.Context, sourceID string) (int64, error) {
	s.newestMu.Lock()
	defer s.newestMu.Unlock()
	if s.newest != nil {
		return s.newest[sourceID], nil
	}
	there := s.current() // after the lock: what is committed later is noted later
	rows, err := s.reading.conn.Query(ctx, `SELECT "source_id", max("ordinal") FROM records WHERE `+there.condition()+` GROUP BY "source_id"`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	newest := map[string]int64{}
	for rows.Next() {
		var id string
		var ordinal int64
		if err := rows.Scan(&id, &ordinal); err != nil {
			return 0, err
		}
		newest[id] = ordinal
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	s.newest = newest
	return newest[sourceID], nil
}

// noteNewest notes records that are stored, the last with that ordinal.
func (s *Store) noteNewest(records []search.Record, last int64) {
	s.newestMu.Lock()
	defer s.newestMu.Unlock()
	if s.newest == nil { // whoever asks first reads it
		return
	}
	for i := range records {
		s.newest[search.Text(records[i].SourceID)] = last - int64(len(records)-1-i)
	}
}
