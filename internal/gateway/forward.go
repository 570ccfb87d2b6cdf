package gateway

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// forward passes on a request that [direct] can send: what
// [httputil.ReverseProxy] does with it, without the copies that it needs for
// requests of every kind. Tests hold the two against each other.
func (x *exchange) forward() {
	s, in := x.match.service, x.r
	header := in.Header
	if x.chain[slotHTTPLog] != nil { // which tells of the headers as they came
		header = header.Clone()
	}
	connection := header["Connection"]
	trailers := slices.ContainsFunc(header["Te"], func(value string) bool { return strings.Contains(strings.ToLower(value), "trailers") })
	via := in.Header["Via"]
	dropHopByHop(header, connection)
	delete(header, "Proxy") // scripts take it for a setting of their own (httpoxy)
	if trailers {
		header["Te"] = x.strings("trailers")
	}
	x.tell(header, in, via)
	if _, has := header["User-Agent"]; !has {
		header["User-Agent"] = x.strings("") // package net/http would add its own
	}
	out := &http.Request{Method: in.Method, URL: &url.URL{Scheme: s.scheme, Host: s.host, RawQuery: in.URL.RawQuery, ForceQuery: in.URL.ForceQuery}, Host: s.host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	address(out.URL, upstreamPath(s.path, x.asked.path, x.match.rest, x.match.strips()))
	if x.match.preserveHost {
		out.Host = in.Host
	}
	resp, err := x.attempt(in.Context(), out)
	if err != nil {
		x.failed(err)
		return
	}
	dropHopByHop(resp.Header, resp.Header["Connection"])
	if err := x.answered(resp); err != nil {
		resp.Body.Close()
		x.failed(err)
		return
	}
	x.passBack(resp)
}

// attempt sends the request as often as it may be, which is harmless with all
// that come here.
func (x *exchange) attempt(ctx context.Context, out *http.Request) (*http.Response, error) {
	begun := x.gateway.Now()
	defer func() { x.waited = x.gateway.Now().Sub(begun) }()
	for left := x.match.service.retries; ; left-- {
		resp, err := x.match.service.transport.direct.send(ctx, out, x.interim)
		if err == nil || left <= 0 || ctx.Err() != nil || permanent(err) {
			return resp, err
		}
		x.gateway.metrics.retries.Inc()
	}
}

// interim passes an interim answer on (RFC 9110, 15.2).
func (x *exchange) interim(status int, header http.Header) {
	if x.w.quiet {
		return
	}
	dropHopByHop(header, header["Connection"])
	own := x.w.Header()
	maps.Copy(own, header)
	x.w.WriteHeader(status)
	clear(own)
}

// passBack sends the upstream's answer to the client as it comes.
func (x *exchange) passBack(resp *http.Response) {
	defer resp.Body.Close()
	header := x.w.Header()
	maps.Copy(header, resp.Header)
	announced := len(resp.Trailer)
	if announced > 0 {
		header["Trailer"] = slices.Collect(maps.Keys(resp.Trailer))
	}
	x.w.WriteHeader(resp.StatusCode)
	if resp.Body != http.NoBody {
		if err := x.copyBody(resp); err != nil {
			// Half an answer must not look like a whole one.
			panic(http.ErrAbortHandler)
		}
	}
	if len(resp.Trailer) == 0 {
		return
	}
	_ = http.NewResponseController(x.w).Flush() // so that the answer is chunked, and can have trailers
	for name, values := range resp.Trailer {
		if len(resp.Trailer) != announced {
			name = http.TrailerPrefix + name
		}
		header[name] = values
	}
}

// copyBody copies the answer's body. What has no length is a stream, and goes on
// at once.
func (x *exchange) copyBody(resp *http.Response) error {
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	stream := resp.ContentLength < 0 || x.match.flushAtOnce || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream")
	for {
		n, err := resp.Body.Read(buffer)
		if n > 0 {
			if _, err := x.w.Write(buffer[:n]); err != nil {
				return err
			}
			if stream {
				if err := http.NewResponseController(x.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
					return err
				}
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// hopByHop are the headers that are about one connection (RFC 9110, 7.6.1), with
// those that were so before.
var hopByHop = [...]string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// dropHopByHop removes them, and those that the Connection header names.
func dropHopByHop(header http.Header, connection []string) {
	for _, list := range connection {
		for name := range strings.SplitSeq(list, ",") {
			if name = textproto.TrimString(name); name != "" {
				header.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(header, name)
	}
}
