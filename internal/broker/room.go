package broker

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

const (
	// mostKept is how many bytes of the disk are kept free, and keptShare of
	// which part of a small one: enough for the engine's own bookkeeping, for
	// the removal of what is no longer needed, and for the search store to
	// finish what it does, so that a full disk empties again by itself.
	mostKept  = 64 << 20
	keptShare = 20
	// restartRoom is what the engine needs to start on a full disk, besides
	// what it has to finish.
	restartRoom = 1 << 20
)

// room reports whether a write of so many bytes leaves the disk with what is
// kept free. The engine could take the write until the very last byte, but what
// it does when that is gone it does badly: it leaves the writer without an
// answer, and the stream closed to writes until it is restarted (see mend).
func (e *engine) room(size int) error {
	if e.unguarded.Load() {
		return nil
	}
	disk, err := DiskOf(e.dir)
	if err != nil {
		return nil // who cannot tell finds out by writing
	}
	// A batch is on disk twice while it is committed.
	if disk.Free >= disk.Reserve+2*uint64(size) {
		return nil
	}
	return fmt.Errorf("the disk of %s is full: %s free, of which %s are kept for what must go on: make room", e.dir, mebibytes(disk.Free), mebibytes(disk.Reserve))
}

// Disk is how much room there is for what is kept, in bytes.
type Disk struct {
	Free  uint64 // to this user
	Total uint64
	// Reserve is how much of what is free stays so: below it the embedded engine
	// refuses to write.
	Reserve uint64
}

// DiskOf tells of the disk that a folder is on.
func DiskOf(dir string) (Disk, error) {
	free, total, err := space(dir)
	if err != nil {
		return Disk{}, fmt.Errorf("broker: room on the disk of %s: %w", dir, err)
	}
	return Disk{Free: free, Total: total, Reserve: min(mostKept, total/keptShare)}, nil
}

// roomToStart reports whether the engine can finish the batches that it had
// begun to commit when it could not go on: it does so as it starts, only then,
// and what does not fit is lost.
func (e *engine) roomToStart() error {
	free, _, err := space(e.dir)
	if err != nil {
		return nil
	}
	needed := restartRoom + stagedBytes(e.dir)
	if free >= needed {
		return nil
	}
	return fmt.Errorf("the disk of %s is full: %s free, and %s needed to go on: make room", e.dir, mebibytes(free), mebibytes(needed))
}

// stagedBytes is the size of the batches that wait to be finished, in all
// streams.
func stagedBytes(dir string) uint64 {
	batches, err := filepath.Glob(filepath.Join(dir, "nats", "jetstream", "*", "streams", "*", "batches"))
	if err != nil {
		return 0
	}
	var sum uint64
	for _, batch := range batches {
		// A file that goes away meanwhile needs no room.
		_ = filepath.WalkDir(batch, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil
			}
			if info, err := entry.Info(); err == nil {
				sum += uint64(info.Size())
			}
			return nil
		})
	}
	return sum
}

// space tells how many bytes of dir's disk are free to this user, and how many
// it has.
func space(dir string) (free, total uint64, err error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, 0, err
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), uint64(stat.Blocks) * uint64(stat.Bsize), nil
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
