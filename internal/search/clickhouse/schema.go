package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	// schemaVersion is the number of the last migration.
	schemaVersion = 2

	// firstVersion is the oldest schema that is brought up to date. The one before
	// did not have the signatures of lines that are kept, nor what the values are
	// like: searches of it would find too much and too little.
	firstVersion = 2
)

// partition is by day of receipt, in UTC, for retention. That the ordinal is in it
// makes no more partitions of it, since none is negative: it has the engine keep
// the least and the greatest ordinal of each part, and skip parts by them.
const partition = `(intDiv("receipt", 86400000), "ordinal" < 0)`

// tables is how the store's tables are laid out on a server or a cluster.
//
// In a cluster records are spread over its shards by their identity, and each
// shard keeps them on all its replicas: "records" and "untimed" are then views of
// all shards, of which each server has its part in a table of its own. What is
// known of the intake, and the schema's version, every server has.
type tables struct {
	database, cluster string // no cluster: one server
	modern            bool   // the server has codecs, and syncs what it writes if told
}

// migrations are the statements that lead from one version of the schema to the
// next, the first from none to firstVersion. Each can be repeated: a process may end
// between two.
func (t tables) migrations() [schemaVersion - firstVersion + 1][]string {
	return [...][]string{
		slices.Concat(
			t.spread("records", columns(), `("time", "ordinal")`, 8192),
			t.spread("untimed", untimedColumns[:], `"identity"`, 256),
			[]string{t.everywhere("intake", `"one" UInt8, "session" String, "position" UInt64, "last" UInt64, `+
				`"void_from" Array(Int64), "void_to" Array(Int64)`+columnList(contentColumns(), " UInt64"), `"one"`, `"last"`)},
		),
	}
}

// untimedColumns are the identities of lines that do not say their time: in an
// order by which few of them are read to find some.
var untimedColumns = [...]column{
	{"identity", "FixedString(16)", asItIs},
	{"source_id", "String", packed},
	{"receipt", "Int64", ascending},
	{"ordinal", "Int64", ascending},
}

func definitions(columns []column, codecs bool) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = `"` + c.name + `" ` + c.kind
		if codecs {
			list[i] += ` CODEC(` + c.codec + `)`
		}
	}
	return strings.Join(list, ", ")
}

// spread makes a table of records.
func (t tables) spread(name string, columns []column, order string, granularity int) []string {
	engine := `MergeTree`
	if t.cluster != "" {
		engine = `ReplicatedMergeTree('/clickhouse/tables/` + t.database + `/{shard}/` + name + `', '{replica}')`
	}
	statements := []string{fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s%s (%s) ENGINE = %s PARTITION BY %s ORDER BY %s SETTINGS index_granularity = %d%s`,
		t.local(name), t.on(), definitions(columns, t.modern), engine, partition, order, granularity, t.synced())}
	if t.cluster == "" {
		return statements
	}
	return append(statements, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s%s (%s) ENGINE = Distributed(%s, %s, %s, sipHash64("identity"))`,
		name, t.on(), definitions(columns, false), quoted(t.cluster), quoted(t.database), t.local(name)))
}

// everywhere makes a small table that every server has, of which the row with the
// greatest version counts.
func (t tables) everywhere(name, definitions, order, version string) string {
	engine := `ReplacingMergeTree(` + version + `)`
	if t.cluster != "" {
		engine = `ReplicatedReplacingMergeTree('/clickhouse/tables/` + t.database + `/` + name + `', '{shard}-{replica}', ` + version + `)`
	}
	statement := `CREATE TABLE IF NOT EXISTS ` + name + t.on() + ` (` + definitions + `) ENGINE = ` + engine + ` ORDER BY ` + order
	if t.cluster == "" && t.modern {
		return statement + ` SETTINGS` + strings.TrimPrefix(t.synced(), `,`)
	}
	return statement
}

// synced has a server on its own sync what it writes, so that what was stored
// survives a failure of its power too. Replicas have each other.
func (t tables) synced() string {
	if !t.modern || t.cluster != "" {
		return ""
	}
	return `, fsync_after_insert = 1, fsync_part_directory = 1`
}

// local is the table that a server has of its own.
func (t tables) local(name string) string {
	if t.cluster == "" {
		return name
	}
	return name + `_local`
}

// on is for statements that change tables.
func (t tables) on() string {
	if t.cluster == "" {
		return ""
	}
	return ` ON CLUSTER ` + quoted(t.cluster)
}

// in looks into a list that is sent with a statement: a cluster's servers have to
// be sent it in turn.
func (t tables) in() string {
	if t.cluster == "" {
		return `IN`
	}
	return `GLOBAL IN`
}

// quoted is the name of a cluster or of its database, which ParseAddress has
// looked at, as a text.
func quoted(name string) string { return `'` + name + `'` }

// prepareSchema makes the tables in a database without any, brings those of an
// older program up to date, and refuses what it does not know.
func (s *Store) prepareSchema(ctx context.Context) error {
	found, err := s.tableNames(ctx)
	if err != nil {
		return err
	}
	if found["records"] && !found["schema_version"] {
		return fmt.Errorf("the database has a table records, but it is not a search store: give the store a database of its own")
	}
	if err := s.writing.conn.Exec(ctx, s.tables.everywhere("schema_version", `"one" UInt8, "version" UInt32`, `"one"`, `"version"`)); err != nil {
		return fmt.Errorf("create the table of the schema's version: %w", err)
	}
	version, err := s.schemaVersion(ctx)
	if err != nil {
		return err
	}
	switch {
	case version > schemaVersion:
		return fmt.Errorf("the store has schema version %d, this program knows version %d: start the program that wrote it, or a newer one",
			version, schemaVersion)
	case version > 0 && version < firstVersion:
		return fmt.Errorf("the store has schema version %d, of an older program, which is not brought to version %d: give the store a new database, or start the program that wrote it",
			version, schemaVersion)
	}
	migrations := s.tables.migrations()
	for version = max(version, firstVersion-1); version < schemaVersion; version++ {
		for _, statement := range migrations[version-firstVersion+1] {
			if err := s.writing.conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("bring the schema to version %d: %w", version+1, err)
			}
		}
		if err := s.writing.insert(ctx, "schema_version", []string{"one", "version"}, [][]any{{uint8(0), uint32(version + 1)}}); err != nil {
			return fmt.Errorf("note the schema's version: %w", err)
		}
	}
	return nil
}

func (s *Store) tableNames(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	rows, err := s.writing.conn.Query(ctx, `SELECT name FROM system.tables WHERE database = currentDatabase()`)
	if err != nil {
		return nil, fmt.Errorf("look for the tables: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("look for the tables: %w", err)
		}
		names[name] = true
	}
	return names, rows.Err()
}

// schemaVersion returns 0 for a store without tables.
func (s *Store) schemaVersion(ctx context.Context) (version int, err error) {
	var found uint32
	err = queryOne(ctx, s.writing.conn, `SELECT "version" FROM schema_version ORDER BY "version" DESC LIMIT 1`, &found)
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return int(found), nil
}
