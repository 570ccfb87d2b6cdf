package parquet

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// column is a column of a file.
type column struct {
	name string // empty for one that only another is made of
	kind kind

	// of is the expression that gives it from the table's columns, c0, c1, …; empty
	// if it is the table's column of its own place.
	of string
}

// kind is a type of the engine's.
type kind string

const (
	texts    kind = "VARCHAR"
	blobs    kind = "BLOB"
	booleans kind = "BOOLEAN"
	wholes   kind = "BIGINT"
	numbers  kind = "DOUBLE"
	moments  kind = "TIMESTAMP" // in UTC
	lists    kind = "VARCHAR[]"
	maps     kind = "MAP(VARCHAR, VARCHAR)"
)

// engine is a DuckDB with one table, which becomes a file. It may open nothing
// but what is in its folder.
type engine struct {
	db      *sql.DB
	writer  *sql.Conn
	columns []column
	rows    *duckdb.Appender
	count   int
}

const (
	// engineMemory is what the engine may hold in memory before it writes to its
	// folder. It must be able to hold 2,048 messages in a row, several times: lines
	// of 40 KiB one after the other fit.
	engineMemory = "512MiB"

	// Rows are written to the file in groups, which is what a reader can skip, and
	// which must fit in memory: of so many rows at most, and fewer if they are long.
	maxRowGroup   = 8 * rowGroupStep
	rowGroupBytes = 64 << 20
	rowGroupStep  = 2048 // the engine's own unit
)

func startEngine(ctx context.Context, folder, memory string) (_ *engine, err error) {
	settings := url.Values{
		"threads": {"1"}, "memory_limit": {memory}, "temp_directory": {folder}, "max_temp_directory_size": {"8GiB"},
		"autoinstall_known_extensions": {"false"}, "autoload_known_extensions": {"false"}, "allow_community_extensions": {"false"},
		"allow_persistent_secrets": {"false"},
	}
	connector, err := duckdb.NewConnector("?"+settings.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	e := &engine{db: sql.OpenDB(connector)}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	for _, setting := range []string{
		`SET allowed_directories = [` + literal(folder) + `]`,
		`SET enable_external_access = false`,
		`SET lock_configuration = true`,
	} {
		if _, err := e.db.ExecContext(ctx, setting); err != nil {
			return nil, fmt.Errorf("shut the engine in: %w", err)
		}
	}
	if e.writer, err = e.db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("connect to the engine: %w", err)
	}
	return e, nil
}

func (e *engine) close() {
	if e.rows != nil {
		e.rows.Close()
	}
	if e.writer != nil {
		e.writer.Close()
	}
	e.db.Close()
}

// create makes the table. Its columns have names of ours: those of a query are
// used as names in the file only.
func (e *engine) create(ctx context.Context, columns []column) error {
	e.columns = columns
	var definitions []string
	for i, c := range columns {
		if c.of == "" {
			definitions = append(definitions, fmt.Sprintf("c%d %s", i, c.kind))
		}
	}
	if _, err := e.writer.ExecContext(ctx, `CREATE TABLE found (`+strings.Join(definitions, ", ")+`)`); err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	return e.writer.Raw(func(conn any) (err error) {
		e.rows, err = duckdb.NewAppenderFromConn(conn.(driver.Conn), "main", "found")
		return err
	})
}

// append adds a row: the values of the columns that the table has.
func (e *engine) append(values []driver.Value) error {
	e.count++
	return tooLarge(e.rows.AppendRow(values...))
}

// copyTo writes the table, of about so many bytes, to a file in the order of its
// rows.
func (e *engine) copyTo(ctx context.Context, path string, size int) error {
	rows := e.rows
	e.rows = nil
	if err := rows.CloseWithCancel(ctx); err != nil {
		return fmt.Errorf("fill the table: %w", tooLarge(err))
	}
	var selected []string
	for i, c := range e.columns {
		if c.name != "" {
			selected = append(selected, cmp.Or(c.of, fmt.Sprintf("c%d", i))+` AS `+identifier(c.name))
		}
	}
	statement := fmt.Sprintf(`COPY (SELECT %s FROM found) TO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)`,
		strings.Join(selected, ", "), literal(path), e.rowGroup(size))
	if _, err := e.writer.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("write the file: %w", tooLarge(err))
	}
	return nil
}

func (e *engine) rowGroup(size int) int {
	fit := rowGroupBytes / max(size/max(e.count, 1), 1)
	return min(max(fit/rowGroupStep*rowGroupStep, rowGroupStep), maxRowGroup)
}

// tooLarge tells of an engine that ran out of the memory it may take.
func tooLarge(err error) error {
	if e, ok := errors.AsType[*duckdb.Error](err); ok && e.Type == duckdb.ErrorTypeOutOfMemory {
		return fmt.Errorf("%w (%v)", ErrTooLarge, err)
	}
	return err
}

func literal(s string) string    { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }
func identifier(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
