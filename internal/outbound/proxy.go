package outbound

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

// proxied has every connection made by an HTTP proxy, which the operator has
// named. It is the proxy then that connects, past the guard: what can be checked
// here is, an address that a URL names and those that a name resolves to, but a
// proxy that resolves the name otherwise has the last word.
type proxied struct {
	proxy  *url.URL
	policy Policy
}

// ParseProxy reads the URL of a proxy: http or https, with a host, and with user
// information if it asks for any.
func ParseProxy(text string) (*url.URL, error) {
	proxy, err := url.Parse(text)
	if err != nil || proxy.Scheme != "http" && proxy.Scheme != "https" || proxy.Hostname() == "" || proxy.Path != "" && proxy.Path != "/" {
		return nil, errors.New("a proxy's URL is of the form http://host:port")
	}
	return proxy, nil
}

// choose is for http.Transport.Proxy.
func (p *proxied) choose(r *http.Request) (*url.URL, error) {
	host := r.URL.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		return p.proxy, p.policy.Check(addr)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(r.Context(), "ip", host)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := p.policy.Check(addr.Unmap()); err != nil {
			return nil, err
		}
	}
	return p.proxy, nil
}
