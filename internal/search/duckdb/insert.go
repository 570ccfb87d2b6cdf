package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"unicode/utf8"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/internal/search"
)

// Insert implements [search.Store].
//
// The records go to a temporary table first, and from there whatever is not
// stored yet goes to its place. To tell, the engine reads the identities of all
// records, 16 bytes each: no index has to be kept in memory, but the cost of a
// batch grows with the store, and large batches cost less per record.
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
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	at, err := position(ctx, tx)
	if err != nil || to <= at {
		return 0, err
	}
	if err := s.stage(ctx, tx, records); err != nil {
		return 0, err
	}
	stored, err := moveArrived(ctx, tx)
	if err != nil {
		return 0, err
	}
	// As text, because database/sql refuses numbers above 2^63.
	if _, err := tx.ExecContext(ctx, `UPDATE intake SET position = CAST(? AS UBIGINT)`, strconv.FormatUint(to, 10)); err != nil {
		return 0, fmt.Errorf("set the intake's position: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	s.ordinal += int64(len(records))
	return stored, nil
}

// stage fills the temporary table of the writer's connection with the records,
// one of each key. The table is made anew so that nothing of an Insert that
// failed is in it.
func (s *Store) stage(ctx context.Context, tx *sql.Tx, records []search.Record) error {
	_, err := tx.ExecContext(ctx,
		`CREATE OR REPLACE TEMP TABLE arriving (`+columnDefinitions()+`, "names" VARCHAR[], "contents" VARCHAR[])`)
	if err != nil {
		return fmt.Errorf("make room for the batch: %w", err)
	}
	return s.writer.Raw(func(conn any) error {
		appender, err := engine.NewAppender(conn.(driver.Conn), "temp", "main", "arriving")
		if err != nil {
			return fmt.Errorf("prepare the batch: %w", err)
		}
		err = s.appendOnce(appender, records)
		if closeErr := appender.CloseWithCancel(ctx); err == nil && closeErr != nil {
			err = fmt.Errorf("write the batch: %w", closeErr)
		}
		return err
	})
}

func (s *Store) appendOnce(appender *engine.Appender, records []search.Record) error {
	seen := make(map[search.Key]bool, len(records))
	for i := range records {
		key := records[i].Key()
		if seen[key] {
			continue
		}
		seen[key] = true
		if err := appender.AppendRow(row(records[i], s.ordinal+int64(i)+1)...); err != nil {
			return fmt.Errorf("write record %d of the batch: %w", i+1, err)
		}
	}
	return nil
}

// row returns the record in the order of the temporary table's columns.
func row(r search.Record, ordinal int64) []driver.Value {
	r = r.Normal()
	var rawBytes driver.Value
	if !utf8.ValidString(r.Raw) {
		rawBytes = []byte(r.Raw)
		r.Raw = search.Text(r.Raw)
	}
	values := []driver.Value{
		ordinal, r.Time.UnixMilli(), r.Receipt.UnixMilli(), r.SourceID, engine.UUID(r.Identity), rawBytes,
	}
	fields, names, contents := splitFields(r.Fields)
	for _, c := range textColumns {
		if c.of == nil {
			values = append(values, fields[c.name])
		} else {
			values = append(values, orNull(*c.of(&r)))
		}
	}
	return append(values, names, contents)
}

// splitFields separates the fields that have a column from those for the map.
func splitFields(fields []search.Field) (columns map[string]driver.Value, names, contents []string) {
	columns = make(map[string]driver.Value, len(textColumns))
	names, contents = []string{}, []string{}
	for _, f := range fields {
		if isFieldColumn(f.Name) {
			columns[f.Name] = f.Value
			continue
		}
		names = append(names, f.Name)
		contents = append(contents, f.Value)
	}
	return columns, names, contents
}

func isFieldColumn(name string) bool {
	for _, c := range textColumns {
		if c.of == nil && c.name == name {
			return true
		}
	}
	return false
}

func orNull(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// moveArrived inserts what the temporary table has and the records lack, and
// returns how many that was.
func moveArrived(ctx context.Context, tx *sql.Tx) (int, error) {
	result, err := tx.ExecContext(ctx,
		`INSERT INTO records SELECT `+columnList()+`, map("names", "contents")
		FROM temp.arriving ANTI JOIN records USING ("source_id", "identity")`)
	if err != nil {
		return 0, fmt.Errorf("add the batch: %w", err)
	}
	stored, err := result.RowsAffected()
	return int(stored), err
}
