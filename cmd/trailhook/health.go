package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

type healthCommand struct {
	OpsAddr string        `help:"Address of the server's /readyz." default:"127.0.0.1:9091" env:"TRAILHOOK_OPS_ADDR"`
	Alive   bool          `help:"Ask only whether it is alive."`
	Timeout time.Duration `help:"How long the answer may take." default:"10s"`
}

func (healthCommand) Help() string {
	return `Prints what the server says of each part; the exit status is 0 when it is ready, else 1. It is for the
health checks of containers, which have no other program to ask with.`
}

func (c healthCommand) Run(ctx context.Context, s streams) error {
	if c.OpsAddr == "off" {
		return errors.New("--ops-addr off: such a server tells nobody how it is: start it with an address")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	url := "http://" + reachable(c.OpsAddr) + "/readyz"
	if c.Alive {
		url = "http://" + reachable(c.OpsAddr) + "/healthz"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no server answers: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(s.out, io.LimitReader(response.Body, 64<<10)); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// reachable is an address to connect to, for one to listen on: the machine's own where
// that is any.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return address
}
