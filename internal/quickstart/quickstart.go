// Package quickstart makes what a tutorial begins with: a server, if none
// answers yet, the control plane `quickstart`, and a data plane on this machine
// that serves it. Kong's script of the same name does that with Konnect.
//
// # What is promised
//
//   - A second run changes nothing and tells the same. A run that was killed, at
//     whatever moment, is mended by the next.
//   - [Cleanup] takes away what was made and nothing else. The control plane has
//     a label with a random mark that only this user's state knows: one of the
//     same name that somebody else made, or another user's quickstart, is left
//     alone. Taking the label away keeps the control plane.
//   - A process is signalled only while it holds the lock of its data directory,
//     so that a pid that has become another program's never is.
//   - No secret is on a command line or in a log.
//
// What has to be undone is written down before it is done, in the user's state
// directory (XDG_STATE_HOME, or ~/.local/state), in trailhook/quickstart:
//
//	state.json        what was set up, and against which server
//	server/           the data of the server that was started, unless a data directory was named
//	data-plane/       the data of the data plane that was started
//	server.log, data-plane.log
package quickstart

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Name is that of the control plane.
const Name = "quickstart"

// Where a server and a data plane are looked for, and started, unless addresses
// are given.
const (
	DefaultAPI   = "http://127.0.0.1:8080"
	DefaultProxy = "http://localhost:8000"
)

// Options are what the user wants, and what is needed to speak with a server.
type Options struct {
	API     string // URL; empty: the one of the last run, or DefaultAPI
	Token   string // empty: the one of the server that is started
	CA      string // PEM file of the server's authority; empty: the one of the last run, or the system's
	Proxy   string // URL of the data plane; empty: the one of the last run, or DefaultProxy
	DataDir string // of a server that is started; empty: in the state directory
	Deck    bool   // tell decK's address too, and start a server that decK can speak with

	// TokenInEnvironment says that the user's shell has the token in KONNECT_TOKEN.
	TokenInEnvironment bool

	Call     Call
	Client   func(ca string) (*http.Client, error) // that trusts a PEM file's authorities; empty: the system's
	Progress io.Writer                             // what is being done, and hints, for people
}

// Connection is how a server's API is reached.
type Connection struct {
	URL, Token, CA string
}

// Call makes a request of a server's API and decodes its answer into result. An
// answer that is no success is an error.
type Call func(ctx context.Context, to Connection, method, path string, body, result any) error

// run is one run of quickstart, which has the state for itself.
type run struct {
	Options
	state *stateDir
	to    Connection
	fresh bool // this run has started the server
}

// Make makes what is missing and returns what the shell is to be told.
func Make(ctx context.Context, o Options) (Exports, error) {
	r, err := begin(o)
	if err != nil {
		return Exports{}, err
	}
	defer r.state.unlock()
	if err := r.choose(); err != nil {
		return Exports{}, err
	}
	if err := r.findServer(ctx); err != nil {
		return Exports{}, err
	}
	plane, err := r.findControlPlane(ctx)
	if err != nil {
		if r.Token != "" && r.state.Server != nil {
			r.say("The token of the server that quickstart has started is in %s/admin.pat.", r.state.Server.DataDir)
		}
		return Exports{}, r.undoFreshServer(err)
	}
	if err := r.findDataPlane(ctx, plane); err != nil {
		return Exports{}, err
	}
	return r.exports(ctx), nil
}

func begin(o Options) (*run, error) {
	state, err := openState()
	if err != nil {
		return nil, err
	}
	return &run{Options: o, state: state}, nil
}

// choose decides which server and data plane are meant. What was set up with
// others has to be undone first.
func (r *run) choose() error {
	had := r.state.state
	r.to = Connection{URL: cmp.Or(r.API, had.API, DefaultAPI), Token: r.Token, CA: r.CA}
	if _, err := parseAddress("--api", r.to.URL); err != nil {
		return err
	}
	given := r.Proxy
	r.Proxy = cmp.Or(given, had.Proxy, DefaultProxy)
	if _, err := parseAddress("--proxy", r.Proxy); err != nil {
		return err
	}
	const undo = "undo that first with trailhook quickstart --cleanup"
	switch {
	case had.API == "":
		return nil
	case !sameServer(r.to.URL, had.API):
		return fmt.Errorf("--api %s: quickstart is set up with %s: %s", r.to.URL, had.API, undo)
	case had.Server != nil && r.DataDir != "" && r.DataDir != had.Server.DataDir:
		return fmt.Errorf("--data-dir %s: quickstart's server has its data in %s: %s", r.DataDir, had.Server.DataDir, undo)
	case (had.Server != nil || had.DataPlane != nil) && !sameServer(r.Proxy, had.Proxy):
		return fmt.Errorf("--proxy %s: quickstart's data plane is at %s: %s", given, had.Proxy, undo)
	}
	r.to.CA = cmp.Or(r.CA, had.CA)
	if had.Server != nil {
		r.to.URL = had.API // by http or https, as it was started
	}
	return nil
}

// say tells people what is being done.
func (r *run) say(format string, values ...any) {
	fmt.Fprintf(r.Progress, format+"\n", values...)
}
