package quickstart

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// parseAddress reads the URL of a flag: scheme, host and perhaps a port.
func parseAddress(flag, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("%s %q: want http(s)://host[:port]", flag, text)
	}
	return u, nil
}

// hostPort is where a URL's server listens.
func hostPort(u *url.URL) string {
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}

// listenAddress is where a server on this machine has to listen to be reached by
// the URL; false when the URL is not this machine's alone.
func listenAddress(u *url.URL) (address string, ok bool) {
	host := strings.ToLower(u.Hostname())
	_, port, _ := net.SplitHostPort(hostPort(u))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return net.JoinHostPort("127.0.0.1", port), true
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return net.JoinHostPort(host, port), true
	}
	return "", false
}

// sameServer reports whether two URLs are of one server and one of its regions,
// whether by http or https.
func sameServer(a, b string) bool {
	one, err1 := url.Parse(a)
	other, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && plainHost(one) == plainHost(other)
}

// plainHost is the URL's host and port, by one name for this machine.
func plainHost(u *url.URL) string {
	host, port, _ := net.SplitHostPort(hostPort(u))
	host = strings.ToLower(host)
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// origin is the URL without a slash at its end, over TLS if secure.
func origin(u *url.URL, secure bool) string {
	o := url.URL{Scheme: u.Scheme, Host: u.Host}
	if secure {
		o.Scheme = "https"
	}
	return o.String()
}
