package quickstart

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// decK takes an address apart: what it asks of all regions it asks of
// https://global.api.konghq plus what comes after `api.konghq` in the address
// that it was given (decK 1.55). So it works with hosts of that form only, which a
// server with --tls auto has a certificate for.
const deckDomain = ".api.konghq."

// deckAddress is where decK finds the server; empty, with the reason told, where
// it cannot.
func (r *run) deckAddress(ctx context.Context) string {
	u, err := url.Parse(r.to.URL)
	switch {
	case err != nil:
		return ""
	case u.Scheme != "https":
		r.say("decK cannot reach %s: it needs https. Have the server started with --tls auto%s. Without DECK_KONNECT_ADDR, which is not told here, decK sends the token to Kong's cloud.", r.to.URL, r.again())
		return ""
	case strings.Contains(u.Hostname(), deckDomain):
		return origin(u, true)
	}
	host := "us" + deckDomain + "localhost"
	if region, rest, found := strings.Cut(u.Hostname(), "."); found && strings.HasPrefix(rest, "api.") && region != "global" {
		host = region + deckDomain + "localhost"
	}
	if err := r.answersAs(ctx, u, host); err != nil {
		r.say("decK cannot reach %s: it needs an address such as https://%s, and the server has no certificate for that (%v). Have it started with --tls auto. Without DECK_KONNECT_ADDR, which is not told here, decK sends the token to Kong's cloud.", r.to.URL, host, err)
		return ""
	}
	r.sayHosts(ctx, u, host)
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	return "https://" + host
}

// again is what to do where the server is quickstart's own.
func (r *run) again() string {
	if r.state.Server == nil {
		return ""
	}
	return ": trailhook quickstart --cleanup, then trailhook quickstart --deck-output"
}

// answersAs is nil when the server shows a certificate for the host.
func (r *run) answersAs(ctx context.Context, u *url.URL, host string) error {
	client, err := r.Client(r.to.CA)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil
	}
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, hostPort(u))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/v2/audit-log-webhook/jwks.json", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// sayHosts tells what the hosts file needs, where the names lead nowhere.
func (r *run) sayHosts(ctx context.Context, u *url.URL, host string) {
	global := "global" + deckDomain + "localhost"
	for _, name := range []string{host, global} {
		if _, err := net.DefaultResolver.LookupHost(ctx, name); err == nil {
			continue
		}
		address := "127.0.0.1"
		if _, local := listenAddress(u); !local {
			address = "ADDRESS-OF-" + u.Hostname()
		}
		r.say("decK needs names that this machine does not know yet:\n  echo '%s %s %s' | sudo tee -a /etc/hosts", address, host, global)
		return
	}
}
