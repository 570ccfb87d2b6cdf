package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestATailGoesOnAfterTheServerWasAwayAndShowsEachLineOnce(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "shut down": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := serve(t, dir, "--only", "collector")
			post := p.addSource()
			tails := map[string]*follower{
				"tail":              follow(p, "tail", "_source=App NOT warming", "--output", "raw"),
				"search that tails": follow(p, "search", "_source=App NOT warming", "--follow", "--output", "raw"),
			}
			seen := map[string]map[string]int{}
			n := 0
			for name, f := range tails {
				// Nobody outside knows when the tail has begun: lines come until one is shown.
				shown := make(chan string, 1)
				go func() { shown <- f.next() }()
				eventually(t, "a line is shown", func() bool {
					n++
					post(fmt.Sprintf("warm %d\nwarming %d\n", n, n))
					return len(shown) > 0
				})
				seen[name] = map[string]int{<-shown: 1}
			}
			var sent []string
			send := func(lines int) {
				first := len(sent)
				for range lines {
					sent = append(sent, fmt.Sprintf("line %d", len(sent)))
				}
				post(strings.Join(sent[first:], "\n"))
			}
			for range 3 {
				for range 10 {
					send(5)
				}
				p.end(signal) // with lines on their way
				p = serve(t, dir, "--only", "collector")
				send(5)
			}
			sent = append(sent, "the last line")
			post("the last line")
			for name, f := range tails {
				for seen[name]["the last line"] == 0 || len(missing(sent, seen[name])) > 0 {
					select {
					case line, more := <-f.lines:
						if !more {
							t.Fatalf("%s has ended\n%s", name, f.log)
						}
						seen[name][line]++
					case <-time.After(generous):
						t.Fatalf("%s: %d lines are missing, such as %q\n%s", name, len(missing(sent, seen[name])), missing(sent, seen[name])[0], f.log)
					}
				}
				f.cmd.Process.Signal(os.Interrupt)
				for line := range f.lines {
					seen[name][line]++
				}
				for line, times := range seen[name] {
					if times > 1 {
						t.Errorf("%s: %q was shown %d times", name, line, times)
					}
				}
				if err := f.cmd.Wait(); err != nil {
					t.Errorf("%s: interrupted: %v", name, err)
				}
				// Between two of the times the tail may not have tried again.
				log := f.log.String()
				if away := strings.Count(log, "waiting until it is back"); away == 0 || away > 3 || strings.Count(log, "the tail goes on") != away {
					t.Errorf("%s said:\n%s", name, log)
				}
			}
		})
	}
}

func missing(sent []string, seen map[string]int) (lines []string) {
	for _, line := range sent {
		if seen[line] == 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestATailThatTheServerRefusesToGoOnEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir, "--only", "collector")
	post := p.addSource()
	resp, body, err := p.siem(t.Context(), "POST", "/api/v1/accessKeys", `{"label": "tail"}`)
	made := must(t, 200, resp, body, err)
	id, key := made["id"].(string), made["key"].(string)
	f := follow(p, "tail", "--output", "raw", "--access-id", id, "--access-key", key)
	shown := make(chan string, 1)
	go func() { shown <- f.next() }()
	n := 0
	eventually(t, "a line is shown", func() bool {
		n++
		post(fmt.Sprintf("line %d", n)) // each another: one that is stored already is not shown
		return len(shown) > 0
	})
	resp, body, err = p.siem(t.Context(), "DELETE", "/api/v1/accessKeys/"+id, "")
	must(t, 204, resp, body, err)
	p.end(syscall.SIGKILL)
	serve(t, dir, "--only", "collector")
	if f.wait(); f.cmd.ProcessState.ExitCode() != 2 || !strings.Contains(f.log.String(), "401 Unauthorized") {
		t.Errorf("%v\n%s", f.cmd.ProcessState, f.log)
	}
}
