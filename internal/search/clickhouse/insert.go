package clickhouse

import (
	"context"
	"errors"
	"fmt"

	engine "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"

	"github.com/trailhook/trailhook/internal/search"
)

// Insert implements [search.Store].
func (s *Store) Insert(ctx context.Context, records []search.Record, position uint64) (stored int, err error) {
	s.inserting.Lock()
	defer s.inserting.Unlock()
	stored, err = s.insert(ctx, records, position)
	if err != nil {
		return 0, fmt.Errorf("store %d records up to position %d: %w", len(records), position, err)
	}
	return stored, nil
}

func (s *Store) insert(ctx context.Context, records []search.Record, position uint64) (int, error) {
	// Read anew: what became of a commit that failed is not known.
	found, err := s.readState(ctx)
	if err != nil {
		return 0, err
	}
	if found.session != s.session {
		return 0, errors.New("another process has opened this store since, and writes to it: stop one of the two, then start this one again")
	}
	s.setState(found)
	if position <= found.position {
		return 0, nil
	}
	if records, err = s.arrived(ctx, &found, records); err != nil {
		return 0, err
	}
	found.skip(s.attempted)
	s.attempted += max(1, int64(len(records)))
	written, err := s.write(ctx, records, found.last)
	if err != nil {
		return 0, err
	}
	found.content.add(written)
	found.position, found.last = position, s.attempted
	if err := s.commit(ctx, found); err != nil {
		return 0, err
	}
	s.noteNewest(records, found.last)
	return len(records), nil
}

// write writes rows with ordinals after the one given, and returns what they have.
func (s *Store) write(ctx context.Context, records []search.Record, ordinal int64) (written content, err error) {
	if len(records) == 0 {
		return written, nil
	}
	var rows, untimed [][]any
	for i := range records {
		r, at := &records[i], ordinal+int64(i)+1
		rows = append(rows, rowOf(r, at, &written))
		if !r.Timed {
			untimed = append(untimed, []any{string(r.Identity[:]), search.Text(r.SourceID), r.Receipt.UnixMilli(), at})
		}
	}
	ctx = s.insertion(ctx)
	if len(untimed) > 0 {
		if err := s.writing.insert(ctx, "untimed", namesOf(untimedColumns[:]), untimed); err != nil {
			return written, fmt.Errorf("write identities: %w", err)
		}
	}
	if err := s.writing.insert(ctx, "records", namesOf(columns()), rows); err != nil {
		return written, fmt.Errorf("write records: %w", err)
	}
	return written, nil
}

// insertion has the servers of a cluster say when they have the rows, and not
// earlier.
func (s *Store) insertion(ctx context.Context) context.Context {
	if s.tables.cluster == "" {
		return ctx
	}
	return engine.Context(ctx, engine.WithSettings(engine.Settings{"insert_distributed_sync": 1}))
}

func namesOf(columns []column) (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// arrived returns those of the records that are not stored yet, one of each key.
func (s *Store) arrived(ctx context.Context, there *state, records []search.Record) (arrived []search.Record, err error) {
	seen := make(map[search.Key]bool, len(records))
	for i := range records {
		if key := records[i].Key(); !seen[key] {
			seen[key] = true
			arrived = append(arrived, records[i])
		}
	}
	stored, err := s.storedAmong(ctx, there, arrived)
	if err != nil || len(stored) == 0 {
		return arrived, err
	}
	fresh := arrived[:0]
	for i := range arrived {
		if !stored[arrived[i].Key()] {
			fresh = append(fresh, arrived[i])
		}
	}
	return fresh, nil
}

// storedAmong returns the keys of those records that are stored already, and maybe
// others. What a line says of its time, it says each time. One that says none, or
// said one that was not plausible, may have been stored at any time.
func (s *Store) storedAmong(ctx context.Context, there *state, records []search.Record) (map[search.Key]bool, error) {
	stored := map[search.Key]bool{}
	if len(records) == 0 {
		return stored, nil
	}
	asked, err := ext.NewTable("asked", ext.Column("time", "Int64"), ext.Column("identity", "FixedString(16)"))
	if err != nil {
		return nil, fmt.Errorf("look for repeated lines: %w", err)
	}
	for i := range records {
		if err := asked.Append(records[i].Time.UnixMilli(), string(records[i].Identity[:])); err != nil {
			return nil, fmt.Errorf("look for repeated lines: %w", err)
		}
	}
	ctx = engine.Context(ctx, engine.WithExternalTable(asked))
	in := s.tables.in()
	for _, from := range []string{
		`records WHERE "timed" = 1 AND ("time", "identity") ` + in + ` (SELECT "time", "identity" FROM asked)`,
		`untimed WHERE "identity" ` + in + ` (SELECT "identity" FROM asked)`,
	} {
		if err := s.collect(ctx, `SELECT "source_id", "identity" FROM `+from+` AND `+there.condition(), stored); err != nil {
			return nil, fmt.Errorf("look for repeated lines: %w", err)
		}
	}
	return stored, nil
}

func (s *Store) collect(ctx context.Context, statement string, stored map[search.Key]bool) error {
	rows, err := s.writing.conn.Query(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var sourceID, identity string
		if err := rows.Scan(&sourceID, &identity); err != nil {
			return err
		}
		stored[search.Key{SourceID: sourceID, Identity: [16]byte([]byte(identity))}] = true
	}
	return rows.Err()
}
