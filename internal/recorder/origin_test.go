package recorder

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestTheClientIsWhoTrustedProxiesSayItIs(t *testing.T) {
	r := New(Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	for _, test := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "192.0.2.1:5", nil, "192.0.2.1"},
		{"a stranger's header", "192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a proxy without the header", "10.0.0.1:5", nil, "10.0.0.1"},
		{"two proxies", "10.0.0.1:5", []string{"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"two headers", "10.0.0.1:5", []string{"203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		{"what the client forged before", "10.0.0.1:5", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"proxies only", "10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"with a port", "10.0.0.1:5", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6", "[fd00::1]:5", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 with a port", "[fd00::1]:5", []string{"[2001:db8::7]:80"}, "2001:db8::7"},
		{"a mapped address", "[::ffff:10.0.0.1]:5", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"garbage", "10.0.0.1:5", []string{"unknown"}, "10.0.0.1"},
		{"garbage before a proxy", "10.0.0.1:5", []string{"a=b c, 10.0.0.2"}, "10.0.0.2"},
		{"no address at all", "@", nil, "@"},
	} {
		req := &http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.forwarded}}
		if got, _ := r.origin(req); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestATraceIsTakenFromTrustedProxiesOnly(t *testing.T) {
	const (
		traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		lower       = 0x8448eb211c80319c & (1<<63 - 1)
	)
	for _, test := range []struct {
		name   string
		header http.Header
		want   uint64 // 0: one is made
	}{
		{"traceparent", http.Header{"Traceparent": {traceparent}}, lower},
		{"of a later version", http.Header{"Traceparent": {"01" + traceparent[2:] + "-more"}}, lower},
		{"of version 00 with more", http.Header{"Traceparent": {traceparent + "-more"}}, 0},
		{"of version ff", http.Header{"Traceparent": {"ff" + traceparent[2:]}}, 0},
		{"in upper case", http.Header{"Traceparent": {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}}, 0},
		{"without a trace", http.Header{"Traceparent": {"00-00000000000000000000000000000000-b7ad6b7169203331-01"}}, 0},
		{"without a parent", http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}}, 0},
		{"whose lower half is zero", http.Header{"Traceparent": {"00-0af7651916cd43dd0000000000000000-b7ad6b7169203331-01"}}, 0},
		{"with misplaced dashes", http.Header{"Traceparent": {"0-00af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}, 0},
		{"cut", http.Header{"Traceparent": {traceparent[:40]}}, 0},
		{"Datadog's", http.Header{"X-Datadog-Trace-Id": {"5208512171318403364"}}, 5208512171318403364},
		{"Datadog's of 64 bits", http.Header{"X-Datadog-Trace-Id": {"18446744073709551615"}}, 1<<63 - 1},
		{"Datadog's, negative", http.Header{"X-Datadog-Trace-Id": {"-1"}}, 0},
		{"both", http.Header{"Traceparent": {traceparent}, "X-Datadog-Trace-Id": {"7"}}, lower},
		{"a bad traceparent and Datadog's", http.Header{"Traceparent": {"x"}, "X-Datadog-Trace-Id": {"7"}}, 7},
		{"none", http.Header{}, 0},
	} {
		trusting := New(Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
		req := &http.Request{RemoteAddr: "10.1.2.3:4", Header: test.header}
		_, got := trusting.origin(req)
		if got == 0 || got >= 1<<63 || test.want != 0 && got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
		_, again := trusting.origin(req)
		if made := got != again; made != (test.want == 0) {
			t.Errorf("%s: %d, then %d", test.name, got, again)
		}
		if _, got := New(Options{}).origin(req); got == test.want {
			t.Errorf("%s: taken from a stranger", test.name)
		}
	}
}
