// Package control is how a command on the same machine speaks with the server that runs
// on a data directory: HTTP over a socket in that directory. Who may open the
// directory's files may speak, and nobody else, so nobody is asked who he is.
package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Name is that of the socket in the data directory.
const Name = "control.sock"

// longest is how many bytes a socket's path may have: 108 with its zero on Linux, 104
// elsewhere (unix(7), and macOS' unix(4)).
const longest = 103

// ErrNoServer says that no server listens in the directory.
var ErrNoServer = errors.New("no server listens there")

// Listen opens the socket, in place of one that a former process left. The caller holds
// the directory alone.
func Listen(dir string) (net.Listener, error) {
	if err := os.Remove(filepath.Join(dir, Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	path, closePath, err := address(dir)
	if err != nil {
		return nil, err
	}
	defer closePath()
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	// By its true name: the one it has been opened by may be gone at the end.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(filepath.Join(dir, Name), 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return listener, nil
}

// Client is a client of the server on a data directory. Whatever the URL's host is,
// requests go there; an error wraps [ErrNoServer] when none listens.
func Client(dir string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			path, closePath, err := address(dir)
			if err != nil {
				return nil, err
			}
			defer closePath()
			conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
				return nil, fmt.Errorf("%s: %w", filepath.Join(dir, Name), ErrNoServer)
			}
			return conn, err
		},
	}}
}

// address is a name of the socket that is short enough. Linux has one for every folder
// that is open.
func address(dir string) (path string, closePath func(), err error) {
	path = filepath.Join(dir, Name)
	if len(path) <= longest {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("control socket: the path %s is too long for a socket: use a data directory with a shorter one", path)
	}
	folder, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil, fmt.Errorf("%s: %w", path, ErrNoServer)
	}
	if err != nil {
		return "", nil, fmt.Errorf("control socket: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), Name), func() { folder.Close() }, nil
}
