package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// format is raised when a program that knows the former one could not read a file of
// the new one.
const format = 1

// The places in the file.
const (
	filesPlace   = "files/"
	storePlace   = "store/"
	streamsPlace = "streams/"
	aboutName    = "about.json"
	manifestName = "manifest.json"
)

// storeName is that of the search store in the data directory.
const storeName = "search.duckdb"

// Manifest says what is in a backup.
type Manifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the program that made it
	Began   time.Time `json:"began"`   // what was acknowledged before is in it
	Ended   time.Time `json:"ended"`
	// MasterKey reports whether the master key is in it. It is not when it comes from
	// the environment, and then whoever restores needs it from elsewhere.
	MasterKey bool    `json:"master_key"`
	Entries   []Entry `json:"entries"` // in their order
}

// Entry is a file within a backup.
type Entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Bytes is how many bytes there are, before compression.
func (m Manifest) Bytes() (n int64) {
	for _, e := range m.Entries {
		n += e.Size
	}
	return n
}

// unfinished is the name of a file that a data directory has while it is restored.
const unfinished = "restore-unfinished"

// CheckFinished returns an error for a data directory into which a restore has begun and
// not ended: a server on it would begin anew with what is missing.
func CheckFinished(dir string) error {
	_, err := os.Stat(filepath.Join(dir, unfinished))
	switch {
	case err == nil:
		return fmt.Errorf("data directory %s: a restore into it did not finish: empty it and restore again", dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("data directory %s: %w", dir, err)
}
