package outbound

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"unicode"
)

func TestAStatusIsDescribedByItsName(t *testing.T) {
	for status, want := range map[int]string{
		200: "OK",
		202: "Accepted",
		302: "Found (redirects are not followed)",
		401: "Unauthorized",
		429: "Too Many Requests",
		503: "Service Unavailable",
		599: "status 599",
	} {
		code, message := Describe(Response{Status: status, Body: []byte("SECRET")}, nil)
		if code != status || message != want {
			t.Errorf("%d is described as %d %q, want %q", status, code, message, want)
		}
	}
}

// Wherever a secret can be put, it is put, and the other side does what it can to have it shown.
func TestAFailureIsDescribedInOneShortLineWithoutSecrets(t *testing.T) {
	https := newTLSServer(t)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	cases := []struct {
		name string
		ctx  context.Context
		url  string
		want string
	}{
		{name: "refused address", url: "http://169.254.169.254", want: "address 169.254.169.254 is refused: link-local"},
		{name: "unknown authority", url: https.URL, want: "certificate is not trusted: x509: certificate signed by unknown authority"},
		{name: "no TLS there", url: strings.Replace(plain.URL, "http:", "https:", 1), want: "the endpoint does not speak TLS"},
		{name: "nobody listens", url: "http://" + unusedAddress(t), want: "connection refused"},
		{name: "reset", url: rawServer(t, func(c *net.TCPConn, _ []byte) { c.SetLinger(0) }), want: "connection reset by peer"},
		{name: "closed", url: rawServer(t, func(*net.TCPConn, []byte) {}), want: "connection closed without an answer"},
		{name: "an echo", url: rawServer(t, echo("")), want: "no valid HTTP answer"},
		{name: "an echo as a header", url: rawServer(t, echo("HTTP/1.1 200 OK\r\n")), want: "no valid HTTP answer"},
		{name: "cancelled", ctx: cancelled, url: plain.URL, want: "cancelled"},
		{name: "user info", url: "https://SECRET:SECRET@siem.example.com", want: "the endpoint must not have a user name or password"},
		{name: "malformed", url: "https://siem.example.com:SECRET", want: "the endpoint must be a well-formed URL"},
	}
	client := newTestClient(t, loopback())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			_, err := client.Post(c.ctx, Request{
				URL:    c.url + "/SECRET?token=SECRET",
				Header: http.Header{"Authorization": {"Bearer SECRET"}},
				Body:   []byte("SECRET"),
			})
			if err == nil {
				t.Fatal("no error")
			}
			code, message := Describe(Response{}, err)
			if code != 0 || !strings.HasPrefix(message, c.want) {
				t.Errorf("described as %d %q, want 0 %q: %v", code, message, c.want, err)
			}
			checkMessage(t, message)
			if strings.Contains(err.Error(), "SECRET") {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestAnUnknownHostIsDescribedWithoutTheResolver(t *testing.T) {
	client := newResolvingClient(t, loopback(), fixed(nil))
	_, err := client.Post(t.Context(), Request{URL: "https://absent.example.com/SECRET?SECRET"})
	code, message := Describe(Response{}, err)
	if code != 0 || message != "host not found: absent.example.com" {
		t.Errorf("described as %d %q: %v", code, message, err)
	}
	if strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error quotes the URL: %v", err)
	}
}

func TestOtherFailuresAreDescribedToo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Name: "a.test", Server: "10.0.0.2:53", IsTimeout: true}, "looking up the host timed out: a.test"},
		{&net.DNSError{Name: "a.test", Server: "10.0.0.2:53", Err: "server misbehaving"}, "looking up the host failed: a.test"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: handshake failure")}, "TLS failed: handshake failure"},
		{errors.New(`net/http: invalid header field value for "Authorization"`), `invalid header field value for "Authorization"`},
		{context.DeadlineExceeded, "timed out"},
		{errors.New("something that says SECRET"), "no valid HTTP answer"},
		{&net.DNSError{Name: strings.Repeat("ü\n", 300), IsNotFound: true}, "host not found: ü ü"},
	} {
		code, message := Describe(Response{Status: 200}, c.err)
		if code != 0 || !strings.HasPrefix(message, c.want) {
			t.Errorf("%v is described as %d %q, want 0 %q", c.err, code, message, c.want)
		}
		checkMessage(t, message)
	}
}

func checkMessage(t *testing.T, message string) {
	t.Helper()
	if strings.Contains(message, "SECRET") {
		t.Errorf("message %q holds a secret", message)
	}
	if n := len([]rune(message)); n == 0 || n > 200 {
		t.Errorf("message of %d runes: %q", n, message)
	}
	if strings.ContainsFunc(message, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("message %q is not one clean line", message)
	}
}

// rawServer accepts connections, reads a request, lets misbehave act on it and closes.
func rawServer(t *testing.T, misbehave func(conn *net.TCPConn, request []byte)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 4096)
			n, _ := conn.Read(request)
			misbehave(conn.(*net.TCPConn), request[:n])
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return "http://" + listener.Addr().String()
}

// echo answers with what the client said, after a prefix.
func echo(prefix string) func(*net.TCPConn, []byte) {
	return func(conn *net.TCPConn, request []byte) {
		io.WriteString(conn, prefix+string(request))
	}
}

func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
