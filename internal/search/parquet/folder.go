// Package parquet writes the answers of searches as Parquet files, for other
// engines to go on from.
//
// An answer of any store goes into a table of a DuckDB of its own, in memory as
// far as it may, and from there into a file. The file is there as a whole or not at
// all. What an export may take is bounded in rows, in bytes and in memory.
//
// What messages become is in message.go, what tables become in table.go.
package parquet

import (
	"errors"
	"fmt"
	"os"
)

// Folder is where exports have their files for as long as somebody reads them.
type Folder struct {
	path string

	maxRows  int
	maxBytes int
	memory   string // of an engine
}

const (
	// MaxRows is how many messages or rows an export has at most.
	MaxRows = 1_000_000
	// maxBytes is how many bytes of messages.
	maxBytes = 1 << 30
)

var (
	// ErrTooManyRows says that there is more than [MaxRows].
	ErrTooManyRows = fmt.Errorf("an export has %d rows at most: narrow the filter or the time, export day after day, or give a limit", MaxRows)
	// ErrTooLarge says that the messages have more bytes than an export may have,
	// or than its engine can hold.
	ErrTooLarge = errors.New("the export holds more than 1 GiB, or lines too long for its memory: narrow the filter or the time, or export day after day")
)

// Open makes the folder, closed to other users, and removes what exports left
// there that a killed process had begun. Nobody else may use it.
func Open(path string) (*Folder, error) {
	if err := os.RemoveAll(path); err != nil {
		return nil, fmt.Errorf("remove the exports of an earlier run: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of exports: %w", err)
	}
	return &Folder{path: path, maxRows: MaxRows, maxBytes: maxBytes, memory: engineMemory}, nil
}
