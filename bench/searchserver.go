package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search/clickhouse"
	"github.com/trailhook/trailhook/internal/server"
)

// searchServer is the SIEM's side in a process of its own, on a directory that
// outlives it.
type searchServer struct {
	*process
	url string
	id  string
	key string
}

func startSearchServer(dir string) (*searchServer, error) {
	p, err := startAgain("search-child", dir)
	if err != nil {
		return nil, err
	}
	s := &searchServer{process: p}
	if s.url, err = s.line(); err != nil {
		s.stop()
		return nil, err
	}
	secret, err := os.ReadFile(filepath.Join(dir, "admin.access-key"))
	if err != nil {
		s.stop()
		return nil, err
	}
	s.id, s.key, _ = strings.Cut(strings.TrimSpace(string(secret)), ":")
	return s, nil
}

// searchChild is the other side of startSearchServer: it serves until its
// standard input ends.
func searchChild(ctx context.Context, dir string) error {
	address, err := benchAddress()
	if err != nil {
		return err
	}
	srv, err := server.Start(ctx, server.Config{
		DataDir: dir, SIEMAddr: "127.0.0.1:0", Version: "bench", Search: address, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	fmt.Println(srv.SIEMURL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return srv.Shutdown()
}

// benchAddress is a database of ClickHouse that BENCH_SEARCH names, which must be
// empty; nil stands for DuckDB.
func benchAddress() (*clickhouse.Address, error) {
	text := os.Getenv("BENCH_SEARCH")
	if text == "" {
		return nil, nil
	}
	return clickhouse.ParseAddress(text)
}

func (s *searchServer) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(s.id, s.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer, err
}

// makeSource makes the source that all lines are of, with the key that they are
// signed with, and returns its id and its path.
func (s *searchServer) makeSource(ctx context.Context, keys *audit.KeySet) (id, path string, err error) {
	if _, err := s.call(ctx, "POST", "/api/v1/collectors", []byte(`{"collector": {"collectorType": "Hosted", "name": "bench", "category": "audit"}}`)); err != nil {
		return "", "", err
	}
	body := fmt.Appendf(nil, `{"source": {"sourceType": "HTTP", "name": "Konnect", "trailhook": {"jwks": %s}}}`, keys.JWKS())
	answer, err := s.call(ctx, "POST", "/api/v1/collectors/1/sources", body)
	if err != nil {
		return "", "", err
	}
	var made struct {
		Source struct {
			ID  json.Number
			URL string
		}
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return "", "", err
	}
	at, err := url.Parse(made.Source.URL)
	return made.Source.ID.String(), at.Path, err
}

// ask sends a search and returns how long it takes until its answer is read, which
// must not be empty and not broken off.
func (s *searchServer) ask(ctx context.Context, parameters url.Values) (time.Duration, error) {
	begun := time.Now()
	answer, err := s.call(ctx, "GET", "/trailhook/v1/search?"+parameters.Encode(), nil)
	took := time.Since(begun)
	if err == nil && (len(answer) == 0 || bytes.Contains(answer, []byte("\n{\"error\":")) || bytes.HasPrefix(answer, []byte(`{"error":`))) {
		err = fmt.Errorf("%s: the answer is empty or broken off", parameters.Get("query"))
	}
	return took, err
}

const (
	searchPace = 5000 // events each second that come in while it is searched
	searchPost = 500  // in a request
)

// load sends new events of the history at a pace until stop is called, which
// returns the first error.
func (s *searchServer) load(h *history, path string, next *int) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ticker := time.NewTicker(time.Second * searchPost / searchPace)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C: // one that is late is left out: the sender has no processor of its own
			case <-ctx.Done():
				ended <- nil
				return
			}
			random, skew := randomFor(*next)
			var body []byte
			for range searchPost {
				e := h.event(*next, random, skew)
				body = append(h.signer.AppendLine(body, audit.CEF, &e), '\n')
				*next++
			}
			if _, err := s.call(ctx, "POST", path, body); err != nil && !errors.Is(err, context.Canceled) {
				ended <- err
				return
			}
		}
	}()
	return func() error {
		cancel()
		return <-ended
	}
}
