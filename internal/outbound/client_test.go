package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestARequestArrivesAsGivenAndTheAnswerComesBack(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Seen", r.Header.Get("Authorization")+"; "+r.Header.Get("User-Agent"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
	}))
	defer server.Close()
	client := newTestClient(t, loopback())
	header := http.Header{"Authorization": {"bare-key"}}

	posted, err := client.Post(t.Context(), Request{URL: server.URL + "/in?a=1", Header: header, Body: []byte("lines")})
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, posted, "POST /in?a=1 lines", "bare-key; trailhook-test")
	header.Set("User-Agent", "own")
	got, err := client.Get(t.Context(), Request{URL: server.URL + "/in", Header: header})
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, got, "GET /in ", "bare-key; own")
	if diff := cmp.Diff(http.Header{"Authorization": {"bare-key"}, "User-Agent": {"own"}}, header); diff != "" {
		t.Errorf("the caller's header was changed: %s", diff)
	}
}

func checkAnswer(t *testing.T, answer Response, body, seen string) {
	t.Helper()
	got := []string{fmt.Sprint(answer.Status), string(answer.Body), answer.Header.Get("X-Seen")}
	if diff := cmp.Diff([]string{"418", body, seen}, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestAPostKeepsTheBodyUpToTheLimitAndAGetRefusesToCutIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var size int
		fmt.Sscanf(r.URL.Path, "/%d", &size)
		io.WriteString(w, strings.Repeat("x", size))
	}))
	defer server.Close()
	client := newTestClient(t, loopback())
	cases := []struct{ size, limit, kept int }{
		{0, 0, 0},
		{DefaultMaxBody, 0, DefaultMaxBody},
		{DefaultMaxBody + 1, 0, DefaultMaxBody},
		{10, 10, 10},
		{11, 10, 10},
		{1 << 20, 1 << 20, 1 << 20},
		{2 << 20, 1 << 20, 1 << 20},
	}
	for _, c := range cases {
		request := Request{URL: fmt.Sprintf("%s/%d", server.URL, c.size), MaxBody: c.limit}
		if answer, err := client.Post(t.Context(), request); err != nil || len(answer.Body) != c.kept {
			t.Errorf("post of %d bytes, limit %d: %d kept, %v", c.size, c.limit, len(answer.Body), err)
		}
		if _, err := client.Get(t.Context(), request); (err == nil) != (c.kept == c.size) {
			t.Errorf("get of %d bytes, limit %d: %v", c.size, c.limit, err)
		}
	}
}

func TestAnAnswerThatBreaksOffCountsForAPostAndNotForAGet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	client := newTestClient(t, loopback())
	if answer, err := client.Post(t.Context(), Request{URL: server.URL}); err != nil || answer.Status != 200 || string(answer.Body) != "half" {
		t.Errorf("post: %d %q, %v", answer.Status, answer.Body, err)
	}
	if _, err := client.Get(t.Context(), Request{URL: server.URL}); err == nil {
		t.Error("get took half a document for the whole")
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", DefaultMaxBody+100)) // more than is kept
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := newTestClient(t, loopback())
	post := func() {
		t.Helper()
		if _, err := client.PostRetrying(t.Context(), Request{URL: server.URL}, nil); err != nil {
			t.Fatal(err)
		}
	}
	post()
	post()
	if n := connections.Load(); n != 1 {
		t.Errorf("two requests made %d connections", n)
	}
	// A delivery that fails for good makes the retry library close all connections that are idle.
	if _, err := client.PostRetrying(t.Context(), Request{URL: "http://169.254.169.254/"}, nil); err == nil {
		t.Fatal("the metadata service was allowed")
	}
	post()
	if n := connections.Load(); n != 1 {
		t.Errorf("the failure of one endpoint cost another its connection: %d were made", n)
	}
}

