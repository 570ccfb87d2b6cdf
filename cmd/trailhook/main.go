// Command trailhook is audit logging from the API call to the search result:
// a Konnect-compatible audit-log platform and the SIEM that receives it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set when a release is built (-ldflags "-X main.version=1.2.3").
var version = "dev"

const description = `Audit logs from the API call to the search result, on your own machines.

Trailhook records every action as a signed audit event, delivers the events to
webhooks as Kong Konnect does, and receives, verifies and searches them as a
SIEM does.

  trailhook demo     shows it all in a few seconds and leaves nothing behind
  trailhook serve    runs it`

type cli struct {
	Config kong.ConfigFlag `help:"YAML file with the flags' values, by their names without the leading dashes." placeholder:"FILE" env:"TRAILHOOK_CONFIG"`

	Demo        demoCommand        `cmd:"" help:"Run the Konnect audit-log tutorial, start to end, in a temporary directory."`
	Serve       serveCommand       `cmd:"" help:"Run the server."`
	Quickstart  quickstartCommand  `cmd:"" help:"Make what a tutorial begins with: a server, a control plane, a data plane; or undo that."`
	Token       tokenCommand       `cmd:"" help:"Make access tokens, on the data directory of a stopped server."`
	Key         keyCommand         `cmd:"" help:"List and rotate the keys that events are signed with, and the master key."`
	Destination destinationCommand `cmd:"" help:"Test destinations."`
	Replay      replayCommand      `cmd:"" help:"Send the events of a time to the webhook again."`
	SetAside    setAsideCommand    `cmd:"" help:"List, send again or delete lines that a webhook's endpoint refused."`
	Search      searchCommand      `cmd:"" help:"Search what the SIEM's side has."`
	Tail        tailCommand        `cmd:"" help:"Show lines as the SIEM's side stores them."`
	Alert       alertCommand       `cmd:"" help:"Saved searches of the SIEM's side, and the alerts that they raise."`
	Verify      verifyCommand      `cmd:"" help:"Verify the signatures of audit lines."`
	Bench       benchCommand       `cmd:"" help:"Measure a server from the call to the search, and look for everything that it promised."`
	Backup      backupCommand      `cmd:"" help:"Copy all that a server keeps into one file, while it runs or when it does not."`
	Restore     restoreCommand     `cmd:"" help:"Make a data directory from a backup."`
	Health      healthCommand      `cmd:"" help:"Ask a running server whether it is ready."`
	Completion  completionCommand  `cmd:"" help:"Print the script by which a shell completes this command line."`
	Man         manCommand         `cmd:"" help:"Write the man pages."`
	Version     versionCommand     `cmd:"" help:"Print the version, and what it was built of."`
}

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

func main() { os.Exit(run()) }

// run runs the command line of the process and returns its exit status: 0 when
// it did what was asked, 1 when it could not, 2 when the command line is wrong. A
// command whose status says something else returns an [exit].
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal, when the first one's shutdown takes too long, kills.
	context.AfterFunc(ctx, stop)
	command, err := newParser(ctx, streams{os.Stdin, os.Stdout, os.Stderr}).Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "trailhook: %v\nTry: %s --help\n", err, named(err))
		return 2
	}
	if err := command.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "trailhook: %v\n", err)
		if e, ok := errors.AsType[*exit](err); ok {
			return e.status
		}
		return 1
	}
	return 0
}

// named is the command of a command line that could not be parsed, as far as it is
// one: the command whose help tells what is possible there.
func named(err error) string {
	words := []string{"trailhook"}
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		for _, step := range parse.Context.Path {
			if step.Command != nil {
				words = append(words, step.Command.Name)
			}
		}
	}
	return strings.Join(words, " ")
}

// newParser makes what reads the command line.
func newParser(ctx context.Context, s streams) *kong.Kong {
	parser, err := kong.New(&cli{},
		kong.Name("trailhook"), kong.Description(description),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Configuration(yamlConfig),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		panic(err) // the command line's definition is wrong: every test would show it
	}
	return parser
}

// exit is an error with an exit status of its own.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }
