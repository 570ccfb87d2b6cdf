// Package duckdb keeps searchable records in a DuckDB database: one file,
// inside the process.
//
// A record is a row; columns.go says how it is laid out. The raw line of an audit
// event is not kept where it can be written again from the other columns, byte
// for byte: row.go does that for who reads it, line.go for the engine. Records and
// the position of the intake change in one transaction, which the engine has written
// to its log and synced before Insert returns: a process killed at any moment
// comes back with each acknowledged record once.
//
// There is one writer at a time. A search reads page after page of what was
// stored when it began, each from a snapshot of the engine's, so searches and
// inserts do not wait for each other, and a slow reader holds up nothing but the
// deletion of what has expired.
//
// Whether a line is stored already is known from a filter in memory, and for
// those that it knows asked of the table: identities.go and repeated.go. Another
// filter says in which part of the table a trace may be: traces.go.
//
// The text of a query never becomes part of a statement: it goes to the engine
// as bound values. Should that ever fail, the engine is shut in: it may not open
// other files or the network, nor load extensions, and its settings are locked.
package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	engine "github.com/duckdb/duckdb-go/v2"

	"github.com/trailhook/trailhook/internal/search"
)

// Store is a [search.Store] in a DuckDB file.
type Store struct {
	db       *sql.DB
	logger   *slog.Logger
	pageSize int // of a search
	rowGroup int // rows that the engine compresses together

	path    string
	writing sync.Mutex // held by Insert, Expire, Copy and Close
	writer  *sql.Conn
	state   state    // guarded by writing
	logged  int      // rows since the last checkpoint
	copied  *os.File // the database, for Copy; nil until it is called
	rows    *writer

	identities *identities
	traces     *traces
	fillMu     sync.Mutex // held by fill, which takes writing
	filling    sync.WaitGroup
	stop       context.CancelFunc // ends the filling

	views    views
	extent   extent
	expiring sync.Mutex // held by Expire

	newestMu sync.Mutex
	newest   map[string]int64 // the last ordinal of each source; nil until somebody asks
}

var _ search.Store = (*Store)(nil)

// Option changes how a store is opened.
type Option func(*settings)

type settings struct {
	threads       int
	memoryBytes   int64
	identityBytes int
}

// Threads sets how many threads the engine works with; 2 unless told otherwise.
func Threads(n int) Option { return func(s *settings) { s.threads = n } }

// MemoryLimit sets how many bytes the engine may hold in memory before it
// writes to temporary files beside the database; 256 MiB unless told otherwise.
//
// The engine works on 2,048 records at a time, and must be able to hold the
// lines of so many that were stored one after the other, twice: the default is
// right for runs of lines of up to 32 KiB. Beyond, Insert and Search fail with an
// error that names the limit, nothing is lost, and a higher limit gets further.
func MemoryLimit(bytes int64) Option { return func(s *settings) { s.memoryBytes = bytes } }

// IdentityMemory sets how many bytes of memory the store may use to know stored
// lines again, 5 a line; 128 MiB unless told otherwise, which is good for 25
// million lines. Beyond, each insert asks the table: for lines that say their
// time that costs little, for others it costs more with each line stored.
func IdentityMemory(bytes int) Option { return func(s *settings) { s.identityBytes = bytes } }

