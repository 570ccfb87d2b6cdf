package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// engine is the NATS server inside the process. It can be restarted: the
// connection to it is then made anew.
type engine struct {
	dir       string
	logger    *slog.Logger
	unguarded atomic.Bool // do not keep any of the disk free: for tests of the last byte
	unsynced  bool        // leave the syncing to who restores

	// uneasy tells that the engine has logged an error, or that something else
	// is not as it should be: a reason to look at it.
	uneasy chan struct{}

	mu      sync.Mutex
	server  *server.Server // nil while it is down
	failing error          // what only a restart mends, and the server does not report
	lastBad string         // the last error that it logged
}

func newEngine(dir string, logger *slog.Logger) *engine {
	return &engine{dir: dir, logger: logger, uneasy: make(chan struct{}, 1)}
}

// start starts the server and returns when it is ready, or not within so long.
func (e *engine) start(within time.Duration) error {
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		return err
	}
	if err := e.roomToStart(); err != nil {
		return err
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "trailhook",
		DontListen: true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   filepath.Join(e.dir, "nats"),
		SyncAlways: !e.unsynced,
		MaxPayload: MaxMessage,
		// The limit that the server would choose is of what was free when it
		// started, and stays when space returns. Ours is the disk itself.
		JetStreamMaxStore: 1 << 62,
	})
	if err != nil {
		return err
	}
	srv.SetLoggerV2(natsLog{logger: e.logger, failed: e.logged}, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(within) || !srv.JetStreamEnabled() {
		stop(srv)
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.lastBad != "" {
			return errors.New(e.lastBad)
		}
		return errors.New("it did not become ready: see the log")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.failing = srv, nil
	return nil
}

// stop returns when what the server has acknowledged is on disk.
func (e *engine) stop() {
	e.mu.Lock()
	srv := e.server
	e.server = nil
	e.mu.Unlock()
	if srv != nil {
		stop(srv)
	}
}

func stop(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

// InProcessConn connects to the server that is running at the moment.
func (e *engine) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		return nil, errors.New("the embedded NATS is not running")
	}
	return e.server.InProcessConn()
}

// logged takes note of an error line of the server.
func (e *engine) logged(line string) {
	e.mu.Lock()
	e.lastBad = line
	e.mu.Unlock()
	e.look()
}

// fail says that the server has to be restarted though it reports nothing.
func (e *engine) fail(err error) {
	e.mu.Lock()
	e.failing = err
	e.mu.Unlock()
	e.look()
}

// look asks for a look at the server.
func (e *engine) look() {
	select {
	case e.uneasy <- struct{}{}:
	default:
	}
}

// failure tells what the server cannot mend without a restart: JetStream was
// disabled, or a stream could not write and takes no message any more.
func (e *engine) failure() error {
	e.mu.Lock()
	srv, failing := e.server, e.failing
	e.mu.Unlock()
	if srv == nil {
		return errors.New("the embedded NATS is not running")
	}
	if failing != nil {
		return failing
	}
	if !srv.JetStreamEnabled() {
		return errors.New("the engine has disabled its storage")
	}
	health := srv.Healthz(&server.HealthzOptions{Details: true})
	for _, problem := range health.Errors {
		// Other problems are no reason for a restart: a stream that is being
		// made or deleted at this moment counts as not recovered.
		if problem.Type == server.HealthzErrorStream && strings.Contains(problem.Error, "write error") {
			return fmt.Errorf("%s", strings.TrimPrefix(problem.Error, "JetStream "))
		}
	}
	return nil
}
