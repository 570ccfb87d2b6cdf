package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/internal/server"
)

// child is a server in a process of its own, on a directory of its own.
type child struct {
	*process
	apiURL string
	token  string
	dir    string
}

// startChild runs this program again as a platform without TLS.
func startChild() (*child, error) {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return nil, err
	}
	p, err := startAgain("serve-child", dir)
	if err != nil {
		return nil, err
	}
	c := &child{process: p, dir: dir}
	if _, err := fmt.Fscanln(c.out, &c.apiURL, &c.token); err != nil {
		c.stop()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	return c, nil
}

func (c *child) stop() {
	c.process.stop()
	os.RemoveAll(c.dir)
}

// serveChild is the other side of startChild: it serves until its standard
// input ends.
func serveChild(dir string) error {
	srv, err := server.Start(context.Background(), server.Config{
		DataDir: dir, APIAddr: "127.0.0.1:0", Region: "us", Version: "bench", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	fmt.Println(srv.APIURL, srv.Token)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return srv.Shutdown()
}

// memory returns a figure of a process's memory in MB: VmHWM is the peak, VmRSS
// what it is now.
func memory(pid int, figure string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, figure+":"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, figure)
}

// cpuSeconds returns the processor time that a process has used.
func cpuSeconds(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // from the third on: proc(5)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is short", pid)
	}
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	const ticks = 100 // a second, on Linux
	return (user + system) / ticks, err
}
