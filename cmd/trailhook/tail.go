package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

type tailCommand struct {
	Query  string `arg:"" optional:"" help:"Which lines to show; all if it is missing. Stages that need more than one line are refused."`
	Output string `short:"o" help:"table, json (an object a line), or raw (the lines as they were received)." enum:"table,json,raw" default:"table"`

	Server siemFlags `embed:""`
}

func (tailCommand) Help() string {
	return `Shows lines a moment after they came in, until Ctrl-C. Where they come faster than they can be shown, some are left out, and
it says on standard error how many. The exit status is 2 when the tail fails or the server ends it.

  trailhook tail '_source=Konnect granted=false' --data-dir trailhook-data
  trailhook tail 'action=delete' --output raw | trailhook verify`
}

func (c *tailCommand) Run(ctx context.Context, s streams) error {
	t, err := startTail(ctx, &c.Server, c.Query)
	if err == nil {
		defer t.Close()
		err = t.show(s, newPrinter(s.out, c.Output, c.Query), func(object) bool { return false })
	}
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return &exit{2, err}
}

// liveTail is a tail that has begun.
type liveTail struct{ *stream }

// startTail returns once no line is missed any more.
func startTail(ctx context.Context, server *siemFlags, query string) (liveTail, error) {
	events, err := server.get(ctx, "/trailhook/v1/tail", url.Values{"query": {query}}, 0)
	return liveTail{events}, err
}

// show prints lines until the tail ends, which it does with an error.
func (t liveTail) show(s streams, out printer, known func(object) bool) error {
	event := ""
	err := eachLine(t, func(line []byte) error {
		name, value, _ := strings.Cut(string(line), ": ")
		switch name {
		case "":
			event = ""
		case "event":
			event = value
		case "data":
			return t.event(s, out, known, event, value)
		}
		return nil
	})
	if err == nil {
		err = errors.New("the connection ended: is the server still running?")
	}
	return err
}

func (t liveTail) event(s streams, out printer, known func(object) bool, name, data string) error {
	switch name {
	case "dropped":
		fmt.Fprintf(s.err, "trailhook: too slow for all lines: some were left out: %s\n", harmless(data))
		return nil
	case "end":
		return fmt.Errorf("the server ended the tail: %s", harmless(data))
	case "":
		o, err := parseObject([]byte(data))
		if err != nil {
			return fmt.Errorf("the tail is not what a Trailhook server sends: %w", err)
		}
		if known(o) {
			return nil
		}
		if err := out.print(o, []byte(data)); err != nil {
			return err
		}
		return out.flush()
	}
	return nil // an event of a newer server
}