// Open opens the store in the file at path, by custom search.duckdb in the data
// directory, and creates it when it is not there. The folder must exist and
// should be closed to other users. One process has a store open at a time.
func Open(ctx context.Context, path string, logger *slog.Logger, options ...Option) (*Store, error) {
	set := settings{threads: 2, memoryBytes: 256 << 20, identityBytes: 128 << 20}
	for _, o := range options {
		o(&set)
	}
	s, err := open(ctx, path, logger, set)
	if err != nil {
		return nil, fmt.Errorf("open search store %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string, logger *slog.Logger, set settings) (*Store, error) {
	dsn, err := dataSource(path, set)
	if err != nil {
		return nil, err
	}
	connector, err := engine.NewConnector(dsn, nil)
	if err != nil {
		return nil, fmt.Errorf("start the engine (another process may have the store open, or a newer program wrote it): %w", err)
	}
	filling, stop := context.WithCancel(context.Background())
	s := &Store{
		db: sql.OpenDB(connector), path: path, logger: logger, pageSize: pageSize, rowGroup: rowGroup, rows: newWriter(),
		identities: newIdentities(set.identityBytes), traces: newTraces(traceBytes), stop: stop,
	}
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, err
	}
	s.filling.Go(func() { s.fill(filling) })
	logger.DebugContext(ctx, "search store opened", "path", path, "last_ordinal", s.state.ordinal)
	return s, nil
}

func (s *Store) prepare(ctx context.Context) (err error) {
	// Not among the driver's settings, which it applies in any order.
	if _, err := s.db.ExecContext(ctx, `SET lock_configuration = true`); err != nil {
		return fmt.Errorf("lock the engine's settings: %w", err)
	}
	if err := prepareSchema(ctx, s.db); err != nil {
		return err
	}
	if s.writer, err = s.db.Conn(ctx); err != nil {
		return fmt.Errorf("connect the writer: %w", err)
	}
	if err := readExtent(ctx, s.db, &s.extent); err != nil {
		return fmt.Errorf("find the times of the records: %w", err)
	}
	s.state, err = readState(ctx, s.db)
	return err
}

// state is what is remembered of all that was stored, expired or not.
type state struct {
	// ordinal of the last record, 0 if there was none. Ordinals rise in the order of
	// storing, with gaps.
	ordinal int64
	content content
}

func readState(ctx context.Context, db *sql.DB) (s state, err error) {
	targets := []any{&s.ordinal}
	for _, set := range s.content.sets() {
		targets = append(targets, set)
	}
	if err := db.QueryRowContext(ctx, `SELECT "ordinal", `+contentColumns("")+` FROM intake`).Scan(targets...); err != nil {
		return state{}, fmt.Errorf("find the last record: %w", err)
	}
	return s, nil
}

// checkpointThreshold is how large the engine's log may grow before what is in it
// goes to the tables. Each time that rewrites up to 122,880 records, so that a
// small log has them compressed again and again; a start reads the log.
const checkpointThreshold = "64MiB"

// storageVersion is that of the engine whose ways of compressing a new file may have:
// those of before 1.3 take a tenth more for a line, as they keep each text of a block's
// dictionary as it is.
const storageVersion = "v1.5.0"

// dataSource returns the driver's name for the file and the engine's settings.
func dataSource(path string, set settings) (string, error) {
	if path == "" {
		return "", fmt.Errorf("no path given")
	}
	if strings.ContainsAny(path, "?#%") {
		return "", fmt.Errorf("the path has a ?, # or %% in it, which the engine's driver cannot address: choose another folder")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	const smallest = 64 << 20
	if set.threads < 1 || set.memoryBytes < smallest {
		return "", fmt.Errorf("%d threads and %d bytes of memory: at least 1 and %d are needed", set.threads, set.memoryBytes, smallest)
	}
	values := url.Values{
		"threads":                       {strconv.Itoa(set.threads)},
		"memory_limit":                  {strconv.FormatInt(set.memoryBytes, 10) + "B"},
		"checkpoint_threshold":          {checkpointThreshold},
		"storage_compatibility_version": {storageVersion},
		"zstd_min_string_length":        {"2147483647"}, // never: to read one of 2,048 long lines it holds all
		"late_materialization_max_rows": {strconv.Itoa(pageGrowth * pageSize)},
		"enable_external_access":        {"false"},
		"autoinstall_known_extensions":  {"false"},
		"autoload_known_extensions":     {"false"},
		"allow_community_extensions":    {"false"},
		"allow_persistent_secrets":      {"false"},
	}
	return path + "?" + values.Encode(), nil
}

// fill makes the filters of identities and of traces anew, to know what is stored
// and no more. Until it is done, and if it fails, inserts ask the table, and
// searches for a trace read all of its column.
func (s *Store) fill(ctx context.Context) {
	s.fillMu.Lock()
	defer s.fillMu.Unlock()
	// With no insert under way: each either is stored by now, and will be read, or
	// adds to the filters after this.
	s.writing.Lock()
	s.identities.begin()
	s.traces.begin()
	s.writing.Unlock()
	switch err := s.readFilters(ctx); {
	case ctx.Err() != nil:
	case err != nil:
		s.logger.WarnContext(ctx, "stored lines cannot be read to know them again; inserts and searches for a trace will be slow", "error", err)
	default:
		s.identities.done()
		s.traces.done()
	}
}

func (s *Store) readFilters(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, `SELECT "ordinal", "identity", "`+traceColumn+`" FROM records`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var ordinal int64
	var id engine.UUID
	var trace sql.Null[uint64]
	for rows.Next() {
		if err := rows.Scan(&ordinal, &id, &trace); err != nil {
			return err
		}
		s.identities.add(id)
		if trace.Valid {
			s.traces.add(ordinal, trace.V)
		}
	}
	return rows.Err()
}

// Position implements [search.Store].
func (s *Store) Position(ctx context.Context) (uint64, error) {
	return position(ctx, s.db)
}

func position(ctx context.Context, from interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (p uint64, err error) {
	if err := from.QueryRowContext(ctx, `SELECT position FROM intake`).Scan(&p); err != nil {
		return 0, fmt.Errorf("read the intake's position: %w", err)
	}
	return p, nil
}

// Close waits for an Insert under way and releases the file. Searches that are
// being read can be read to their end.
func (s *Store) Close() error {
	s.stop()
	s.filling.Wait()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writer != nil {
		s.writer.Close() // only gives it back to db, or says that it was
	}
	err := s.db.Close()
	if s.copied != nil {
		s.copied.Close()
	}
	if err != nil {
		return fmt.Errorf("close search store: %w", err)
	}
	return nil
}
