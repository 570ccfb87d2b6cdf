package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/trailhook/trailhook/internal/quickstart"
)

type quickstartCommand struct {
	Token      string `short:"k" help:"Access token for the server. A server that is started has one of its own." env:"KONNECT_TOKEN,TRAILHOOK_TOKEN" placeholder:"TOKEN"`
	API        string `name:"api" help:"URL of the server's API; http://127.0.0.1:8080, or what the last run had, unless given. Where none answers on this machine, one is started." env:"TRAILHOOK_API" placeholder:"URL"`
	CA         string `name:"ca" help:"PEM file of the authority that the server's certificate is from." env:"TRAILHOOK_CA" placeholder:"FILE" type:"path"`
	Proxy      string `help:"URL of the data plane; http://localhost:8000, or what the last run had, unless given. Where none answers on this machine, one is started." env:"TRAILHOOK_PROXY" placeholder:"URL"`
	DataDir    string `help:"Folder for the data of a server that is started, which cleaning up leaves alone; unless given, one in the user's state directory." placeholder:"DIR" type:"path"`
	DeckOutput bool   `help:"Tell decK's address too. A server that is started has TLS then, which decK needs."`
	Cleanup    bool   `help:"Undo it: delete the control plane that was made, and end what was started."`
}

func (quickstartCommand) Help() string {
	return `Makes what Kong's tutorials begin with: the control plane "quickstart", and a data plane that serves it. It prints
exports for the shell, and nothing else, to standard output. A second run changes nothing; --cleanup undoes it, but leaves
alone what quickstart has not made.

  trailhook quickstart -k "$KONNECT_TOKEN" --deck-output     with a server that runs
  eval "$(trailhook quickstart)"                             starts a server first, and takes its token
  trailhook quickstart --cleanup

A server or a data plane that is started goes on in the background. It runs as trailhook serve does, with
--allow-private-destinations, and takes the other flags' values from the environment (TRAILHOOK_SIEM_ADDR …).`
}

func (c *quickstartCommand) Run(ctx context.Context, s streams) error {
	options := quickstart.Options{
		API: c.API, Token: c.Token, CA: c.CA, Proxy: c.Proxy, DataDir: c.DataDir, Deck: c.DeckOutput,
		TokenInEnvironment: c.Token != "" && c.Token == os.Getenv("KONNECT_TOKEN"),
		Call:               callAsQuickstart,
		Client:             func(ca string) (*http.Client, error) { return newClient(ca, 90*time.Second) },
		Progress:           s.err,
	}
	var exports quickstart.Exports
	var err error
	if c.Cleanup {
		err = quickstart.Cleanup(ctx, options)
	} else {
		exports, err = quickstart.Make(ctx, options)
	}
	if ctx.Err() != nil {
		return errors.New("interrupted: another run goes on from here, and trailhook quickstart --cleanup undoes what there is")
	}
	if err != nil || c.Cleanup {
		return err
	}
	_, err = io.WriteString(s.out, exports.String())
	return err
}

func callAsQuickstart(ctx context.Context, to quickstart.Connection, method, path string, body, result any) error {
	flags := apiFlags{API: to.URL, Token: to.Token, CA: to.CA}
	err := flags.call(ctx, method, path, body, result)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusUnauthorized {
		return fmt.Errorf("%w: %s does not know the token: give another with -k (of KONNECT_TOKEN and TRAILHOOK_TOKEN the first counts)", err, to.URL)
	}
	return err
}
