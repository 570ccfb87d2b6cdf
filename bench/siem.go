package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

// siem is the collector's engines behind one HTTP source.
type siem struct {
	dir     string
	path    string // of the source
	mux     *http.ServeMux
	store   *duckdb.Store
	indexer *collector.Indexer
	syslog  string // the address of syslog over TCP
	closers []func()

	following sync.WaitGroup
	mu        sync.Mutex
	waits     []time.Duration // from a request's beginning until its lines were searchable
}

func openSIEM(ctx context.Context, jwksURL string) (_ *siem, err error) {
	s := &siem{mux: http.NewServeMux()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "trailhook-bench-"); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { os.RemoveAll(s.dir) })
	logger := slog.New(slog.DiscardHandler)
	b, err := broker.Open(ctx, broker.Options{Dir: s.dir, Logger: logger})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, b.Close)
	catalog, err := collector.OpenCatalog(ctx, b)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, catalog.Close)
	intake, err := collector.OpenIntake(ctx, b)
	if err != nil {
		return nil, err
	}
	if s.store, err = duckdb.Open(ctx, s.database(), logger); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { s.store.Close() })
	metrics := collector.NewMetrics(prometheus.NewRegistry())
	keys := collector.NewKeys(outbound.New(outbound.Options{Policy: outbound.Policy{AllowPrivate: true}}), jwksURL, logger)
	if s.indexer, err = collector.NewIndexer(ctx, intake, s.store, keys, metrics, logger); err != nil {
		return nil, err
	}
	if err := s.makeSource(ctx, catalog); err != nil {
		return nil, err
	}
	collector.NewReceiver(catalog, intake, metrics, logger).Routes(s.mux)
	if err := s.openSyslog(collector.NewSyslog(catalog, intake, metrics, prometheus.NewRegistry(), logger)); err != nil {
		return nil, err
	}
	s.run()
	return s, nil
}

func (s *siem) database() string { return filepath.Join(s.dir, "search.duckdb") }

func (s *siem) makeSource(ctx context.Context, catalog *collector.Catalog) error {
	c, err := catalog.CreateCollector(ctx, collector.Collector{Name: "bench", Category: "audit"})
	if err != nil {
		return err
	}
	source, err := catalog.CreateSource(ctx, collector.Source{CollectorID: c.ID, Name: "Konnect", Syslog: &collector.SyslogFrom{}})
	s.path = "/receiver/v1/http/" + source.Code
	return err
}

func (s *siem) openSyslog(door *collector.Syslog) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.syslog = listener.Addr().String()
	ended := make(chan struct{})
	go func() { defer close(ended); door.ServeTCP(listener) }()
	s.closers = append(s.closers, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		door.Shutdown(ctx)
		<-ended
	})
	return nil
}

func (s *siem) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.indexer.Run(ctx) }()
	s.closers = append(s.closers, func() { cancel(); <-ended })
}

func (s *siem) close() {
	s.following.Wait()
	for _, c := range slices.Backward(s.closers) {
		c()
	}
}

// ServeHTTP takes a request and notes how long it is until its lines can be
// found.
func (s *siem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	s.mux.ServeHTTP(w, r)
	s.following.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if s.indexer.Flush(ctx) == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.waits = append(s.waits, time.Since(begun))
		}
	})
}

// siemChild serves a source until its standard input ends, and answers the
// commands that come from there, each with a line.
func siemChild(ctx context.Context, jwksURL string) error {
	s, err := openSIEM(ctx, jwksURL)
	if err != nil {
		return err
	}
	defer s.close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s}
	go server.Serve(listener)
	defer server.Close()
	fmt.Println("http://" + listener.Addr().String() + s.path)
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		answer, err := s.obey(ctx, strings.TrimSpace(commands.Text()))
		if err != nil {
			return fmt.Errorf("%s: %w", commands.Text(), err)
		}
		fmt.Println(answer)
	}
	return commands.Err()
}

func (s *siem) obey(ctx context.Context, command string) (answer string, err error) {
	switch command {
	case "flush": // wait until everything is searchable
		return "flushed", s.indexer.Flush(ctx)
	case "syslog": // where messages are taken
		return s.syslog, nil
	case "wait": // how long lines take to be searchable, at worst but 1 %; and begin anew
		s.following.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		p99 := percentile(s.waits, 0.99)
		s.waits = nil
		return fmt.Sprint(milliseconds(p99)), nil
	case "size": // bytes of the database once it is closed, which compacts it
		return s.size()
	}
	return "", fmt.Errorf("no such command")
}

func (s *siem) size() (string, error) {
	if err := s.store.Close(); err != nil {
		return "", err
	}
	file, err := os.Stat(s.database())
	if err != nil {
		return "", err
	}
	return fmt.Sprint(file.Size()), nil
}
