package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
)

type destinationCommand struct {
	Test destinationTestCommand `cmd:"" help:"Send one test event to a destination, and show how far it came."`
}

type destinationTestCommand struct {
	ID     string   `arg:"" help:"Id of the destination."`
	Server apiFlags `embed:""`
}

func (destinationTestCommand) Help() string {
	return `The server sends it as it sends all events: by the same way, with the same limits, format and authorization. The
event is marked (Authz.trailhook/test) and signed, and no webhook sends it. The exit status is 1 when the endpoint
did not take it.

  trailhook destination test 3f0cf5f2-70f7-4b0c-a0c6-0ee2ad1c2ee6 --token "$KONNECT_TOKEN"`
}

// trialResult is the server's answer.
type trialResult struct {
	Delivered bool         `json:"delivered"`
	TraceID   string       `json:"trace_id"`
	Answer    string       `json:"answer"`
	Phases    []trialPhase `json:"phases"`
}

type trialPhase struct {
	Name         string  `json:"name"`
	OK           bool    `json:"ok"`
	Milliseconds float64 `json:"ms"`
	Detail       string  `json:"detail"`
	Remedy       string  `json:"remedy"`
}

func (c *destinationTestCommand) Run(ctx context.Context, s streams) error {
	var result trialResult
	path := "/trailhook/v1/destinations/" + url.PathEscape(c.ID) + "/test"
	if err := c.Server.call(ctx, "POST", path, nil, &result); err != nil {
		return err
	}
	if err := result.print(s.out); err != nil {
		return err
	}
	if !result.Delivered {
		return errors.New("the test event was not delivered")
	}
	return nil
}

func (r *trialResult) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, phase := range r.Phases {
		verdict := "ok"
		if !phase.OK {
			verdict = "FAILED"
		}
		fmt.Fprintf(table, "%s\t%s\t%.1f ms\t%s\n", phase.Name, verdict, phase.Milliseconds, phase.Detail)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r.Answer != "" {
		fmt.Fprintf(w, "\nThe endpoint answered: %s\n", r.Answer)
	}
	if n := len(r.Phases); n > 0 && r.Phases[n-1].Remedy != "" {
		fmt.Fprintf(w, "\n%s\n", r.Phases[n-1].Remedy)
	}
	if !r.Delivered {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nDelivered: the receiver finds the event by trace_id %s\n", r.TraceID)
	return err
}
