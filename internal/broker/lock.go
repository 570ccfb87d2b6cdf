package broker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockDir takes dir for this process alone. The kernel frees the lock when the
// process ends, however it ends; the file stays and holds the last owner's pid.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		owner, _ := io.ReadAll(io.LimitReader(file, 32))
		file.Close()
		return nil, fmt.Errorf("data directory %s is in use by another trailhook (pid %s): stop that one first, or name another --data-dir",
			dir, strings.TrimSpace(string(owner)))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("broker: lock %s: %w", dir, err)
	}
	if err := file.Truncate(0); err == nil {
		fmt.Fprintf(file, "%d\n", os.Getpid())
	}
	return file, nil
}

// Holder is the process that has a data directory for itself: its pid, 0 when
// nobody has. A pid that was written down elsewhere may be another process's by
// now; this one's is not, since the kernel frees the lock with its owner.
func Holder(dir string) (pid int, err error) {
	file, err := os.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("broker: %w", err)
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return 0, nil // closing the file gives the lock back
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, fmt.Errorf("broker: lock %s: %w", dir, err)
	}
	text, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return 0, fmt.Errorf("broker: %w", err)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("data directory %s is in use by a process that has not said which it is: try again", dir)
	}
	return pid, nil
}
