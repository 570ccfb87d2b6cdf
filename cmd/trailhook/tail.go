package main

import (
	"context"
)

type tailCommand struct {
	Query  string `arg:"" optional:"" help:"Which lines to show; all if it is missing. Stages that need more than one line are refused."`
	Output string `short:"o" help:"table, json (an object a line), or raw (the lines as they were received)." enum:"table,json,raw" default:"table"`

	Server siemFlags `embed:""`
}

func (tailCommand) Help() string {
	return `Shows lines a moment after they came in, until Ctrl-C. Where they come faster than they can be shown, some are left out, and
it says on standard error how many. When the server goes away it waits until it is back, and goes on with what came
meanwhile. The exit status is 2 when the tail fails.

  trailhook tail '_source=Konnect granted=false' --data-dir trailhook-data
  trailhook tail 'action=delete' --output raw | trailhook verify`
}

func (c *tailCommand) Run(ctx context.Context, s streams) error {
	t, err := startTail(ctx, &c.Server, c.Query)
	if err == nil {
		defer t.Close()
		err = t.show(ctx, s, newPrinter(s.out, c.Output, c.Query))
	}
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return &exit{2, err}
}
