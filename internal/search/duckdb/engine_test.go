package duckdb

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/trailhook/trailhook/internal/search"
)

func TestEngineFoldsEveryCharacterAsSearchDoes(t *testing.T) {
	s := openIn(t, t.TempDir(), MemoryLimit(1<<30))
	defer s.Close()
	rows, err := s.db.QueryContext(t.Context(), `SELECT string_agg(chr(i), '' ORDER BY i), string_agg(lower(chr(i)), '' ORDER BY i)
		FROM (SELECT unnest(range(0, 1114112))::INTEGER AS i) WHERE i NOT BETWEEN 55296 AND 57343 GROUP BY i // 256`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	count := 0
	for rows.Next() {
		var characters, folded string
		if err := rows.Scan(&characters, &folded); err != nil {
			t.Fatal(err)
		}
		if want := search.Fold(characters); folded != want {
			t.Errorf("the engine folds to %+q, search to %+q", folded, want)
		}
		count += utf8.RuneCountInString(characters)
	}
	if err := rows.Err(); err != nil || count != 1114112-2048 {
		t.Errorf("compared %d characters, %v", count, err)
	}
}

func TestEngineIsShutIn(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, folder)
	defer s.Close()
	secret := filepath.Join(folder, "secret.txt")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`SELECT * FROM read_text('` + secret + `')`,
		`SELECT * FROM read_csv('` + secret + `')`,
		`COPY records TO '` + filepath.Join(folder, "copy.csv") + `'`,
		`ATTACH '` + filepath.Join(folder, "other.duckdb") + `'`,
		`EXPORT DATABASE '` + filepath.Join(folder, "export") + `'`,
		`INSTALL httpfs`,
		`LOAD httpfs`,
		`SELECT * FROM read_text('https://example.com/')`,
		`SET enable_external_access = true`,
		`SET autoload_known_extensions = true`,
		`SET memory_limit = '100GB'`,
		`SET lock_configuration = false`,
	} {
		if _, err := s.db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("the engine obeys %s", statement)
		}
	}
	for setting, want := range map[string]string{
		"enable_external_access": "false", "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
		"allow_community_extensions": "false", "allow_unsigned_extensions": "false", "allow_persistent_secrets": "false",
		"lock_configuration": "true", "threads": "2", "memory_limit": "256.0 MiB", "storage_compatibility_version": storageVersion, "zstd_min_string_length": "2147483647",
	} {
		var got string
		if err := s.db.QueryRowContext(t.Context(), `SELECT value FROM duckdb_settings() WHERE name = ?`, setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", setting, got, err, want)
		}
	}
}

func TestThreadsAndMemoryCanBeSet(t *testing.T) {
	s := openIn(t, t.TempDir(), Threads(1), MemoryLimit(64<<20))
	defer s.Close()
	var threads, memory string
	err := s.db.QueryRowContext(t.Context(), `SELECT current_setting('threads')::VARCHAR, current_setting('memory_limit')`).Scan(&threads, &memory)
	if err != nil || threads != "1" || memory != "64.0 MiB" {
		t.Errorf("threads %s, memory %s, %v", threads, memory, err)
	}
}

func TestNoTextOfAQueryIsInTheStatement(t *testing.T) {
	const text = "Marked"
	e := search.And{Terms: []search.Expr{
		search.Keyword{Pattern: search.Literal(text)},
		search.Or{Terms: []search.Expr{
			search.Compare{Field: text, Value: search.Literal(text)},
			search.Compare{Field: "action", Value: search.Pattern{text, text}},
		}},
		search.Not{Term: search.Compare{Field: text + `"'`, Value: search.Pattern{"", ""}}},
	}}
	where, err := compile(search.Request{Query: e}, content{forms: -1, upper: -1, wide: -1})
	if err != nil {
		t.Fatal(err)
	}
	statement, args := (&page{condition: where}).statement()
	if strings.Contains(strings.ToLower(statement), "marked") {
		t.Errorf("the statement is %s", statement)
	}
	if n := strings.Count(statement, "?"); n != len(args) || n < 6 {
		t.Errorf("%d places and %d arguments", n, len(args))
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("garbage", 10000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path    string
		options []Option
		want    string
	}{
		"no path":           {"", nil, "no path given"},
		"a path with marks": {filepath.Join(folder, "a?threads=9"), nil, "choose another folder"},
		"a missing folder":  {filepath.Join(folder, "missing", "search.duckdb"), nil, "start the engine"},
		"another file":      {garbage, nil, "start the engine"},
		"no threads":        {filepath.Join(folder, "x"), []Option{Threads(0)}, "at least 1"},
		"no memory":         {filepath.Join(folder, "x"), []Option{MemoryLimit(1)}, "are needed"},
	} {
		s, err := Open(t.Context(), test.path, quiet, test.options...)
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", name)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefusesASchemaItDoesNotKnow(t *testing.T) {
	for statement, want := range map[string]string{
		`UPDATE schema_version SET version = 1`: "schema version 1, this program knows version 3",
		`DROP TABLE schema_version`:             "not a search store",
	} {
		folder := t.TempDir()
		s := openIn(t, folder)
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := Open(t.Context(), filepath.Join(folder, "search.duckdb"), slog.New(slog.DiscardHandler))
		if err == nil {
			again.Close()
			t.Errorf("%s: opened", statement)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestAClosedStoreAnswersWithErrors(t *testing.T) {
	s := openIn(t, t.TempDir())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Insert(t.Context(), nil, 1); err == nil {
		t.Error("a closed store takes an insert")
	}
	if _, err := s.Position(t.Context()); err == nil {
		t.Error("a closed store has a position")
	}
	for _, err := range s.Search(t.Context(), search.Request{}) {
		if err == nil {
			t.Error("a closed store finds a record")
		}
	}
}
