package quickstart

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// findServer finds the server that answers at the address, or starts one.
func (r *run) findServer(ctx context.Context) error {
	answers, err := r.answersAtLast(ctx)
	if err != nil {
		return err
	}
	if !answers {
		return r.startServer(ctx)
	}
	if r.to.Token, err = r.token(); err != nil {
		return err
	}
	known := r.state.API != ""
	r.state.API, r.state.CA, r.state.Proxy = r.to.URL, r.to.CA, r.Proxy
	if known {
		return r.state.save()
	}
	return nil // until there is something to undo
}

// token is what was given, or what the first start of our own server made.
func (r *run) token() (string, error) {
	if r.to.Token != "" {
		return r.to.Token, nil
	}
	if r.state.Server == nil {
		return "", fmt.Errorf("give an access token for %s with -k, KONNECT_TOKEN or TRAILHOOK_TOKEN", r.to.URL)
	}
	text, err := os.ReadFile(filepath.Join(r.state.Server.DataDir, "admin.pat"))
	if err != nil {
		return "", fmt.Errorf("the token of the server's first start is gone, give one with -k: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// answersAtLast is answers, asked again while there is none in time: the machine
// may be busy.
func (r *run) answersAtLast(ctx context.Context) (bool, error) {
	for began := time.Now(); ; {
		ok, err := r.answers(ctx)
		late, is := errors.AsType[net.Error](err)
		if !is || !late.Timeout() || ctx.Err() != nil || time.Since(began) > patience {
			return ok, err
		}
	}
}

// answers reports whether a server of ours answers at the address. That nobody
// does is no error, that somebody else does is one.
func (r *run) answers(ctx context.Context) (bool, error) {
	if r.state.Server != nil && r.to.CA != "" && !exists(r.to.CA) {
		return false, nil // the server that was started has not come so far
	}
	client, err := r.Client(r.to.CA)
	if err != nil {
		return false, err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// Whoever may ask, and nobody is told of it.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.to.URL, "/")+"/v2/audit-log-webhook/jwks.json", nil)
	if err != nil {
		return false, err
	}
	response, err := client.Do(request)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("--api: %w%s", err, remedy(err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return false, fmt.Errorf("--api %s: %w", r.to.URL, err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch {
	case response.StatusCode == http.StatusOK && json.Unmarshal(text, &set) == nil && set.Keys != nil:
		return true, nil
	case strings.Contains(string(text), "HTTP request to an HTTPS server"):
		return false, fmt.Errorf("--api %s: the server there speaks https: --api https://…, and --ca DATA_DIR/tls/ca.crt where it runs with --tls auto", r.to.URL)
	}
	return false, fmt.Errorf("--api %s: what answers there is no Trailhook server (%s): name another address", r.to.URL, response.Status)
}

// remedy is a hint for a connection that cannot be made.
func remedy(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return ": name the authority's file with --ca; that of a server with --tls auto is DATA_DIR/tls/ca.crt"
	}
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return ": the server there does not speak https: --api http://…"
	}
	return ""
}

// startServer starts a server at the address, and waits until it is ready.
func (r *run) startServer(ctx context.Context) error {
	u, err := parseAddress("--api", r.to.URL)
	if err != nil {
		return err
	}
	listen, ok := listenAddress(u)
	if !ok {
		return fmt.Errorf("--api %s: no server answers there, and one can be started on this machine only", r.to.URL)
	}
	if r.state.Server == nil && r.state.API != "" {
		return fmt.Errorf("--api %s: the server that quickstart was set up with does not answer: start it, or undo that with trailhook quickstart --cleanup", r.to.URL)
	}
	b, err := r.server(u, listen)
	if err != nil {
		return err
	}
	before := r.state.state
	secure := u.Scheme == "https" || r.Deck
	r.to.URL = origin(u, secure)
	if r.to.CA = ""; secure {
		r.to.CA = filepath.Join(b.dataDir, "tls", "ca.crt")
	}
	r.state.API, r.state.CA, r.state.Proxy = r.to.URL, r.to.CA, r.Proxy
	r.state.Server = &serverState{DataDir: b.dataDir}
	if err := r.state.save(); err != nil {
		return err
	}
	if !b.adopt() {
		r.say("No server answers at %s: starting one.", r.to.URL)
		if err := b.start(); err != nil {
			return err
		}
		r.fresh = true
	}
	r.state.Server.PID = b.pid
	if err := r.state.save(); err != nil {
		return err
	}
	if err := b.await(ctx, r.serverReady); err != nil {
		if ctx.Err() != nil {
			return err // the next run goes on with it
		}
		r.state.state = before
		return errors.Join(err, r.stopFresh(ctx, b.dataDir), r.state.save())
	}
	r.say("The server runs with pid %d; its data is in %s, its log is %s.\nIt is ended by: trailhook quickstart --cleanup", b.pid, b.dataDir, b.log)
	r.to.Token, err = r.token()
	return err
}

// server is what is to be started. It is for trying on one machine: webhooks may
// lead to that machine.
func (r *run) server(u *url.URL, listen string) (*background, error) {
	dir := cmp.Or(r.DataDir, r.state.file("server"))
	if r.state.Server != nil {
		dir = r.state.Server.DataDir
	}
	if _, err := os.Stat(filepath.Join(dir, "nats")); err != nil && r.Token != "" {
		return nil, fmt.Errorf("--api %s: no server answers there, and one that is started now would not know the token: start that server, "+
			"or leave -k, KONNECT_TOKEN and TRAILHOOK_TOKEN away, and quickstart starts one and tells its token", r.to.URL)
	}
	proxy, err := parseAddress("--proxy", r.Proxy)
	if err != nil {
		return nil, err
	}
	proxyAddr, ok := listenAddress(proxy)
	if !ok || proxy.Scheme != "http" {
		return nil, fmt.Errorf("--proxy %s: a data plane that is started is on this machine, such as http://localhost:8000", r.Proxy)
	}
	tls := "off"
	if u.Scheme == "https" || r.Deck {
		tls = "auto"
	}
	return &background{
		what: "server", dataDir: dir, log: r.state.file("server.log"), known: r.state.Server != nil,
		args: []string{"--only=", "--api-addr", listen, "--proxy-addr", proxyAddr, "--proxy-control-plane", Name, "--proxy-control-plane-url=",
			"--tls", tls, "--allow-private-destinations"},
	}, nil
}

// serverReady reports whether the server that was started answers.
func (r *run) serverReady(ctx context.Context) (bool, error) {
	ok, err := r.answers(ctx)
	return ok, unlessUnanswered(err)
}

// unlessUnanswered is the error, but for those of connections: what is just being
// started may be slow to answer, and whether it still runs is asked elsewhere.
func unlessUnanswered(err error) error {
	if _, is := errors.AsType[*url.Error](err); is {
		return nil
	}
	return err
}

// stopFresh stops the server if it was this run that started it.
func (r *run) stopFresh(ctx context.Context, dataDir string) error {
	if !r.fresh {
		return nil
	}
	_, err := stop(ctx, dataDir)
	return err
}

// undoFreshServer stops a server that was started in vain, since the token is none
// of its own.
func (r *run) undoFreshServer(why error) error {
	if r.Token == "" || !r.fresh {
		return why
	}
	return errors.Join(why, r.stopFresh(context.Background(), r.state.Server.DataDir))
}
