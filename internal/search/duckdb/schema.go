package duckdb

import (
	"context"
	"database/sql"
	"fmt"
)

// schemaVersion is raised whenever what prepareSchema makes changes.
const schemaVersion = 3

// prepareSchema makes the tables in an empty database and refuses one that it
// does not know.
func prepareSchema(ctx context.Context, db *sql.DB) error {
	var tables, versioned int
	err := db.QueryRowContext(ctx,
		`SELECT count(*), count(*) FILTER (table_name = 'schema_version') FROM duckdb_tables()`).Scan(&tables, &versioned)
	if err != nil {
		return fmt.Errorf("look for the tables: %w", err)
	}
	switch {
	case tables == 0:
		return createSchema(ctx, db)
	case versioned == 0:
		return fmt.Errorf("the file is a database, but not a search store: move it away")
	}
	var version int
	if err := db.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version != schemaVersion {
		return fmt.Errorf("the store has schema version %d, this program knows version %d: start the program that wrote it, or a newer one",
			version, schemaVersion)
	}
	return nil
}

func createSchema(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("create the tables: %w", err)
	}
	defer tx.Rollback()
	for _, statement := range []string{
		`CREATE TABLE schema_version (version INTEGER NOT NULL)`,
		fmt.Sprintf(`INSERT INTO schema_version VALUES (%d)`, schemaVersion),
		`CREATE TABLE intake (position UBIGINT NOT NULL, "ordinal" BIGINT NOT NULL, ` + contentColumns("BIGINT NOT NULL") + `)`,
		`INSERT INTO intake VALUES (0, 0, 0, 0, 0, 0)`,
		`CREATE TABLE records (` + columnDefinitions() + `)`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create the tables: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("create the tables: %w", err)
	}
	return nil
}
