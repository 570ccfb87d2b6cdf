package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// The pause before a tail tries to go on doubles from the first to the last.
	firstTailPause = 250 * time.Millisecond
	lastTailPause  = 15 * time.Second

	// tailSilence is after how long without a sign of life, of which there is one
	// every 15 seconds, a connection is dead.
	tailSilence = 45 * time.Second
	// tailAnswerTime is how long a server may take to find what was missed.
	tailAnswerTime = 2 * time.Minute
)

// liveTail is a tail that has begun. When the server goes away it goes on where it
// was as soon as the server is back.
type liveTail struct {
	server *siemFlags
	query  string

	events *stream
	cancel context.CancelFunc
	silent *time.Timer // cancels

	id    string // of the last event that had one
	shown shownLines
}

// startTail returns once no line is missed any more.
func startTail(ctx context.Context, server *siemFlags, query string) (*liveTail, error) {
	t := &liveTail{server: server, query: query}
	return t, t.connect(ctx)
}

func (t *liveTail) connect(ctx context.Context) (err error) {
	header := http.Header{}
	if t.id != "" {
		header.Set("Last-Event-ID", t.id)
	}
	ctx, t.cancel = context.WithCancel(ctx)
	t.silent = time.AfterFunc(tailAnswerTime, t.cancel)
	t.events, err = t.server.getWith(ctx, "/trailhook/v1/tail", url.Values{"query": {t.query}}, header, 0)
	if err != nil {
		t.stop()
	}
	return err
}

func (t *liveTail) stop() {
	t.silent.Stop()
	t.cancel()
}

// Close implements [io.Closer].
func (t *liveTail) Close() error {
	t.stop()
	if t.events == nil {
		return nil
	}
	return t.events.Close()
}

// lost says that a connection is over and may be begun again.
type lost struct{ error }

// show prints lines until it fails or ctx ends.
func (t *liveTail) show(ctx context.Context, s streams, out printer) error {
	for {
		err := t.read(s, out)
		t.Close()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, again := errors.AsType[lost](err); !again {
			return err
		}
		fmt.Fprintf(s.err, "trailhook: %v: waiting until it is back\n", err)
		if err := t.reconnect(ctx); err != nil {
			return err
		}
		fmt.Fprintln(s.err, "trailhook: the tail goes on")
	}
}

// reconnect tries until the server lets the tail go on, or says that it never will.
func (t *liveTail) reconnect(ctx context.Context) error {
	for pause := firstTailPause; ; pause = min(2*pause, lastTailPause) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		t.events = nil
		if err := t.connect(ctx); err == nil || !mayPass(err) {
			return err
		}
	}
}

// mayPass says whether what keeps a server from answering may be over later.
func mayPass(err error) bool {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError
	}
	return errors.Is(err, errNoAnswer)
}

// read prints lines until the connection is lost, or something else goes wrong.
func (t *liveTail) read(s streams, out printer) error {
	event := ""
	var failed error
	err := eachLine(t.events, func(line []byte) error {
		t.silent.Reset(tailSilence)
		name, value, _ := strings.Cut(string(line), ": ")
		switch name {
		case "":
			event = ""
		case "id":
			t.id = value
		case "event":
			event = value
		case "data":
			failed = t.event(s, out, event, value)
		}
		return failed
	})
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return lost{fmt.Errorf("the connection to the server broke (%w)", err)}
	}
	return lost{errors.New("the connection to the server ended")}
}

func (t *liveTail) event(s streams, out printer, name, data string) error {
	switch name {
	case "dropped":
		fmt.Fprintf(s.err, "trailhook: too slow for all lines: some were left out: %s\n", harmless(data))
		return nil
	case "gap":
		fmt.Fprintf(s.err, "trailhook: too many lines came meanwhile: some are left out: %s\n", harmless(data))
		return nil
	case "end":
		return lost{fmt.Errorf("the server ended the tail: %s", harmless(data))}
	case "":
		return t.message(out, data)
	}
	return nil // an event of a newer server
}

// message prints a line, unless it was shown before the tail went on.
func (t *liveTail) message(out printer, data string) error {
	o, err := parseObject([]byte(data))
	if err != nil {
		return fmt.Errorf("the tail is not what a Trailhook server sends: %w", err)
	}
	if !t.shown.first(o, t.id) {
		return nil
	}
	if err := out.print(o, []byte(data)); err != nil {
		return err
	}
	return out.flush()
}
