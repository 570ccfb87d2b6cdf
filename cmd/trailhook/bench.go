package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/trailhook/trailhook/internal/loadtest"
	"github.com/trailhook/trailhook/internal/server"
)

type benchCommand struct {
	Duration      time.Duration `help:"How long requests are sent: half of it calls, half of it bodies of events." default:"30s" placeholder:"TIME"`
	Rate          pacing        `help:"How many requests a second, or max for as fast as they go." default:"max" placeholder:"N"`
	Connections   int           `help:"Over how many connections." default:"16" placeholder:"N"`
	EventsPerCall int           `help:"How many events a body has." default:"100" placeholder:"N"`
	Patience      time.Duration `help:"How long to wait for events that are missing, since the last one that came." default:"30s" placeholder:"TIME"`
	JSON          bool          `name:"json" help:"Print one JSON object in place of the table."`

	// The environment does not say where: a shell that is set up for a system of
	// somebody's should not put load on it by accident.
	API       string `name:"api" help:"URL of the API of a running server to put the load on; without it the server is one made for the run." placeholder:"URL"`
	SIEM      string `name:"siem" help:"URL of the SIEM's side of that server." placeholder:"URL"`
	Region    string `help:"Region whose webhook is used; the API's own unless this is given." placeholder:"REGION"`
	Token     string `help:"Access token for the API, of an organization's admin." env:"TRAILHOOK_TOKEN" placeholder:"TOKEN"`
	AccessID  string `help:"Access id for the SIEM's side, of an administrator." env:"TRAILHOOK_ACCESS_ID,SIEM_ACCESS_ID" placeholder:"ID"`
	AccessKey string `help:"Access key for the SIEM's side." env:"TRAILHOOK_ACCESS_KEY,SIEM_ACCESS_KEY" placeholder:"KEY"`
	DataDir   string `help:"Folder of the server's data: the access key is read from admin.access-key in it, unless one is given." env:"TRAILHOOK_DATA_DIR" type:"path" placeholder:"DIR"`
	CA        string `name:"ca" help:"PEM file of the authority that the servers' certificates are from." env:"TRAILHOOK_CA" placeholder:"FILE"`
}

func (benchCommand) Help() string {
	return `Calls an audited endpoint, then posts bodies of events, and follows them to the search: how many a second, how long an answer
takes, how long it is until the event is found. At the end it looks for every event that an answer had promised. The
exit status is 0 only if each was found, once, with a valid signature.

Without --api it starts a server of its own in a temporary directory, on free ports, over HTTPS. With --api and --siem it
measures a running system. It makes a collector, an access key and a destination there, which it takes away again at the end,
and sets up the region's webhook; an organization that has a webhook in that region is left alone. The events stay: in the
journal for its retention, in the SIEM under _source=trailhook-bench-… for the default one.

With --rate each request has its time, and its latency counts from then, sent or not. "Found" is how long it is from then until the
SIEM shows the event; with max this includes the time in the queue that builds up.

  trailhook bench
  trailhook bench --rate 500 --duration 1m --json
  trailhook bench --api https://localhost:8080 --siem https://localhost:8090 --region sg --data-dir trailhook-data \
    --ca trailhook-data/tls/ca.crt --token "$(cat trailhook-data/admin.pat)" --rate 50 --duration 5s`
}

// benchGrace is how long an interrupted run may take for what is under way.
const benchGrace = 10 * time.Second

func (c *benchCommand) Validate() error {
	switch {
	case c.Duration < time.Second || c.Duration > 24*time.Hour:
		return fmt.Errorf("--duration %s: 1s to 24h", c.Duration)
	case c.Connections < 1 || c.Connections > 1000:
		return fmt.Errorf("--connections %d: 1 to 1000", c.Connections)
	case c.EventsPerCall < 1 || c.EventsPerCall > 5000:
		return fmt.Errorf("--events-per-call %d: 1 to 5000", c.EventsPerCall)
	case c.Patience < time.Second:
		return fmt.Errorf("--patience %s: at least 1s", c.Patience)
	case (c.API == "") != (c.SIEM == ""):
		return errors.New("--api and --siem go together: both halves of the system are measured")
	case c.API == "" && c.Region != "":
		return errors.New("--region goes with --api")
	case c.API != "" && c.Token == "":
		return errors.New("--api: give an access token with --token or TRAILHOOK_TOKEN")
	}
	return nil
}

