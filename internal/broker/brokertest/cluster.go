// Package brokertest gives tests the engines that run in production: an embedded
// one, and a NATS cluster of three servers inside the test process, with
// replicas on disk, whose servers can be stopped and started again.
package brokertest

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/trailhook/trailhook/internal/broker"
)

// Size is how many servers a cluster has.
const Size = 3

// patience is how long anything may take that is waited for.
const patience = 60 * time.Second

// Embedded opens a broker with an embedded engine in dir, and closes it at the
// end of the test.
func Embedded(t testing.TB, dir string) *broker.Broker {
	t.Helper()
	return open(t, broker.Options{Dir: dir})
}

func open(t testing.TB, o broker.Options) *broker.Broker {
	t.Helper()
	b, err := broker.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// ClusterT is a running cluster. Its methods belong to one goroutine.
type ClusterT struct {
	t       testing.TB
	dir     string
	clients []int // ports, which a server keeps when it is started again
	routes  []int
	servers []*server.Server // nil where one is stopped
}

// Cluster starts a cluster with its files in a temporary directory, and returns
// when it is ready. It is stopped at the end of the test.
func Cluster(t testing.TB) *ClusterT {
	t.Helper()
	c := &ClusterT{t: t, dir: t.TempDir(), servers: make([]*server.Server, Size)}
	ports, err := freePorts(2 * Size)
	if err != nil {
		t.Fatal(err)
	}
	c.clients, c.routes = ports[:Size], ports[Size:]
	t.Cleanup(func() {
		for i := range c.servers {
			c.Stop(i)
		}
	})
	for i := range c.servers {
		c.Start(i)
	}
	c.WaitReady()
	return c
}

// freePorts asks the kernel for ports that nobody has.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // all at the end, so that they differ
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// URLs are the addresses of the servers, those that are stopped included.
func (c *ClusterT) URLs() string {
	var list []string
	for i := range c.servers {
		list = append(list, c.URL(i))
	}
	return strings.Join(list, ",")
}

// URL is the address of one server.
func (c *ClusterT) URL(i int) string { return "nats://127.0.0.1:" + strconv.Itoa(c.clients[i]) }

// Open connects a broker to the cluster and closes it at the end of the test.
func (c *ClusterT) Open() *broker.Broker {
	c.t.Helper()
	return open(c.t, broker.Options{URLs: c.URLs()})
}

// Start starts a server that is stopped, on its own files and ports. It does
// not wait until the server takes part: [ClusterT.WaitReady] does.
func (c *ClusterT) Start(i int) {
	c.t.Helper()
	srv, err := server.NewServer(c.options(i))
	if err != nil {
		c.t.Fatal(err)
	}
	srv.Start()
	c.servers[i] = srv
	if !srv.ReadyForConnections(patience) {
		c.t.Fatalf("server %d of the cluster did not start", i)
	}
}

func (c *ClusterT) options(i int) *server.Options {
	o := &server.Options{
		ServerName: fmt.Sprintf("server-%d", i),
		Host:       "127.0.0.1",
		Port:       c.clients[i],
		NoLog:      true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   filepath.Join(c.dir, strconv.Itoa(i)),
		SyncAlways: true,
		MaxPayload: broker.MaxMessage,
		Cluster:    server.ClusterOpts{Name: "trailhook-test", Host: "127.0.0.1", Port: c.routes[i]},
		// What one server needs of the machine's memory and disk is unknown to
		// the others, which are on the same.
		JetStreamMaxMemory: 256 << 20,
		JetStreamMaxStore:  16 << 30,
	}
	for _, port := range c.routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: "127.0.0.1:" + strconv.Itoa(port)})
	}
	return o
}

// Stop stops a server, as an operator would: it hands over what it leads.
func (c *ClusterT) Stop(i int) {
	if srv := c.servers[i]; srv != nil {
		c.servers[i] = nil
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// Leader returns which server leads a stream, once one does.
func (c *ClusterT) Leader(stream string) int {
	c.t.Helper()
	leader := -1
	c.until("the stream "+stream+" has a leader", func() bool {
		for i, srv := range c.servers {
			if srv != nil && srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream) {
				leader = i
				return true
			}
		}
		return false
	})
	return leader
}

// StopLeader stops the server that leads a stream, and returns which one it was.
func (c *ClusterT) StopLeader(stream string) int {
	c.t.Helper()
	leader := c.Leader(stream)
	c.Stop(leader)
	return leader
}

// MoveLeader makes another server the leader of a stream.
func (c *ClusterT) MoveLeader(stream string) {
	c.t.Helper()
	if err := c.servers[c.Leader(stream)].JetStreamStepdownStream(server.DEFAULT_GLOBAL_ACCOUNT, stream); err != nil {
		c.t.Fatal(err)
	}
}

// WaitReady returns when the servers that run see each other, and are up to date
// with what the cluster as a whole has decided.
func (c *ClusterT) WaitReady() {
	c.t.Helper()
	running := 0
	for _, srv := range c.servers {
		if srv != nil {
			running++
		}
	}
	c.until("the cluster is ready", func() bool {
		leaders := 0
		for _, srv := range c.servers {
			switch {
			case srv == nil:
				continue
			case srv.NumRoutes() == 0 && running > 1, !srv.JetStreamIsCurrent(), len(srv.ActivePeers()) < running:
				return false
			case srv.JetStreamIsLeader():
				leaders++
			}
		}
		return leaders == 1
	})
}

// WaitInSync returns when every server that runs has all of the stream.
func (c *ClusterT) WaitInSync(stream string) {
	c.t.Helper()
	c.until("every replica of "+stream+" is up to date", func() bool {
		for _, srv := range c.servers {
			if srv != nil && !srv.JetStreamIsStreamCurrent(server.DEFAULT_GLOBAL_ACCOUNT, stream) {
				return false
			}
		}
		return true
	})
}

func (c *ClusterT) until(what string, done func() bool) {
	c.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			c.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
