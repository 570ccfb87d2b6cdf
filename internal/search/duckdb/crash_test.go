package duckdb

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	crashFolder    = "TRAILHOOK_TEST_CRASH_FOLDER" // tells the test binary to be the child
	crashBatchSize = 5
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(crashFolder); folder != "" {
		insertUntilKilled(folder)
	}
	os.Exit(m.Run())
}

// Each round kills a process that inserts, at a moment nobody chose, and looks
// for everything that was acknowledged. The lines are large and do not compress,
// so that the rounds pass through checkpoints of the engine's log too.
func TestEveryAcknowledgedRecordSurvivesKilling(t *testing.T) {
	folder := t.TempDir()
	acknowledged := uint64(0)
	for round, batches := range []int{1, 40, 7, 90, 23} {
		acknowledged = killAfter(t, folder, batches)
		s := openIn(t, folder)
		position, err := s.Position(t.Context())
		if err != nil || position < acknowledged {
			t.Errorf("round %d: position %d, %v; acknowledged was %d", round, position, err, acknowledged)
		}
		wantOnceEach(t, s, position)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// wantOnceEach wants every record up to the position, each once, and no others.
func wantOnceEach(t *testing.T, s *Store, position uint64) {
	t.Helper()
	seen := map[string]int{}
	for r, err := range s.Search(t.Context(), search.Request{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Identity != identityOf(r.Raw) {
			t.Errorf("%.20q is not the line that was stored", r.Raw)
		}
		name, _, _ := strings.Cut(r.Raw, " ")
		seen[name]++
	}
	for p := uint64(1); p <= position; p++ {
		for i := range crashBatchSize {
			if n := seen[crashName(p, i)]; n != 1 {
				t.Errorf("%s is there %d times", crashName(p, i), n)
			}
		}
	}
	if len(seen) != int(position)*crashBatchSize {
		t.Errorf("%d records at position %d, in batches of %d", len(seen), position, crashBatchSize)
	}
}

// killAfter runs a child until it has acknowledged so many batches, kills it and
// returns the last position that it acknowledged.
func killAfter(t *testing.T, folder string, batches int) (acknowledged uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashFolder+"="+folder)
	var complaints strings.Builder
	child.Stderr = &complaints
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for n := 1; lines.Scan(); n++ {
		if acknowledged, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
		if n == batches {
			child.Process.Kill() // and read on: it may have said more by then
		}
	}
	if child.Wait(); complaints.Len() > 0 || acknowledged == 0 {
		t.Fatalf("the child failed: %s", complaints.String())
	}
	return acknowledged
}

// insertUntilKilled is the child: it prints each position once it is stored.
func insertUntilKilled(folder string) {
	s, err := Open(context.Background(), filepath.Join(folder, "search.duckdb"), slog.New(slog.DiscardHandler))
	if err != nil {
		fail(err)
	}
	position, err := s.Position(context.Background())
	for err == nil {
		position++
		if _, err = s.Insert(context.Background(), crashBatch(position), position); err == nil {
			fmt.Println(position)
		}
	}
	fail(err)
}

func crashBatch(position uint64) (records []search.Record) {
	for i := range crashBatchSize {
		raw := crashName(position, i) + " " + noise(40<<10)
		records = append(records, search.Record{Raw: raw, Identity: identityOf(raw), Fields: []search.Field{{Name: "other", Value: "x"}}})
	}
	return records
}

func crashName(position uint64, i int) string { return fmt.Sprintf("line-%d-%d", position, i) }

func identityOf(raw string) [16]byte {
	sum := sha256.Sum256([]byte(raw))
	return [16]byte(sum[:16])
}

func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + rand.IntN(95))
	}
	return string(b)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
