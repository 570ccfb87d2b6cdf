package quickstart

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// findDataPlane waits until the data plane serves the control plane, and starts
// one where none answers on this machine.
func (r *run) findDataPlane(ctx context.Context, plane controlPlane) error {
	u, err := parseAddress("--proxy", r.Proxy)
	if err != nil {
		return err
	}
	want := dataPlaneState{ControlPlane: plane.ID, API: r.to.URL}
	if had := r.state.DataPlane; had != nil && *had != want {
		// It serves a control plane that is no more.
		if _, err := stop(ctx, r.state.file("data-plane")); err != nil {
			return err
		}
	}
	if r.state.DataPlane == nil {
		answers, _, err := r.askProxy(ctx, u)
		if err != nil {
			return err
		}
		if answers {
			r.sayStranger(u)
			return r.awaitServing(ctx, u)
		}
	}
	return r.startDataPlane(ctx, u, want)
}

// sayStranger tells of a data plane on this machine for a server that is not:
// whose it is cannot be seen.
func (r *run) sayStranger(u *url.URL) {
	api, err := url.Parse(r.to.URL)
	if err != nil {
		return
	}
	_, here := listenAddress(u)
	if _, there := listenAddress(api); here && !there {
		r.say("A data plane answers at %s already, and is taken for one of %s.", r.Proxy, r.to.URL)
	}
}

// dataPlane is what is to be started: a server of its own, beside the control
// plane's.
func (r *run) dataPlane(u *url.URL, serve dataPlaneState) (*background, error) {
	listen, ok := listenAddress(u)
	if !ok || u.Scheme != "http" {
		return nil, fmt.Errorf("--proxy %s: no data plane answers there, and one can be started on this machine only, such as http://localhost:8000", r.Proxy)
	}
	b := &background{
		what: "data plane", dataDir: r.state.file("data-plane"), log: r.state.file("data-plane.log"), known: r.state.DataPlane != nil,
		args: []string{"--only", "platform", "--api-addr", "127.0.0.1:0", "--ops-addr=", "--proxy-addr", listen, "--proxy-tls-addr=",
			"--proxy-control-plane", serve.ControlPlane, "--proxy-control-plane-url", serve.API,
			"--nats=", "--tls", "off"},
		env: []string{"TRAILHOOK_PROXY_CONTROL_PLANE_TOKEN=" + r.to.Token},
	}
	if r.to.CA != "" {
		b.args = append(b.args, "--proxy-control-plane-ca", r.to.CA)
	}
	return b, nil
}

// startDataPlane starts a data plane, or goes on with the one that a former run
// has started.
func (r *run) startDataPlane(ctx context.Context, u *url.URL, want dataPlaneState) error {
	b, err := r.dataPlane(u, want)
	if err != nil {
		return err
	}
	before := r.state.DataPlane
	r.state.DataPlane = &want
	if err := r.state.save(); err != nil {
		return err
	}
	started := false
	if !b.adopt() {
		r.say("No data plane answers at %s: starting one.", r.Proxy)
		if err := b.start(); err != nil {
			return err
		}
		started = true
	}
	serves := func(ctx context.Context) (bool, error) {
		_, serves, err := r.askProxy(ctx, u)
		return serves, unlessUnanswered(err)
	}
	if err := b.await(ctx, serves); err != nil {
		if ctx.Err() != nil || !started {
			return err
		}
		_, stopped := stop(ctx, b.dataDir)
		r.state.DataPlane = before
		return errors.Join(err, stopped, r.state.save())
	}
	if started {
		r.say("The data plane runs with pid %d; its log is %s. What its audit plugins record is in its own journal, in %s.\n"+
			"It is ended by: trailhook quickstart --cleanup", b.pid, b.log, b.dataDir)
	}
	return nil
}

// awaitServing waits until a data plane that somebody else runs serves a control
// plane.
func (r *run) awaitServing(ctx context.Context, u *url.URL) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		_, serves, err := r.askProxy(within, u)
		if err = unlessUnanswered(err); err != nil || serves {
			return err
		}
		select {
		case <-tick.C:
		case <-within.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("--proxy %s: the data plane there has had no configuration for %s, so it does not serve %s of %s: "+
				"look at its server's --proxy-control-plane and log, or name another address for one of quickstart's own", r.Proxy, patience, Name, r.to.URL)
		}
	}
}

// askProxy reports whether a data plane answers at the address, and whether it
// has a configuration. It asks for what is never passed on, so that no upstream
// is bothered: the answer is 405 once there is a configuration, and 503 before.
func (r *run) askProxy(ctx context.Context, u *url.URL) (answers, serves bool, err error) {
	client, err := r.Client(r.to.CA)
	if err != nil {
		return false, false, err
	}
	defer client.CloseIdleConnections()
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(within, http.MethodConnect, origin(u, false), nil)
	if err != nil {
		return false, false, err
	}
	response, err := client.Do(request)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return false, false, nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return true, false, nil
	case err != nil:
		return false, false, fmt.Errorf("--proxy: %w", err)
	}
	response.Body.Close()
	// Elsewhere there may be others in between, who speak in their own name.
	_, local := listenAddress(u)
	if local && !strings.HasPrefix(response.Header.Get("Server"), "trailhook/") {
		return false, false, fmt.Errorf("--proxy %s: what answers there is no Trailhook data plane: name another address, such as http://localhost:8001", r.Proxy)
	}
	return true, response.StatusCode != http.StatusServiceUnavailable, nil
}
