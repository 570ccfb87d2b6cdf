package entity

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// maxPattern is how many bytes a regular expression may have.
const maxPattern = 2048

func joined(list []string) string { return strings.Join(list, ", ") }

func isUUID(value any) string {
	s, _ := value.(string)
	if parsed, err := uuid.Parse(s); err != nil || parsed.String() != s {
		return "expected a valid UUID"
	}
	return ""
}

func notEmpty(value any) string {
	s, _ := value.(string)
	switch {
	case s == "":
		return "length must be at least 1"
	case !printable(s):
		return "expected text without control characters"
	}
	return ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isName is Kong's rule of names: letters and digits of any language, and - . _ ~.
func isName(value any) string {
	if wrong := notEmpty(value); wrong != "" {
		return wrong
	}
	bad := strings.ContainsFunc(value.(string), func(r rune) bool {
		return r < utf8.RuneSelf && !isAlphanumeric(r) && !strings.ContainsRune(".-_~", r)
	})
	if bad {
		return "invalid value '" + value.(string) + "': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
	}
	return ""
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func isTag(value any) string {
	s, _ := value.(string)
	if s == "" || !printable(s) || strings.ContainsAny(s, ",/") {
		return "invalid tag '" + s + "': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
	}
	return ""
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

func isHost(value any) string {
	s, _ := value.(string)
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return ""
	}
	if len(s) > 253 || !hostName.MatchString(s) {
		return "invalid value: " + s
	}
	return ""
}

// isRouteHost takes a host with an optional port, of which the leftmost or the
// rightmost label may be *.
func isRouteHost(value any) string {
	s, _ := value.(string)
	host := s
	if name, port, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "invalid port number: " + s
		}
		host = name
	}
	switch strings.Count(host, "*") {
	case 0:
	case 1:
		rest, left := strings.CutPrefix(host, "*.")
		if !left {
			var right bool
			if rest, right = strings.CutSuffix(host, ".*"); !right {
				return "invalid wildcard: must be placed at leftmost or rightmost label"
			}
		}
		host = rest
	default:
		return "invalid wildcard: must have at most one wildcard"
	}
	if isHost(host) != "" {
		return "invalid hostname: " + s
	}
	return ""
}

// isRoutePath takes a prefix, or a regular expression (of RE2's syntax, which
// is not all of Kong's) behind ~.
func isRoutePath(value any) string {
	s, _ := value.(string)
	if pattern, ok := strings.CutPrefix(s, "~"); ok {
		if !strings.HasPrefix(pattern, "/") {
			return "should start with: / (fixed path) or ~/ (regex path)"
		}
		if len(pattern) > maxPattern {
			return "invalid regex: it is longer than " + strconv.Itoa(maxPattern) + " bytes"
		}
		if _, err := regexp.Compile("^(?:" + pattern + ")"); err != nil {
			return "invalid regex: '" + pattern + "': " + err.Error()
		}
		return ""
	}
	if !strings.HasPrefix(s, "/") {
		return "should start with: / (fixed path) or ~/ (regex path)"
	}
	return isPath(s)
}

func isPath(s string) string {
	if strings.Contains(s, "//") {
		return "must not have empty segments"
	}
	if strings.ContainsAny(s, "?# ") || !printable(s) {
		return "invalid path: '" + s + "' (characters outside of the reserved list of RFC 3986 found)"
	}
	if _, err := url.PathUnescape(s); err != nil {
		return "invalid url-encoded value: '" + s + "'"
	}
	return ""
}

func isUpstreamPath(value any) string {
	s, _ := value.(string)
	if !strings.HasPrefix(s, "/") {
		return "should start with: /"
	}
	return isPath(s)
}

var method = regexp.MustCompile(`^[A-Z]{1,32}$`)

func isMethod(value any) string {
	if s, _ := value.(string); !method.MatchString(s) {
		return "invalid value: " + s
	}
	return ""
}

// headerName is a token (RFC 9110, 5.6.2).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$")

func isHeaderName(value any) string {
	if s, _ := value.(string); !headerName.MatchString(s) {
		return "bad header name '" + s + "', expected a token of RFC 9110"
	}
	return ""
}

func isHeaderValue(value any) string {
	if s, _ := value.(string); !printable(strings.ReplaceAll(s, "\t", " ")) {
		return "invalid value of a header"
	}
	return ""
}

func isRouteHeader(value any) string {
	if s, _ := value.(string); strings.EqualFold(s, "host") {
		return "cannot contain 'host' header, which must be specified in the 'hosts' attribute"
	}
	return isHeaderName(value)
}

// isHeaderMatch takes a header's value, or a regular expression behind ~*.
func isHeaderMatch(value any) string {
	s, _ := value.(string)
	if pattern, ok := strings.CutPrefix(s, "~*"); ok {
		if len(pattern) > maxPattern {
			return "invalid regex: it is longer than " + strconv.Itoa(maxPattern) + " bytes"
		}
		if _, err := regexp.Compile("(?i)" + pattern); err != nil {
			return "invalid regex: '" + pattern + "': " + err.Error()
		}
		return ""
	}
	return isHeaderValue(value)
}

func isRedirect(value any) string {
	switch value {
	case 426.0, 301.0, 302.0, 307.0, 308.0:
		return ""
	}
	return "expected one of: 426, 301, 302, 307, 308"
}

func isEndpoint(value any) string {
	s, _ := value.(string)
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
		return "missing host in url"
	}
	return ""
}

// isOrigin takes *, an origin, or a regular expression that is held against the
// whole of one.
func isOrigin(value any) string {
	s, _ := value.(string)
	if s == "" || len(s) > maxPattern {
		return "length must be between 1 and " + strconv.Itoa(maxPattern)
	}
	if s == "*" {
		return ""
	}
	if _, err := regexp.Compile("^(?:" + s + ")$"); err != nil {
		return "'" + s + "' is not a valid regex"
	}
	return ""
}
