package recorder

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// origin tells where a request comes from, and the trace that it is part of.
//
// Both are in headers that anybody can write. They count only on a connection
// from a trusted proxy, and of X-Forwarded-For only what trusted proxies added.
func (r *Recorder) origin(req *http.Request) (source string, trace uint64) {
	peer, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr, newTraceID()
	}
	address := peer.Addr().Unmap().WithZone("")
	if !r.trusts(address) {
		return address.String(), newTraceID()
	}
	if trace = traceOf(req.Header); trace == 0 {
		trace = newTraceID()
	}
	return r.client(address, req.Header.Values("X-Forwarded-For")).String(), trace
}

// client follows X-Forwarded-For back from the peer, as long as it was a
// trusted proxy that added the next address. What is not an address ends the
// way: the proxy before it is the last that is known.
func (r *Recorder) client(peer netip.Addr, forwarded []string) netip.Addr {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	client := peer
	for _, hop := range slices.Backward(hops) {
		address, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			return client
		}
		client = address
		if !r.trusts(client) {
			return client
		}
	}
	return client
}

// parseHop reads an address as proxies write it: bare, or with a port.
func parseHop(hop string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(hop)
		if err != nil {
			return netip.Addr{}, false
		}
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), true
}

func (r *Recorder) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(r.TrustedProxies, func(network netip.Prefix) bool {
		return network.Contains(address)
	})
}

// traceOf returns the lower 63 bits of the trace id in a request's headers, or 0
// when there is none that is valid: W3C Trace Context's traceparent, else
// Datadog's, which is a decimal number.
func traceOf(header http.Header) uint64 {
	const mask = 1<<63 - 1
	if trace, ok := parseTraceparent(header.Get("Traceparent")); ok {
		return trace & mask
	}
	trace, err := strconv.ParseUint(header.Get("X-Datadog-Trace-Id"), 10, 64)
	if err != nil {
		return 0
	}
	return trace & mask
}

// parseTraceparent returns the lower half of the trace id in a traceparent
// header: version-traceid-parentid-flags, of 2, 32, 16 and 2 lower-case
// hexadecimal digits (W3C Trace Context, 3.2). A version after 00 may have more
// behind the flags.
func parseTraceparent(value string) (trace uint64, ok bool) {
	const length = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(value) < length || value != strings.ToLower(value) {
		return 0, false
	}
	version, rest := value[:2], value[length:]
	if version == "ff" || version == "00" && rest != "" || rest != "" && rest[0] != '-' {
		return 0, false
	}
	parts := strings.Split(value[:length], "-")
	if len(parts) != 4 || len(parts[0]) != 2 || len(parts[1]) != 32 || len(parts[2]) != 16 {
		return 0, false
	}
	bytes, err := hex.DecodeString(strings.Join(parts, ""))
	if err != nil {
		return 0, false
	}
	id, parent := bytes[1:17], bytes[17:25]
	if allZero(id) || allZero(parent) {
		return 0, false
	}
	return binary.BigEndian.Uint64(id[8:]), true
}

func allZero(bytes []byte) bool {
	return !slices.ContainsFunc(bytes, func(b byte) bool { return b != 0 })
}

// newTraceID makes up a trace id. It names requests apart and is no secret.
func newTraceID() uint64 {
	for {
		if id := rand.Uint64() >> 1; id != 0 {
			return id
		}
	}
}
