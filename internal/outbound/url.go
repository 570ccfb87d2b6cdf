package outbound

import (
	"net/url"
	"strconv"
	"strings"
)

// urlError says what an endpoint's URL must be, and quotes nothing of it.
type urlError string

func (e urlError) Error() string { return string(e) }

// ValidateURL tells whether a user may give the text as an endpoint: an absolute http or https URL with a
// host, without user info and without a fragment; http only with allowHTTP. What it returns completes a
// sentence that begins with the field's name ("endpoint must be …") and quotes nothing of the text.
//
// It does not look at addresses: these are checked when a connection is made, whatever the URL says.
func ValidateURL(raw string, allowHTTP bool) error {
	target, err := parseURL(raw)
	if err != nil {
		return err
	}
	if target.Scheme == "http" && !allowHTTP {
		return urlError("must be https (start with --allow-private-destinations to allow http)")
	}
	return nil
}

// parseURL holds what every URL must be that this package connects to. The causes that package url gives
// are not passed on: they quote the text, and so perhaps a password.
func parseURL(raw string) (*url.URL, error) {
	target, err := url.Parse(raw)
	if err != nil {
		return nil, urlError("must be a well-formed URL, such as https://siem.example.com/logs")
	}
	switch {
	case target.Scheme != "http" && target.Scheme != "https":
		return nil, urlError("must be an absolute URL that begins with https://")
	case target.Opaque != "" || target.Hostname() == "":
		return nil, urlError("must be a URL with a host, such as https://siem.example.com/logs")
	case target.User != nil:
		return nil, urlError("must not have a user name or password in the URL (set authorization instead)")
	case strings.Contains(raw, "#"):
		return nil, urlError("must not have a fragment (remove the # and what follows)")
	}
	if err := checkPort(target); err != nil {
		return nil, err
	}
	return target, nil
}

func checkPort(target *url.URL) error {
	port := target.Port()
	if port == "" && !strings.HasSuffix(target.Host, ":") {
		return nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return urlError("must have a port from 1 to 65535, or none")
	}
	return nil
}
