package clickhouse

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The tables of servers and clusters that no test has are held to a text.
func TestTablesAreLaidOutForTheServersThereAre(t *testing.T) {
	for name, layout := range map[string]tables{
		"oldest":  {},
		"modern":  {modern: true},
		"cluster": {modern: true, database: "trail", cluster: "east"},
	} {
		migrations := layout.migrations()
		got := strings.Join(append([]string{layout.everywhere("schema_version", `"one" UInt8, "version" UInt32`, `"one"`, `"version"`)}, migrations[0]...), "\n")
		got = strings.ReplaceAll(got, ", \"", ",\n\t\"") + "\n"
		file := filepath.Join("testdata", name+".sql")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// A server without ZooKeeper has no replicas and no ON CLUSTER: the tables are
// made by hand, and all else is what a cluster's store does.
func TestRecordsAreFoundThroughTheTablesOfACluster(t *testing.T) {
	server := clickhousetest.Start(t)
	address := server.Database(t)
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) { server.Exec(t, a.options.Auth.Database, statement) }
	var plain tables
	for _, statement := range plain.migrations()[0] {
		exec(statement)
	}
	for _, name := range []string{"records", "untimed"} {
		exec(`RENAME TABLE ` + name + ` TO ` + name + `_local`)
		exec(`CREATE TABLE ` + name + ` AS ` + name + `_local ENGINE = Distributed('single', currentDatabase(), ` + name + `_local, sipHash64("identity"))`)
	}
	s := &Store{logger: slog.New(slog.DiscardHandler), pageSize: 7, maxGroups: maxGroups, session: "session", tables: tables{cluster: "single"}}
	for _, c := range []**connection{&s.writing, &s.reading} {
		if *c, _, err = a.connect(t.Context(), 4, 0); err != nil {
			t.Fatal(err)
		}
	}
	defer s.Close()
	if err := s.takeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	insert(t, s, 1, numbered(0, 20)...)
	if n := insert(t, s, 2, numbered(10, 30)...); n != 10 {
		t.Errorf("stored %d, want 10", n)
	}
	wantFound(t, s, 30)
	if stored, err := s.Stored(t.Context(), "1", 0, 100); err != nil || len(stored) != 30 {
		t.Errorf("%d are stored, %v", len(stored), err)
	}
	lines := search.Request{Lines: []*regexp.Regexp{regexp.MustCompile(`^line 2\d$`)}, Query: search.Keyword{Pattern: search.Pattern{"l", "2"}}}
	if n := len(all(t, s, lines)); n != 10 {
		t.Errorf("found %d by their lines, want 10", n)
	}
	if got := written(t, s, search.Grouping{Request: lines, Fields: []string{"_raw2", "_source"}}); len(got) != 1 || got[0] != `10 null "" null ""` {
		t.Errorf("groups %q", got)
	}
	if err := s.waitForDeletions(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	server := clickhousetest.Start(t)
	foreign := server.Database(t)
	server.Exec(t, foreign[strings.LastIndex(foreign, "/")+1:], `CREATE TABLE records (a Int8) ENGINE = Log`)
	newer := server.Database(t)
	openAt(t, newer).Close()
	server.Exec(t, newer[strings.LastIndex(newer, "/")+1:], `INSERT INTO schema_version SELECT 0, 7`)
	older := server.Database(t)
	server.Exec(t, older[strings.LastIndex(older, "/")+1:], `CREATE TABLE schema_version ("one" UInt8, "version" UInt32) ENGINE = Log`)
	server.Exec(t, older[strings.LastIndex(older, "/")+1:], `INSERT INTO schema_version SELECT 0, 1`)
	for name, test := range map[string]struct{ address, want string }{
		"nobody there":       {"clickhouse://127.0.0.1:1/default", "is the server there"},
		"no such database":   {"clickhouse://" + server.Addr + "/missing", `no database "missing": make it`},
		"a wrong password":   {"clickhouse://guarded:not-this@" + server.Addr + "/default", `user "guarded" is not let in`},
		"an unknown user":    {"clickhouse://nobody:not-this@" + server.Addr + "/default", `user "nobody" is not let in`},
		"another's database": {foreign, "not a search store"},
		"a newer schema":     {newer, "schema version 7, this program knows version 2"},
		"an older schema":    {older, "schema version 1, of an older program"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := ParseAddress(test.address)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), a, slog.New(slog.DiscardHandler))
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "not-this") {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
	openNew(t, strings.Replace(server.Database(t), "//", "//guarded:secret-word@", 1))
}

func TestAnAddressThatCannotBeReadIsRefusedWithoutItsPassword(t *testing.T) {
	for _, text := range []string{
		"", "duckdb://x", "clickhouse://", "clickhouse:///db", "clickhouse://u:secret@", "clickhouse://u:sec%ret@host/db", "clickhouse://u:secret@host:port/db",
		"clickhouse://u:secret@host/db?cluster=a'b", "clickhouse://u:secret@host/db?cluster=", "clickhouse://u:secret@host/db?dial_timeout=secretly",
		"http://u:secret@host/db", "clickhouse://u:secret@host/db?secure=perhaps",
	} {
		if _, err := ParseAddress(text); err == nil {
			t.Errorf("%s is read", text)
		} else if strings.Contains(err.Error(), "u:sec") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAnAddressShowsNoPassword(t *testing.T) {
	for text, want := range map[string]string{
		"clickhouse://host/db":                                     "clickhouse://host:9000/db",
		"clickhouse://u:secret@host:9001,other/db?secure=true":     "clickhouse://host:9001,other:9440/db",
		"clickhouse://u:s%40cret@[::1]/db?cluster=east&compress=1": "clickhouse://[::1]:9000/db",
		"clickhouse://host":                                        "clickhouse://host:9000/default",
	} {
		if a, err := ParseAddress(text); err != nil || a.String() != want {
			t.Errorf("%s: %v, %v; want %s", text, a, err, want)
		}
	}
}
