package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

type setAsideCommand struct {
	List   setAsideListCommand   `cmd:"" help:"List the lines that are set aside, oldest first."`
	Resend setAsideResendCommand `cmd:"" help:"Send lines again."`
	Delete setAsideDeleteCommand `cmd:"" help:"Give lines up."`
}

func (setAsideCommand) Help() string {
	return `A line that an endpoint refuses alone (400, 413, 422) while it takes others of the same batch is set aside, so that
the others go on. It is kept as long as the journal keeps events.`
}

const setAsidePath = "/trailhook/v1/set-aside"

type setAsideListCommand struct {
	Server apiFlags `embed:""`
}

func (setAsideListCommand) Help() string {
	return `Prints for each line its id, when it was refused, the endpoint's answer, and the event as JSON, with tabs between.`
}

func (c *setAsideListCommand) Run(ctx context.Context, s streams) error {
	listed := 0
	for next := setAsidePath; next != ""; {
		var page struct {
			Data []struct {
				ID      string
				At      time.Time       `json:"set_aside_at"`
				Code    int             `json:"response_code"`
				Message string          `json:"response_message"`
				Event   json.RawMessage `json:"event"`
			}
			Meta struct{ Next string }
		}
		if err := c.Server.call(ctx, "GET", next, nil, &page); err != nil {
			return err
		}
		for _, line := range page.Data {
			if _, err := fmt.Fprintf(s.out, "%s\t%s\t%d %s\t%s\n", line.ID, line.At.Format(time.RFC3339), line.Code, line.Message, line.Event); err != nil {
				return err
			}
		}
		listed += len(page.Data)
		next = page.Meta.Next
		if next != "" && !strings.HasPrefix(next, setAsidePath+"?") {
			return fmt.Errorf("the server names %q as the next page, which is none of this list", next)
		}
	}
	if listed == 0 {
		fmt.Fprintln(s.err, "no lines are set aside")
	}
	return nil
}

type setAsideResendCommand struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"Ids of the lines, as listed."`
	All    bool     `help:"Send all lines again."`
	Server apiFlags `embed:""`
}

func (setAsideResendCommand) Help() string {
	return `Lines go to the webhook's destination as it is configured now, each once. What the endpoint takes is no longer set
aside. The exit status is 1 when any line is still set aside.`
}

func (c *setAsideResendCommand) Validate() error {
	if c.All == (len(c.IDs) > 0) {
		return fmt.Errorf("name the lines' ids, or --all")
	}
	return nil
}

// resent is the server's answer.
type resent struct {
	Sent    int
	Refused int
	Left    int
	Code    int    `json:"last_response_code"`
	Message string `json:"last_response_message"`
}

func (c *setAsideResendCommand) Run(ctx context.Context, s streams) error {
	var all resent
	if c.All {
		if err := c.Server.call(ctx, "POST", setAsidePath+"/resend", nil, &all); err != nil {
			return err
		}
	}
	for _, id := range c.IDs {
		var one resent
		if err := c.Server.call(ctx, "POST", setAsidePath+"/"+url.PathEscape(id)+"/resend", nil, &one); err != nil {
			return err
		}
		one.Sent, one.Refused, one.Left = one.Sent+all.Sent, one.Refused+all.Refused, one.Left+all.Left
		all = one
	}
	if _, err := fmt.Fprintf(s.out, "sent %d, refused again %d, left %d\n", all.Sent, all.Refused, all.Left); err != nil {
		return err
	}
	if all.Refused+all.Left == 0 {
		return nil
	}
	if all.Code >= 200 && all.Code <= 299 && all.Left > 0 {
		return fmt.Errorf("the time of one call was over: run the command again for the %d lines that are left", all.Left)
	}
	return fmt.Errorf("%d lines are still set aside; the endpoint's last answer: %s", all.Refused+all.Left, answerOf(all.Code, all.Message))
}

func answerOf(code int, message string) string {
	if code == 0 {
		return message
	}
	return fmt.Sprintf("%d %s", code, message)
}

type setAsideDeleteCommand struct {
	IDs    []string `arg:"" name:"id" help:"Ids of the lines, as listed."`
	Server apiFlags `embed:""`
}

func (c *setAsideDeleteCommand) Run(ctx context.Context) error {
	for _, id := range c.IDs {
		if err := c.Server.call(ctx, "DELETE", setAsidePath+"/"+url.PathEscape(id), nil, nil); err != nil {
			return err
		}
	}
	return nil
}
