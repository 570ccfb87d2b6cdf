package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/entity"
)

// plane is a control plane's API as a remote source sees it.
type plane struct {
	mu   sync.Mutex
	host string // of the one service
	down bool
	asks int
}

func (p *plane) set(host string, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.host, p.down = host, down
}

func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for begun := time.Now(); ; {
		p.mu.Lock()
		host, down := p.host, p.down
		p.asks++
		p.mu.Unlock()
		tag := `"` + host + `"`
		switch {
		case down:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
			return
		case r.Header.Get("If-None-Match") != tag:
			d, _ := entity.Services.Complete(entity.Document{"host": host}, 1)
			w.Header().Set("ETag", tag)
			_ = json.NewEncoder(w).Encode(map[entity.Kind][]entity.Document{entity.Services: {d}})
			return
		case time.Since(begun) > 100*time.Millisecond:
			w.WriteHeader(http.StatusNotModified)
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

func TestARemotePlaneIsFollowedAndKeptForAStartWithoutIt(t *testing.T) {
	p := &plane{}
	p.set("first.example", false)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	source := Remote{
		URL: server.URL, Token: "token", ControlPlane: "cp", Organization: "o", Region: "us",
		Kept: filepath.Join(t.TempDir(), "configuration"), Client: &http.Client{}, Logger: slog.New(slog.DiscardHandler),
	}
	follow := func() (hosts chan string, stop func()) {
		hosts = make(chan string, 100)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			source.Follow(ctx, func(c Configuration) { hosts <- c.Entities.All(entity.Services)[0].Text("host") })
		}()
		return hosts, func() { cancel(); <-ended }
	}
	expect := func(hosts chan string, want string) {
		t.Helper()
		select {
		case got := <-hosts:
			if got != want {
				t.Fatalf("followed %s, want %s", got, want)
			}
		case <-time.After(generous):
			t.Fatalf("%s is not followed", want)
		}
	}
	hosts, stop := follow()
	expect(hosts, "first.example")
	p.set("second.example", false)
	expect(hosts, "second.example")
	eventually(t, "it is kept", func() bool {
		text, _ := os.ReadFile(source.Kept)
		var last kept
		return json.Unmarshal(text, &last) == nil && last.Tag == `"second.example"`
	})
	stop()
	if info, err := os.Stat(source.Kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("kept as %v, %v", info.Mode(), err)
	}
	p.set("second.example", true)
	hosts, stop = follow()
	expect(hosts, "second.example") // from the file
	p.set("third.example", false)
	expect(hosts, "third.example")
	stop()
	source.ControlPlane = "another"
	p.set("third.example", true)
	hosts, stop = follow()
	eventually(t, "the control plane was asked", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.asks > 3 })
	stop()
	if len(hosts) != 0 {
		t.Errorf("what was kept of one control plane is served for another: %s", <-hosts)
	}
	if err := os.WriteFile(source.Kept, []byte(`{"control`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.set("fourth.example", false)
	hosts, stop = follow()
	expect(hosts, "fourth.example") // a broken file is no hindrance
	stop()
}

func TestALocalSourceFollowsChangesAndOutlivesErrors(t *testing.T) {
	var mu sync.Mutex
	changed := make(chan struct{})
	now, there, failing := Configuration{Region: "a"}, false, true
	change := func(do func()) {
		mu.Lock()
		defer mu.Unlock()
		do()
		close(changed)
		changed = make(chan struct{})
	}
	failures := make(chan error, 100)
	source := Local{
		Now: func() (c Configuration, changes [2]<-chan struct{}, ok bool, err error) {
			mu.Lock()
			defer mu.Unlock()
			if failing {
				failing = false
				return c, changes, false, os.ErrInvalid
			}
			return now, [2]<-chan struct{}{changed}, there, nil
		},
		Failed: func(err error) { failures <- err },
	}
	ctx, cancel := context.WithCancel(t.Context())
	applied, ended := make(chan Configuration, 100), make(chan struct{})
	go func() { defer close(ended); source.Follow(ctx, func(c Configuration) { applied <- c }) }()
	<-failures
	change(func() { there = true })
	if c := <-applied; c.Region != "a" {
		t.Errorf("%+v", c)
	}
	change(func() {}) // of something else
	change(func() { now.Region = "b" })
	if c := <-applied; c.Region != "b" {
		t.Errorf("%+v", c)
	}
	change(func() { there = false })
	if c := <-applied; c.Region != "" || c.Entities.Len() != 0 {
		t.Errorf("of a control plane that is gone: %+v", c)
	}
	cancel()
	<-ended
}
