package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

type replayCommand struct {
	From   moment `required:"" help:"Begin of the time: how long ago (-1h, -7d), or as in RFC 3339." placeholder:"TIME"`
	To     moment `default:"now" help:"End of the time: now, how long ago, or as in RFC 3339." placeholder:"TIME"`
	Region string `help:"Region whose events and webhook are meant; the API's own unless this is given." placeholder:"REGION"`
	Wait   bool   `help:"Wait for the end, and show how far it is."`

	Server apiFlags `embed:""`
}

func (replayCommand) Help() string {
	return `The events that were recorded in the time go to the region's webhook again, beside what is delivered live,
as the same lines. There is one replay job at a time. With --wait the exit status is 1 when the job fails; a job
goes on when the command is interrupted. A line that the endpoint refuses while it takes others does not end the job:
such lines are counted as refused.

  trailhook replay --from -1h --wait
  trailhook replay --from 2026-01-02T00:00:00Z --to 2026-01-03T00:00:00Z --region eu`
}

const replayPath = "/v3/audit-log-replay-job"

// The pauses between two looks at a job. Each look is an audited call, so they grow.
const (
	firstLook  = 250 * time.Millisecond
	lastLook   = 5 * time.Second
	lookGrowth = 1.5
)

// replayJob is what the API tells of a job.
type replayJob struct {
	Status    string
	Trailhook struct {
		EventsSent    uint64  `json:"events_sent"`
		EventsRefused uint64  `json:"events_refused"`
		EventsTotal   *uint64 `json:"events_total"`
		FailureReason string  `json:"failure_reason"`
	}
}

func (c *replayCommand) Run(ctx context.Context, s streams) error {
	c.Server.Region = c.Region
	now := time.Now()
	var job replayJob
	err := c.Server.call(ctx, http.MethodPut, replayPath, map[string]time.Time{
		"start_at": c.From.at(now), "end_at": c.To.at(now),
	}, &job)
	if err != nil {
		return err
	}
	if !c.Wait {
		_, err := fmt.Fprintf(s.out, "the replay job is %s\n", job.Status)
		return err
	}
	return c.wait(ctx, s.out, job)
}

func (c *replayCommand) wait(ctx context.Context, out io.Writer, job replayJob) error {
	show := progressOn(out)
	pause := firstLook
	for {
		show(job)
		switch job.Status {
		case "completed":
			return nil
		case "failed":
			return fmt.Errorf("the replay failed: %s", job.Trailhook.FailureReason)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.New("interrupted; the job goes on without this command")
		}
		pause = min(time.Duration(float64(pause)*lookGrowth), lastLook)
		job = replayJob{}
		if err := c.Server.call(ctx, http.MethodGet, replayPath, nil, &job); err != nil {
			return fmt.Errorf("%w; the job goes on without this command", err)
		}
	}
}

// progressOn shows how far a job is: as a bar on a terminal, and else as a line
// whenever there is something new.
func progressOn(out io.Writer) func(replayJob) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		last := ""
		return func(job replayJob) {
			if line := job.String(); line != last {
				last = line
				fmt.Fprintln(out, line)
			}
		}
	}
	return barOn(out)
}

// barOn shows a bar with the rate and what time is left. Its clock runs from now
// on, its length is known once the events are counted.
func barOn(out io.Writer) func(replayJob) {
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionFullWidth(),
		progressbar.OptionSetDescription("replaying"), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"))
	bar.StartWithoutRender()
	return func(job replayJob) {
		told := job.Trailhook
		over := job.Status == "completed" || job.Status == "failed"
		if told.EventsTotal != nil && *told.EventsTotal > 0 {
			if total := int64(*told.EventsTotal); total != bar.GetMax64() {
				bar.ChangeMax64(total)
			}
			_ = bar.Set64(int64(told.EventsSent + told.EventsRefused)) // what cannot be shown is not worth ending for
			if over {
				fmt.Fprintln(out)
			}
		}
		if over {
			fmt.Fprintln(out, job)
		}
	}
}

func (j replayJob) String() string {
	if j.Trailhook.EventsTotal == nil {
		return j.Status
	}
	line := fmt.Sprintf("%s: %d of %d events sent", j.Status, j.Trailhook.EventsSent, *j.Trailhook.EventsTotal)
	if refused := j.Trailhook.EventsRefused; refused > 0 {
		line += fmt.Sprintf(", %d refused", refused)
	}
	return line
}

// moment is a time, or how long before now it lies.
type moment struct {
	ago  time.Duration
	time time.Time // zero: ago counts
}

// Decode implements kong.MapperValue. A flag's value would not begin with a dash
// otherwise.
func (m *moment) Decode(ctx *kong.DecodeContext) error {
	return m.parse(fmt.Sprint(ctx.Scan.Pop().Value))
}

func (m *moment) parse(text string) error {
	*m = moment{}
	if text == "now" {
		return nil
	}
	if back, ok := strings.CutPrefix(text, "-"); ok {
		ago, err := time.ParseDuration(back)
		if days, inDays := strings.CutSuffix(back, "d"); inDays {
			var n uint64
			n, err = strconv.ParseUint(days, 10, 8)
			ago = time.Duration(n) * 24 * time.Hour
		}
		if err == nil && ago >= 0 {
			m.ago = ago
			return nil
		}
	} else if at, err := time.Parse(time.RFC3339, text); err == nil {
		m.time = at
		return nil
	}
	return fmt.Errorf("%q is no time such as now, -1h, -7d or 2026-01-02T15:04:05Z", text)
}

func (m moment) at(now time.Time) time.Time {
	if !m.time.IsZero() {
		return m.time
	}
	return now.Add(-m.ago).UTC()
}
