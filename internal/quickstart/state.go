package quickstart

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// state is what has to be undone, and where. It is written before the thing is
// done that it tells of.
type state struct {
	API       string          `json:"api,omitempty"` // empty: nothing is set up
	CA        string          `json:"ca,omitempty"`
	Proxy     string          `json:"proxy,omitempty"`
	Mark      string          `json:"mark,omitempty"` // on the control plane that was made; empty: none was
	Server    *serverState    `json:"server,omitempty"`
	DataPlane *dataPlaneState `json:"data_plane,omitempty"`
}

// serverState is a server that was started.
type serverState struct {
	DataDir string `json:"data_dir"`
	PID     int    `json:"pid"` // for people: what runs is told by the data directory's lock
}

// dataPlaneState is a data plane that was started.
type dataPlaneState struct {
	ControlPlane string `json:"control_plane"` // its id
	API          string `json:"api"`
}

// stateDir is the state with its directory, which one run has at a time.
type stateDir struct {
	state
	dir  string
	lock *os.File
}

// openState takes the state directory of the user and reads what is there. The
// kernel frees the lock when the process ends, however it ends. It is on the
// directory around, which stays when the state is removed: a lock on what others
// may already have opened would be no lock.
func openState() (*stateDir, error) {
	around, err := stateHome()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(around, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock, err := os.Open(around)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another quickstart is at work in %s: wait until it has ended", around)
		}
		return nil, fmt.Errorf("lock %s: %w", around, err)
	}
	s := &stateDir{dir: filepath.Join(around, "quickstart"), lock: lock}
	if err := s.load(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

// stateHome is Trailhook's part of the user's state directory, by the XDG base
// directory specification: a path that is not absolute counts for nothing.
func stateHome() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "trailhook"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for quickstart's state: set XDG_STATE_HOME: %w", err)
	}
	return filepath.Join(home, ".local", "state", "trailhook"), nil
}

func (s *stateDir) unlock() { s.lock.Close() }

func (s *stateDir) file(name string) string { return filepath.Join(s.dir, name) }

func (s *stateDir) load() error {
	text, err := os.ReadFile(s.file("state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s.state)
	}
	if err != nil {
		return fmt.Errorf("quickstart's state in %s cannot be read: stop what it has started, if anything, and remove that directory: %w", s.dir, err)
	}
	return nil
}

// save replaces the file, all of it or nothing.
func (s *stateDir) save() error {
	text, err := json.MarshalIndent(s.state, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	file, err := os.CreateTemp(s.dir, ".state-*") // 0600
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", s.file("state.json"), err)
	}
	return os.Rename(file.Name(), s.file("state.json"))
}
