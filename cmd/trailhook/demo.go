package main

import (
	"context"

	"github.com/trailhook/trailhook/internal/demo"
)

type demoCommand struct {
	Keep bool `help:"Leave the server running until Ctrl-C, and print its addresses and secrets."`
}

func (demoCommand) Help() string {
	return `Everything runs in a temporary directory, on free ports of this machine, over HTTPS with a certificate
authority made for the run. The exit status is 0 only if the line of the API call was found and its signature verified.`
}

func (c *demoCommand) Run(ctx context.Context, s streams) error {
	return demo.Run(ctx, demo.Options{Out: s.out, Version: version, Keep: c.Keep})
}
