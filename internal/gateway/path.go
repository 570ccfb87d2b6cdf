package gateway

import (
	"net/url"
	"strings"
)

// normalPath brings a path as it came to the form that routes are matched by,
// which is Kong's (kong/tools/uri.lua): escapes are resolved, but for those of
// reserved characters (RFC 3986, 2.2) and of the percent sign, which are in
// upper case; dot segments and empty segments are gone. It may hold any byte, and
// goes out by way of [escapedPath].
func normalPath(path string) string {
	if path == "" {
		return "/"
	}
	if strings.IndexByte(path, '%') >= 0 {
		path = normalEscapes(path)
	}
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch segment {
		case "", ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

func normalEscapes(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		c, ok := byte(0), false
		if i+2 < len(path) {
			c, ok = unhex(path[i+1], path[i+2])
		}
		switch {
		case !ok:
			b.WriteString("%25")
			continue
		case c == '%' || strings.IndexByte(reserved, c) >= 0:
			b.WriteString(strings.ToUpper(path[i : i+3]))
		default:
			b.WriteByte(c)
		}
		i += 2
	}
	return b.String()
}

// reserved are the characters that say something else than their escapes
// (RFC 3986, 2.2).
const reserved = "!*'();:@&=+$,/?#[]"

func unhex(high, low byte) (byte, bool) {
	h, l := strings.IndexByte(hexDigits, lower(high)), strings.IndexByte(hexDigits, lower(low))
	return byte(h<<4 | l), h >= 0 && l >= 0
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// escapedPath escapes what of a path cannot stand in a request's line.
func escapedPath(path string) string {
	plain := 0
	for plain < len(path) && passes(path[plain]) {
		plain++
	}
	if plain == len(path) {
		return path
	}
	var b strings.Builder
	b.WriteString(path[:plain])
	for i := plain; i < len(path); i++ {
		if c := path[i]; !passes(c) {
			b.Write([]byte{'%', upperHexDigits[c>>4], upperHexDigits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

const upperHexDigits = "0123456789ABCDEF"

// passes are the characters that a path has as they are: unreserved ones,
// reserved ones that mean something in it, and the percent sign of an escape.
func passes(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	case c == '?', c == '#':
		return false
	}
	return strings.IndexByte("-._~%", c) >= 0 || strings.IndexByte(reserved, c) >= 0
}

// faithful has the EscapedPath of a request's URL be the path as it came. Package
// net/url makes up another, in which an escaped slash is a plain one, for a path
// with a character that ought to have been escaped. That of a whole URL may be
// left out (RFC 9112, 3.2.2).
func faithful(u *url.URL) {
	if u.Scheme != "" && u.Path == "" {
		u.Path = "/"
	}
	if u.RawPath != "" {
		u.RawPath = escapedPath(u.RawPath)
	}
}

// address has a URL lead to a path in its normal form.
func address(u *url.URL, path string) {
	u.RawPath = escapedPath(path)
	u.Path = u.RawPath
	if strings.IndexByte(u.RawPath, '%') < 0 {
		return
	}
	if plain, err := url.PathUnescape(u.RawPath); err == nil {
		u.Path = plain
	}
}

// upstreamPath joins a service's path with the request's, whose part after what
// the route matched is rest. The rule is Kong's path_handling v0: the slashes
// between are neither lost nor doubled.
func upstreamPath(base, path, rest string, strip bool) string {
	if base == "" {
		base = "/"
	}
	endsInSlash := strings.HasSuffix(base, "/")
	if !strip {
		switch {
		case endsInSlash:
			return base + path[1:]
		case path == "/":
			return base
		}
		return base + path
	}
	begins := strings.HasPrefix(rest, "/")
	switch {
	case rest == "" && base == "/":
		return "/"
	case rest == "":
		base = strings.TrimSuffix(base, "/")
		if len(path) > 1 && strings.HasSuffix(path, "/") {
			return base + "/"
		}
		return base
	case endsInSlash && begins:
		return base + rest[1:]
	case endsInSlash || begins:
		return base + rest
	}
	return base + "/" + rest
}
