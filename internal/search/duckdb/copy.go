package duckdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// suffixes are those of the engine's files beside the database: its log, and what it
// makes of it while the log goes to the tables.
var suffixes = [...]string{"", ".wal", ".wal.checkpoint", ".wal.recovery", ".checkpoint.wal", ".recovery.wal"}

// Each is called for one file after the other, with its name, its size, and as many
// bytes.
type Each func(name string, size int64, content io.Reader) error

// Copy hands over the files of the store as they are between two inserts: what a
// process that is killed leaves behind, and is opened again with all that was
// acknowledged. Inserts wait until it returns, and searches go on; so whoever is
// handed the files must not dally.
func (s *Store) Copy(ctx context.Context, each Each) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	// The engine has locked the file for this process, and the system takes such a
	// lock away when any of the process's descriptors of the file is closed. So ours
	// stays open until the engine has closed its own.
	if s.copied == nil {
		file, err := os.Open(s.path)
		if err != nil {
			return fmt.Errorf("copy search store: %w", err)
		}
		s.copied = file
	}
	if err := handOver(filepath.Base(s.path), s.copied, each); err != nil {
		return fmt.Errorf("copy search store: %w", err)
	}
	return copyFiles(s.path, suffixes[1:], each)
}

// Copy hands over the files of a store that no process has open; of one that does not
// exist, none.
func Copy(path string, each Each) error { return copyFiles(path, suffixes[:], each) }

func copyFiles(path string, suffixes []string, each Each) error {
	for _, suffix := range suffixes {
		file, err := os.Open(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("copy search store: %w", err)
		}
		err = handOver(filepath.Base(path)+suffix, file, each)
		file.Close()
		if err != nil {
			return fmt.Errorf("copy search store: %w", err)
		}
	}
	return nil
}

func handOver(name string, file *os.File, each Each) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return each(name, info.Size(), io.NewSectionReader(file, 0, info.Size()))
}
