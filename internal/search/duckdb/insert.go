package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/internal/search"
)

// Insert implements [search.Store].
func (s *Store) Insert(ctx context.Context, records []search.Record, position uint64) (stored int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	stored, err = s.insert(ctx, records, position)
	if err != nil {
		return 0, fmt.Errorf("store %d records up to position %d: %w", len(records), position, err)
	}
	return stored, nil
}

func (s *Store) insert(ctx context.Context, records []search.Record, to uint64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	// Not with ctx: database/sql gives up the connection of a transaction whose
	// context ends. What is done within the transaction ends with ctx.
	tx, err := s.writer.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	at, err := position(ctx, tx)
	if err != nil || to <= at {
		return 0, err
	}
	if records, err = s.arrived(ctx, tx, records); err != nil {
		return 0, err
	}
	// Known before they are stored: an insert that fails leaves identities behind
	// which are asked about once more than needed.
	for i := range records {
		s.identities.add(records[i].Identity)
	}
	s.extent.note(records)
	columns, rows := s.rows.table(records, s.state.ordinal)
	s.noteTraces(columns, rows)
	if err := s.appendTo(ctx, "", "records", columns, rows); err != nil {
		return 0, err
	}
	// As text, because database/sql refuses numbers above 2^63.
	next := state{ordinal: s.state.ordinal + int64(len(records)), content: s.state.content.and(s.rows.content)}
	_, err = tx.ExecContext(ctx, `UPDATE intake SET position = CAST(? AS UBIGINT), "ordinal" = ?, "odd" = ?, "upper" = ?, "wide" = ?, "forms" = ?`,
		strconv.FormatUint(to, 10), next.ordinal, int64(next.content.odd), int64(next.content.upper), int64(next.content.wide), int64(next.content.forms))
	if err != nil {
		return 0, fmt.Errorf("set the intake's position: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	s.noteNewest(records)
	s.state = next
	if s.logged += len(records); s.logged+len(records) > s.rowGroup {
		s.checkpoint(ctx)
	}
	return len(records), nil
}

// rowGroup is how many rows the engine compresses together.
const rowGroup = 122_880

// checkpoint has the engine put what is in its log into the tables. It does so by
// itself too, but not when that is a row group as nearly as can be: what is less or
// more it merges later, which writes all of it again, and the file grows by both.
func (s *Store) checkpoint(ctx context.Context) {
	s.logged = 0
	if _, err := s.writer.ExecContext(context.WithoutCancel(ctx), `CHECKPOINT`); err != nil {
		s.logger.DebugContext(ctx, "the engine's log stays for later", "error", err)
	}
}

// noteTraces is called with what is about to be stored, rows of these columns.
func (s *Store) noteTraces(columns []string, rows [][]driver.Value) {
	of := slices.Index(columns, traceColumn)
	if of < 0 {
		return
	}
	for i := range rows {
		if trace, ok := rows[i][of].(uint64); ok {
			s.traces.add(s.state.ordinal+int64(i)+1, trace)
		}
	}
}

// appendTo adds rows of so many columns to a table, within the transaction of the
// writer's connection.
func (s *Store) appendTo(ctx context.Context, catalog, table string, columns []string, rows [][]driver.Value) error {
	if len(rows) == 0 {
		return nil
	}
	return s.writer.Raw(func(conn any) error {
		appender, err := engine.NewAppenderWithColumns(conn.(driver.Conn), catalog, "main", table, columns)
		if err != nil {
			return fmt.Errorf("prepare the batch: %w", err)
		}
		for i := range rows {
			if err = appender.AppendRow(rows[i]...); err != nil {
				err = fmt.Errorf("write record %d of the batch: %w", i+1, err)
				break
			}
		}
		if closeErr := appender.CloseWithCancel(ctx); err == nil && closeErr != nil {
			err = fmt.Errorf("write the batch: %w", closeErr)
		}
		return err
	})
}

// arrived returns those of the records that are not stored yet, one of each key:
// the slice that it is given if all are to be stored, as nearly always.
func (s *Store) arrived(ctx context.Context, tx *sql.Tx, records []search.Record) ([]search.Record, error) {
	keys := make(map[search.Key]bool, len(records)) // true: not to be stored again
	var asked []search.Record
	repeated := 0
	for i := range records {
		key := records[i].Key()
		if _, twice := keys[key]; twice {
			repeated++
			continue
		}
		keys[key] = false
		if s.identities.mayHave(key.Identity) {
			asked = append(asked, records[i])
		}
	}
	if len(asked) > 0 {
		if err := s.markStored(ctx, tx, asked, keys); err != nil {
			return nil, err
		}
	}
	if len(asked) == 0 && repeated == 0 {
		return records, nil
	}
	arrived := make([]search.Record, 0, len(records))
	for i := range records {
		if key := records[i].Key(); !keys[key] {
			keys[key] = true
			arrived = append(arrived, records[i])
		}
	}
	return arrived, nil
}
