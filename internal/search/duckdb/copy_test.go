package duckdb

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// into writes what is handed over to a folder.
func into(folder string) Each {
	return func(name string, size int64, content io.Reader) error {
		file, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.CopyN(file, content, size)
		return err
	}
}

func TestACopyThatIsMadeWhileLinesAreStoredHasAllThatWereStoredBefore(t *testing.T) {
	s := openIn(t, t.TempDir())
	var inserting sync.WaitGroup
	stored, stop := make(chan uint64, 1), make(chan struct{})
	inserting.Go(func() {
		defer close(stored)
		for position := uint64(1); ; position++ {
			if _, err := s.Insert(t.Context(), crashBatch(position), position); err != nil {
				t.Error(err)
				return
			}
			select {
			case stored <- position:
			case <-stop:
				return
			}
		}
	})
	for range 6 { // across checkpoints of the engine's log
		var before uint64
		for range 70 {
			before = <-stored
		}
		folder := t.TempDir()
		if err := s.Copy(t.Context(), into(folder)); err != nil {
			t.Fatal(err)
		}
		c := openIn(t, folder)
		position, err := c.Position(t.Context())
		if err != nil || position < before {
			t.Errorf("position %d, %v; %d was stored before", position, err, before)
		}
		wantOnceEach(t, c, position)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	inserting.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestACopyLeavesTheStoreLockedForOtherProcesses(t *testing.T) {
	folder := t.TempDir()
	s := openIn(t, folder)
	defer s.Close()
	if err := s.Copy(t.Context(), into(t.TempDir())); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashFolder+"="+folder)
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "open search store") {
		t.Errorf("another process opened it: %v\n%s", err, out)
	}
}

func TestAClosedStoreIsCopiedByItsFiles(t *testing.T) {
	folder, to := t.TempDir(), t.TempDir()
	s := openIn(t, folder)
	if _, err := s.Insert(t.Context(), crashBatch(1), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Copy(filepath.Join(folder, "search.duckdb"), into(to)); err != nil {
		t.Fatal(err)
	}
	c := openIn(t, to)
	defer c.Close()
	wantOnceEach(t, c, 1)
	if err := Copy(filepath.Join(t.TempDir(), "search.duckdb"), into(to)); err != nil {
		t.Errorf("a store that does not exist: %v", err)
	}
}
