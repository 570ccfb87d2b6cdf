package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"
)

type searchCommand struct {
	Query    string `arg:"" optional:"" help:"What to look for; everything if it is missing."`
	From     moment `default:"-15m" help:"Begin of the time: how long ago (-15m, -7d), or as in RFC 3339." placeholder:"TIME"`
	To       moment `default:"now" help:"End of the time: now, how long ago, or as in RFC 3339." placeholder:"TIME"`
	TimeZone string `help:"Time zone in which timeslice cuts days, such as Europe/Berlin; UTC unless it is given." placeholder:"ZONE"`
	Limit    int    `help:"How many lines, or rows of a table, at most: 1 to 10000. Without it the newest 100 lines, or 10000 rows; of parquet all, up to a million." placeholder:"N"`
	Output   string `short:"o" help:"table, json (an object a line), csv, parquet (a file for other engines), or raw (the lines as they were received; of a table the values, with tabs between)." enum:"table,json,csv,raw,parquet" default:"table"`
	File     string `help:"Where --output parquet goes, in place of standard output." type:"path" placeholder:"FILE"`
	Follow   bool   `short:"f" help:"Go on with lines as they are stored, until Ctrl-C. The oldest line comes first then."`

	Server siemFlags `embed:""`
}

const searchPath = "/trailhook/v1/search"

func (searchCommand) Help() string {
	return `Finds lines, newest first, or makes a table of them, by a query in the search language (docs/search-language.md).

  trailhook search '_source=Konnect granted=false' --from -1d --data-dir trailhook-data
  trailhook search '* | count by principal_id | sort by _count' --output csv --from -7d
  trailhook search 'action=delete' --follow
  trailhook search '*' --from -7d --output parquet --file week.parquet

On a terminal the table has colours, unless NO_COLOR is set, and fits its width; characters that would control the terminal are
shown as escapes, in every form of output. The exit status is that of grep: 0 when something was found, 1 when nothing was, 2
when the search failed.`
}

// Run implements the exit status that Help tells of.
func (c *searchCommand) Run(ctx context.Context, s streams) error {
	found, err := c.run(ctx, s)
	switch {
	case c.Follow && ctx.Err() != nil: // Ctrl-C is how it ends
		return nil
	case err != nil:
		return &exit{2, err}
	case !found:
		return &exit{1, errors.New("nothing found")}
	}
	return nil
}

func (c *searchCommand) run(ctx context.Context, s streams) (found bool, err error) {
	switch most := c.mostRows(); {
	case c.Limit < 0 || c.Limit > most:
		return false, fmt.Errorf("--limit %d: 1 to %d", c.Limit, most)
	case c.Follow && (c.Output == "csv" || c.Output == "parquet"):
		return false, errors.New("--follow goes with --output table, json or raw: the others are complete at the end only")
	case c.File != "" && c.Output != "parquet":
		return false, errors.New("--file goes with --output parquet: redirect the others")
	case c.Output == "csv":
		return c.csv(ctx, s)
	case c.Output == "parquet":
		return c.parquet(ctx, s)
	}
	out := newPrinter(s.out, c.Output, c.Query)
	if c.Follow {
		return c.follow(ctx, s, out)
	}
	err = c.search(ctx, func(o object, line []byte) error {
		found = true
		return out.print(o, line)
	})
	return found, errors.Join(err, out.flush())
}

// mostRows is how much a server gives.
func (c *searchCommand) mostRows() int {
	if c.Output == "parquet" {
		return 1_000_000
	}
	return 10_000
}

func (c *searchCommand) parameters() url.Values {
	now := time.Now()
	v := url.Values{"query": {c.Query}, "from": {c.From.at(now).Format(time.RFC3339Nano)}}
	if c.To != (moment{}) { // now means no end, as clocks differ
		v.Set("to", c.To.at(now).Format(time.RFC3339Nano))
	}
	if c.TimeZone != "" {
		v.Set("timeZone", c.TimeZone)
	}
	if c.Limit > 0 {
		v.Set("limit", strconv.Itoa(c.Limit))
	}
	return v
}

// search gives every object of the answer to do.
func (c *searchCommand) search(ctx context.Context, do func(o object, line []byte) error) error {
	answer, err := c.Server.get(ctx, searchPath, c.parameters(), siemSearchTime)
	if err != nil {
		return err
	}
	defer answer.Close()
	return eachLine(answer, func(line []byte) error {
		o, err := parseObject(line)
		if err != nil {
			return fmt.Errorf("--siem %s: the answer is not what a Trailhook server gives: %w", c.Server.SIEM, err)
		}
		if told, is := o.get("error"); is && len(o) == 1 {
			return errors.New(harmless(told))
		}
		return do(o, line)
	})
}

// csv passes on what the server wrote.
func (c *searchCommand) csv(ctx context.Context, s streams) (found bool, err error) {
	parameters := c.parameters()
	parameters.Set("format", "csv")
	answer, err := c.Server.get(ctx, searchPath, parameters, siemSearchTime)
	if err != nil {
		return false, err
	}
	defer answer.Close()
	lines, in, out := 0, bufio.NewReader(answer), bufio.NewWriter(s.out)
	show := shownOn(s.out)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			lines++
			out.WriteString(show(line))
		}
		if err == io.EOF {
			return lines > 1, out.Flush()
		}
		if err != nil {
			return false, errors.Join(fmt.Errorf("read the answer: %w", withoutURL(err)), out.Flush())
		}
	}
}

// follow begins with the tail, so that nothing is missed between the two, and
// leaves out of it what the search found.
func (c *searchCommand) follow(ctx context.Context, s streams, out printer) (found bool, err error) {
	t, err := startTail(ctx, &c.Server, c.Query)
	if err != nil {
		return false, err
	}
	defer t.Close()
	var lines [][]byte
	err = c.search(ctx, func(o object, line []byte) error {
		lines = append(lines, bytes.Clone(line))
		t.shown.find(o)
		return nil
	})
	if err != nil {
		return false, err
	}
	slices.Reverse(lines)
	for _, line := range lines {
		o, err := parseObject(line)
		if err != nil {
			return false, err
		}
		if err := out.print(o, line); err != nil {
			return false, err
		}
	}
	if err := out.flush(); err != nil {
		return false, err
	}
	return true, t.show(ctx, s, out)
}
