package quickstart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

const (
	startTime = 2 * time.Minute       // for a process in the background, until it is ready
	patience  = time.Minute           // with what runs already
	stopGrace = 30 * time.Second      // for a process to end before it is killed
	look      = 50 * time.Millisecond // between two looks at one
	logLines  = 10                    // that an error shows
)

// background is a `trailhook serve` that goes on when this process has ended.
type background struct {
	what    string // for people
	dataDir string
	log     string
	args    []string // after `serve --data-dir DIR`
	env     []string // beside this process's own
	known   bool     // a former run has started it, and it may still run

	pid   int
	began int64         // the size of the log at the start
	ended chan struct{} // closed when it has ended; nil when another process started it
}

// start starts it in a session of its own, so that no terminal's end is its own.
func (b *background) start() error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start the %s: %w", b.what, err)
	}
	log, err := os.OpenFile(b.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start the %s: %w", b.what, err)
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil {
		b.began = info.Size()
	}
	// Its standard output, which has the secrets of a first start, goes nowhere:
	// they are in files of the data directory too.
	cmd := exec.Command(program, append([]string{"serve", "--data-dir", b.dataDir}, b.args...)...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(slices.DeleteFunc(os.Environ(), isSecret), b.env...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the %s: %w", b.what, err)
	}
	b.pid, b.ended = cmd.Process.Pid, make(chan struct{})
	go func() {
		defer close(b.ended)
		_ = cmd.Wait() // why it ended is in its log
	}()
	return nil
}

// isSecret tells of a variable that a server has no use for.
func isSecret(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	switch name {
	case "KONNECT_TOKEN", "DECK_KONNECT_TOKEN", "TRAILHOOK_TOKEN", "TRAILHOOK_ACCESS_KEY", "SIEM_ACCESS_KEY", "SIEM_TOKEN":
		return true
	}
	return false
}

// await waits until it is ready. Where another process of it runs already, which
// a former run started, that one is waited for.
func (b *background) await(ctx context.Context, ready func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		ok, err := ready(ctx)
		if err != nil || ok {
			return err
		}
		select {
		case <-b.ended:
			if !b.adopt() {
				return b.dead()
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("after %s the %s (pid %d) is not ready; its log %s ends with:\n%s", startTime, b.what, b.pid, b.log, b.lastWords())
		case <-tick.C:
			if b.ended == nil && !b.adopt() {
				return b.dead()
			}
		}
	}
}

func (b *background) dead() error {
	return fmt.Errorf("the %s has ended; its log %s ends with:\n%s", b.what, b.log, b.lastWords())
}

// adopt takes over the process of a former run that has the data directory; false
// when none has.
func (b *background) adopt() bool {
	if !b.known {
		return false
	}
	pid, err := broker.Holder(b.dataDir)
	if err != nil || pid == 0 {
		return false
	}
	b.pid, b.ended = pid, nil
	return true
}

// lastWords are the last lines that it has logged.
func (b *background) lastWords() string {
	file, err := os.Open(b.log)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "(" + err.Error() + ")"
	}
	text, err := io.ReadAll(io.NewSectionReader(file, max(b.began, info.Size()-16<<10), 16<<10))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-logLines):], []byte("\n")))
}

// stop ends the process that has the data directory, if one has, and returns its
// pid. It is asked to end, and killed when it does not.
func stop(ctx context.Context, dataDir string) (pid int, err error) {
	pid, err = broker.Holder(dataDir)
	if err != nil || pid == 0 {
		return 0, err
	}
	// The handle first, then that the pid is still the owner's: what is signalled
	// is that very process.
	process, err := os.FindProcess(pid)
	if err != nil {
		return 0, fmt.Errorf("stop pid %d: %w", pid, err)
	}
	defer process.Release()
	for _, with := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if holder, err := broker.Holder(dataDir); err != nil || holder != pid {
			return pid, err
		}
		if err := process.Signal(with); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return pid, fmt.Errorf("stop pid %d: %w", pid, err)
		}
		if gone, err := awaitEnd(ctx, dataDir); err != nil || gone {
			return pid, err
		}
	}
	return pid, fmt.Errorf("pid %d does not end", pid)
}

// awaitEnd reports whether nobody has the data directory any more.
func awaitEnd(ctx context.Context, dataDir string) (bool, error) {
	deadline := time.After(stopGrace)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if pid, err := broker.Holder(dataDir); err != nil || pid == 0 {
				return err == nil, err
			}
		case <-deadline:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
