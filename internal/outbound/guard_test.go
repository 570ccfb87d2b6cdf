package outbound

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTheGuardHoldsHoweverThePrivateAddressIsWritten(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the server was reached")
	}))
	defer server.Close()
	// Some resolvers take these spellings for addresses, as inet_aton(3) does. This one does too.
	names := map[string]string{
		"internal.example.com": "127.0.0.1",
		"0x7f.1":               "127.0.0.1",
		"0x7f000001":           "127.0.0.1",
		"metadata.example.com": "169.254.169.254",
	}
	client := newResolvingClient(t, Options{}, fixed(names))
	for _, host := range []string{
		"127.0.0.1", "localhost", "localhost.", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]",
		"internal.example.com", "INTERNAL.example.com.", "0x7f.1", "0x7f000001", "metadata.example.com",
		"2130706433", "017700000001", "0177.0.0.1", "127.1",
	} {
		t.Run(host, func(t *testing.T) {
			_, err := client.Post(t.Context(), Request{URL: "http://" + host + ":" + portOf(t, server)})
			_, refused := errors.AsType[*RefusedError](err)
			_, unknown := errors.AsType[*net.DNSError](err)
			if !refused && !unknown {
				t.Errorf("error %v, want a refusal", err)
			}
			if _, given := names[strings.ToLower(strings.TrimSuffix(host, "."))]; given && !refused {
				t.Errorf("error %v, want a refusal of the address behind the name", err)
			}
		})
	}
}

func TestOfTheAddressesOfANameOnlyAllowedOnesAreDialled(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	names := map[string]string{"both.example.com": "169.254.169.254 127.0.0.1"}
	request := Request{URL: "http://both.example.com:" + portOf(t, server)}
	options := Options{Policy: Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}

	response, err := newResolvingClient(t, options, fixed(names)).Post(t.Context(), request)
	if err != nil || response.Status != 200 {
		t.Errorf("the allowed address was not reached: %d, %v", response.Status, err)
	}
}

func TestANameThatTurnsPrivateLaterIsRefusedThen(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
	}))
	defer server.Close()
	var address atomic.Pointer[string]
	address.Store(new("127.0.0.1"))
	names := func(string) (string, bool) { return *address.Load(), true }
	request := Request{URL: "http://rebind.example.com:" + portOf(t, server)}
	options := Options{Policy: Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}
	client := newResolvingClient(t, options, names)
	if _, err := client.Post(t.Context(), request); err != nil {
		t.Fatalf("before: %v", err)
	}
	address.Store(new("127.0.0.2")) // in this test the private one
	_, err := client.Post(t.Context(), request)
	if refused, ok := errors.AsType[*RefusedError](err); !ok || refused.Addr.String() != "127.0.0.2" {
		t.Errorf("after: %v, want a refusal of 127.0.0.2", err)
	}
}

func TestARedirectToAPrivateAddressIsNotFollowed(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer inside.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		outside := httptest.NewServer(http.RedirectHandler(inside.URL, status))
		response, err := newTestClient(t, loopback()).Post(t.Context(), Request{URL: outside.URL, Body: []byte("x")})
		if err != nil || response.Status != status {
			t.Errorf("redirect %d: status %d, %v", status, response.Status, err)
		}
		outside.Close()
	}
}

// http.ProxyFromEnvironment reads the environment once in a process, so this cannot be tried out beside others.
func TestNoProxyCanStandBeforeTheGuard(t *testing.T) {
	client := New(Options{})
	for _, client := range []*http.Client{client.verifying, client.unverifying} {
		if client.Transport.(*http.Transport).Proxy != nil {
			t.Error("the transport asks for a proxy")
		}
	}
}

func portOf(t *testing.T, server *httptest.Server) string {
	t.Helper()
	parsed, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Port()
}

// zone gives the IPv4 addresses of a name, and false for a name that does not exist.
type zone func(name string) (addresses string, known bool)

func fixed(names map[string]string) zone {
	return func(name string) (string, bool) {
		addresses, known := names[name]
		return addresses, known
	}
}

// newResolvingClient makes a client as New does, but for names that a name server of the test resolves.
func newResolvingClient(t *testing.T, o Options, names zone) *Client {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	answering.Go(func() { answerNames(server, names) })
	t.Cleanup(func() {
		server.Close()
		answering.Wait()
	})
	dialer := newDialer(o)
	dialer.Resolver = &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
		},
	}
	client := newClient(o, dialer.DialContext)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// answerNames answers questions for IPv4 addresses (RFC 1035, section 4) until the socket is closed.
func answerNames(server net.PacketConn, names zone) {
	packet := make([]byte, 512)
	for {
		n, from, err := server.ReadFrom(packet)
		if err != nil {
			return
		}
		server.WriteTo(answerName(packet[:n], names), from)
	}
}

func answerName(query []byte, names zone) []byte {
	const header, typeA, response, notFound = 12, 1, 0x8180, 3
	var labels []string
	end := header
	for query[end] != 0 {
		length := int(query[end])
		labels = append(labels, string(query[end+1:end+1+length]))
		end += 1 + length
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	addresses, known := names(strings.ToLower(strings.Join(labels, ".")))

	answer := append([]byte(nil), query[:end+5]...)
	flags := uint16(response)
	if !known {
		flags |= notFound
	}
	binary.BigEndian.PutUint16(answer[2:], flags)
	binary.BigEndian.PutUint64(answer[4:], 1<<48) // one question, nothing else yet
	if kind != typeA {
		return answer
	}
	for _, address := range strings.Fields(addresses) {
		ip := netip.MustParseAddr(address).As4()
		answer[7]++
		answer = append(answer, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, ip[:]...)
	}
	return answer
}