func TestCertificatesAreVerifiedUnlessTheRequestSaysOtherwise(t *testing.T) {
	server := newTLSServer(t)
	trusting := loopback()
	trusting.RootCAs = x509.NewCertPool()
	trusting.RootCAs.AddCert(server.Certificate())
	otherName := "https://localhost:" + portOf(t, server)
	cases := []struct {
		name    string
		options Options
		request Request
		ok      bool
	}{
		{"unknown authority", loopback(), Request{URL: server.URL}, false},
		{"unknown authority, not verified", loopback(), Request{URL: server.URL, SkipTLSVerify: true}, true},
		{"known authority", trusting, Request{URL: server.URL}, true},
		{"known authority, another name", trusting, Request{URL: otherName}, false},
		{"known authority, another name, not verified", trusting, Request{URL: otherName, SkipTLSVerify: true}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := newTestClient(t, c.options)
			answer, err := client.Post(t.Context(), c.request)
			if c.ok {
				if err != nil || string(answer.Body) != "HTTP/2.0" {
					t.Errorf("answer %q, %v; want one over HTTP/2", answer.Body, err)
				}
				return
			}
			if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); !untrusted {
				t.Errorf("error %v, want one of the certificate", err)
			}
		})
	}
}

func TestTheSameClientVerifiesAfterARequestThatDidNot(t *testing.T) {
	server := newTLSServer(t)
	client := newTestClient(t, loopback())
	if _, err := client.Post(t.Context(), Request{URL: server.URL, SkipTLSVerify: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Post(t.Context(), Request{URL: server.URL}); err == nil {
		t.Error("the connection that was not verified was used again")
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	defer server.Close()
	if _, err := newTestClient(t, loopback()).Post(t.Context(), Request{URL: server.URL, SkipTLSVerify: true}); err == nil {
		t.Error("TLS 1.1 was taken")
	}
}

func TestNoCookiesAreKept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Cookies()) > 0 {
			t.Errorf("cookies came back: %v", r.Cookies())
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
	}))
	defer server.Close()
	client := newTestClient(t, loopback())
	for range 2 {
		if _, err := client.Post(t.Context(), Request{URL: server.URL}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryPhaseHasALimitInTime(t *testing.T) {
	given := Timeouts{TLS: 2 * time.Second, Headers: 3 * time.Second, Whole: 4 * time.Second}
	cases := []struct {
		name    string
		url     string
		handler http.Handler
		given   Timeouts
		want    time.Duration
	}{
		{"TLS by default", "https://siem.example.com", silent(), Timeouts{}, 5 * time.Second},
		{"TLS", "https://siem.example.com", silent(), given, 2 * time.Second},
		{"headers by default", "http://siem.example.com", silent(), Timeouts{}, 15 * time.Second},
		{"headers", "http://siem.example.com", silent(), given, 3 * time.Second},
		{"body by default", "http://siem.example.com", dripping(), Timeouts{}, 30 * time.Second},
		{"body", "http://siem.example.com", dripping(), given, 4 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, stop := serveInMemory(c.handler)
				defer stop()
				if strings.HasPrefix(c.url, "https") {
					dial = deaf
				}
				client := newClient(Options{Timeouts: c.given}, dial)
				defer client.CloseIdleConnections()
				begin := time.Now()
				_, err := client.Get(t.Context(), Request{URL: c.url})
				if _, message := Describe(Response{}, err); message != "timed out" {
					t.Errorf("described as %q: %v", message, err)
				}
				if elapsed := time.Since(begin); elapsed != c.want {
					t.Errorf("took %v, want %v", elapsed, c.want)
				}
			})
		})
	}
	if got := newDialer(Options{}).Timeout; got != 5*time.Second {
		t.Errorf("connecting takes up to %v by default, want 5s", got)
	}
	if got := newDialer(Options{Timeouts: Timeouts{Connect: time.Second}}).Timeout; got != time.Second {
		t.Errorf("connecting takes up to %v, want 1s", got)
	}
}

// dripping sends a byte a second and never ends.
func dripping() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
	})
}

// deaf connects to somebody who reads and never says a word.
func deaf(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		io.Copy(io.Discard, server)
	}()
	return client, nil
}

// newTLSServer answers with the version of the protocol that it was spoken to in.
func newTLSServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// quiet is for servers whose clients hang up on purpose.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
