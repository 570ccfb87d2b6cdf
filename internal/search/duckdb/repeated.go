package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	// A part of the lines that are asked about together spans no gap of time in
	// which there are none, if there are few such parts: each is a statement, and
	// reads the identities of the records between its first time and its last.
	gap      = 60 * 60 * 1000 // ms
	maxParts = 16
)

// markStored sets those keys to true whose records are stored already. What a
// line says of its time, it says each time: so the engine need look at few
// records but those of that time. A line that says none may have been stored at
// any time, but among its like.
func (s *Store) markStored(ctx context.Context, tx *sql.Tx, asked []search.Record, keys map[search.Key]bool) error {
	_, err := tx.ExecContext(ctx,
		`CREATE OR REPLACE TEMP TABLE asked ("at" INTEGER, "time" BIGINT, "timed" BOOLEAN, "source_id" VARCHAR, "identity" UUID)`)
	if err != nil {
		return fmt.Errorf("make room for repeated lines: %w", err)
	}
	rows := make([][]driver.Value, len(asked))
	for i := range asked {
		key := asked[i].Key()
		rows[i] = []driver.Value{int32(i), asked[i].Time.UnixMilli(), asked[i].Timed, key.SourceID, engine.UUID(key.Identity)}
	}
	if err := s.appendTo(ctx, "temp", "asked", []string{"at", "time", "timed", "source_id", "identity"}, rows); err != nil {
		return err
	}
	found := 0
	for _, part := range parts(asked) {
		n, err := mark(ctx, tx, asked, keys, `SELECT "at" FROM temp.asked JOIN records USING ("time", "identity", "source_id")
			WHERE asked."timed" AND records."timed" AND records."time" BETWEEN ? AND ?`, part.from, part.to)
		if err != nil {
			return err
		}
		found += n
	}
	if found == len(asked) {
		return nil
	}
	// A line may have been stored without its time, which was not plausible then.
	_, err = mark(ctx, tx, asked, keys,
		`SELECT "at" FROM temp.asked JOIN records USING ("identity", "source_id") WHERE NOT records."timed"`)
	return err
}

func mark(
	ctx context.Context, tx *sql.Tx, asked []search.Record, keys map[search.Key]bool, statement string, args ...any,
) (found int, err error) {
	rows, err := tx.QueryContext(ctx, statement, args...)
	if err != nil {
		return 0, fmt.Errorf("look for repeated lines: %w", err)
	}
	defer rows.Close()
	for ; rows.Next(); found++ {
		var at int
		if err := rows.Scan(&at); err != nil {
			return 0, fmt.Errorf("look for repeated lines: %w", err)
		}
		keys[asked[at].Key()] = true
	}
	return found, rows.Err()
}

// part is a span of time, in milliseconds, both ends included.
type part struct{ from, to int64 }

// parts covers the times of the lines that say theirs.
func parts(asked []search.Record) []part {
	var times []int64
	for i := range asked {
		if asked[i].Timed {
			times = append(times, asked[i].Time.UnixMilli())
		}
	}
	if len(times) == 0 {
		return nil
	}
	slices.Sort(times)
	parts := []part{{times[0], times[0]}}
	for _, t := range times {
		last := &parts[len(parts)-1]
		if t > last.to && uint64(t-last.to) > gap {
			parts = append(parts, part{t, t})
			continue
		}
		last.to = t
	}
	if len(parts) > maxParts {
		return []part{{times[0], times[len(times)-1]}}
	}
	return parts
}
