package brokertest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a small file system of its own.
type Disk struct {
	Dir     string // a directory on it
	ballast string
}

// SmallDisk mounts a file system of so many bytes for the time of the test. That
// takes root, as in .ci/run; without, the test is skipped, or fails where
// TRAILHOOK_REQUIRE=all asks for everything.
func SmallDisk(t testing.TB, size int) Disk {
	t.Helper()
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		if os.Getenv("TRAILHOOK_REQUIRE") == "all" {
			t.Fatalf("a small disk cannot be mounted and TRAILHOOK_REQUIRE=all: %v (run as root)", err)
		}
		t.Skipf("a small disk cannot be mounted: %v (run as root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", mount, err)
		}
	})
	d := Disk{Dir: filepath.Join(mount, "data"), ballast: filepath.Join(mount, "ballast")}
	if err := os.Mkdir(d.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return d
}

// Fill leaves about so many bytes free.
func (d Disk) Fill(t testing.TB, free int) {
	t.Helper()
	file, err := os.Create(d.ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// In pieces, since others write meanwhile: tmpfs gives all that is asked for, or
	// nothing.
	var size int64
	for piece := int64(1 << 20); piece >= 4096; piece /= 16 {
		for {
			var stat syscall.Statfs_t
			if err := syscall.Statfs(d.Dir, &stat); err != nil {
				t.Fatal(err)
			}
			if int64(stat.Bavail)*stat.Bsize-int64(free) < piece {
				break
			}
			err := syscall.Fallocate(int(file.Fd()), 0, size, piece)
			if errors.Is(err, syscall.ENOSPC) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			size += piece
		}
	}
}

// Empty makes the room again that Fill took.
func (d Disk) Empty(t testing.TB) {
	t.Helper()
	if err := os.Remove(d.ballast); err != nil {
		t.Fatal(err)
	}
}
