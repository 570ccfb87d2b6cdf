package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// listener is an address that is taken, and served once there is a handler.
type listener struct {
	net.Listener
	external string // the URL by which clients reach it
	tls      bool
	server   *http.Server
	done     chan struct{} // closed when the serving has ended
}

// listen takes an address; an empty one gives nil, on which every method does
// nothing.
func (s *Server) listen(address, external string, encrypted bool) (*listener, error) {
	if address == "" {
		return nil, nil
	}
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: inner, external: external, done: make(chan struct{})}
	l.tls = encrypted && s.encryption.config != nil
	if external == "" {
		l.external = l.ownURL()
	}
	return l, nil
}

// ownURL is the address as a URL, by the name localhost where it is this
// machine's own.
func (l *listener) ownURL() string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	scheme := "http"
	if l.tls {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func (l *listener) url() string {
	if l == nil {
		return ""
	}
	return l.external
}

// limits bound what one client can hold of a listener, whoever it is: nobody
// has been asked who he is when they count. Bodies have limits of size besides,
// each endpoint its own.
type limits struct {
	connections int           // open at a time; more wait until one ends
	header      int           // bytes of a request's line and header; a longer one is answered with 431
	headerTime  time.Duration // to send it
	requestTime time.Duration // to send the request, its body included
	answerTime  time.Duration // to answer, once the header is read
	idleTime    time.Duration // between two requests of a connection
}

// defaults leave room for a 5 MiB body over a slow line, and for the longest
// search. The connections are far below what a process may have open.
var defaults = limits{
	connections: 4096,
	header:      64 << 10,
	headerTime:  10 * time.Second,
	requestTime: time.Minute,
	answerTime:  2 * time.Minute,
	idleTime:    2 * time.Minute,
}

// serve serves the address until its shutdown.
func (s *Server) serve(l *listener, handler http.Handler, within limits) {
	l.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: within.headerTime,
		ReadTimeout:       within.requestTime,
		WriteTimeout:      within.answerTime,
		IdleTimeout:       within.idleTime,
		MaxHeaderBytes:    within.header,
		// OPTIONS * is the handler's too: what it answers it records.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	l.Listener = netutil.LimitListener(l.Listener, within.connections) // who comes when it is full waits in the system's queue
	go func() {
		defer close(l.done)
		var err error
		if l.tls {
			l.server.TLSConfig = s.encryption.config.Clone()
			err = l.server.ServeTLS(l.Listener, "", "")
		} else {
			err = l.server.Serve(l.Listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.fail("listener "+l.external, err)
		}
	}()
}

// shutdown waits for the requests being served, but not for ever.
func (l *listener) shutdown() error {
	if l == nil {
		return nil
	}
	if l.server == nil {
		return l.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), httpGrace)
	defer cancel()
	err := l.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = l.server.Close()
	}
	<-l.done
	return err
}
