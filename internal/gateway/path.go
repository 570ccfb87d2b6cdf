package gateway

import "strings"

// normalPath brings an escaped path to its normal form: escapes of unreserved
// characters are resolved, other escapes are in upper case, dot segments and
// empty segments are gone.
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
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		c, ok := unhex(path[i+1], path[i+2])
		switch {
		case !ok:
			b.WriteByte('%')
			continue
		case unreserved(c):
			b.WriteByte(c)
		default:
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

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

// unreserved are the characters that an escape may stand for without saying
// anything else (RFC 3986, 2.3).
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
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
