package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
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

// serve serves the address until its shutdown.
func (s *Server) serve(l *listener, handler http.Handler) {
	l.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
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