func (c *benchCommand) Run(ctx context.Context, s streams) error {
	target := loadtest.Target{API: c.API, SIEM: c.SIEM, Token: c.Token, Region: c.Region}
	ca := c.CA
	if c.API == "" {
		own, err := startOwn(ctx)
		if err != nil {
			return err
		}
		defer own.stop()
		target.API, target.SIEM, target.Token = own.APIURL, own.SIEMURL, own.Token
		target.AccessID, target.AccessKey = own.AccessID, own.AccessKey
		ca = own.CAFile
	} else {
		var err error
		flags := siemFlags{AccessID: c.AccessID, AccessKey: c.AccessKey, DataDir: c.DataDir}
		if target.AccessID, target.AccessKey, err = flags.credentials(); err != nil {
			return err
		}
	}
	if ca != "" {
		roots, err := readPool(ca)
		if err != nil {
			return fmt.Errorf("--ca: %w", err)
		}
		target.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	progress := benchProgress(s.err)
	result, err := loadtest.Run(ctx, loadtest.Options{
		Target: target, Duration: c.Duration, Rate: float64(c.Rate), Connections: c.Connections, EventsPerCall: c.EventsPerCall,
		Patience: c.Patience, Grace: benchGrace, Progress: progress.show, Version: version,
	})
	progress.end()
	if result == nil {
		return err
	}
	return errors.Join(c.print(s.out, result), result.Err(), err)
}

func (c *benchCommand) print(out io.Writer, result *loadtest.Result) error {
	if !c.JSON {
		return result.Print(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

// ownServer is a server that was made for a run.
type ownServer struct {
	*server.Server
	dir string
}

// startOwn starts one as a user's would be, but without rate limits: it is the
// machine that is measured.
func startOwn(ctx context.Context) (*ownServer, error) {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return nil, err
	}
	own := &ownServer{dir: dir}
	own.Server, err = server.Start(ctx, server.Config{
		DataDir: filepath.Join(dir, "data"), APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", Region: "us", TLS: "auto",
		AllowPrivateDestinations: true, Version: version, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start a server for the run in %s: %w", dir, err)
	}
	return own, nil
}

func (o *ownServer) stop() {
	_ = o.Shutdown() // nothing of it is kept
	os.RemoveAll(o.dir)
}

// progressBars show a stage after the other, on a terminal only.
type progressBars struct {
	out   io.Writer // nil: nothing is shown
	stage loadtest.Stage
	bar   *progressbar.ProgressBar
}

func benchProgress(out io.Writer) *progressBars {
	if file, ok := out.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return &progressBars{}
	}
	return &progressBars{out: out}
}

func (b *progressBars) show(p loadtest.Progress) {
	if b.out == nil || p.Total == 0 {
		return
	}
	if b.stage != p.Stage {
		b.end()
		b.stage = p.Stage
		b.bar = progressbar.NewOptions64(p.Total, progressbar.OptionSetWriter(b.out), progressbar.OptionFullWidth(),
			progressbar.OptionSetDescription(string(p.Stage)), progressbar.OptionClearOnFinish())
	}
	if p.Total != b.bar.GetMax64() {
		b.bar.ChangeMax64(p.Total)
	}
	_ = b.bar.Set64(p.Done) // what cannot be shown is not worth ending for
}

func (b *progressBars) end() {
	if b.bar != nil {
		_ = b.bar.Finish()
		b.bar = nil
	}
}

// pacing is how many requests a second are sent; 0: as fast as they go.
type pacing float64

// Decode implements kong.MapperValue.
func (p *pacing) Decode(ctx *kong.DecodeContext) error {
	text := fmt.Sprint(ctx.Scan.Pop().Value)
	if text == "max" {
		*p = 0
		return nil
	}
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate <= 1_000_000) { // nor is NaN
		return fmt.Errorf("%q: requests a second, up to 1000000, or max", text)
	}
	*p = pacing(rate)
	return nil
}
