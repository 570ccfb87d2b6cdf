package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/backup"
	"github.com/trailhook/trailhook/internal/control"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

// readerTime is how long whoever reads a backup may take for the next bytes: lines are
// not indexed meanwhile.
const readerTime = time.Minute

// controlSocket serves commands on the same machine.
type controlSocket struct {
	server  *http.Server
	end     context.CancelFunc // of what is being done
	serving sync.WaitGroup
	backup  sync.Mutex // held while a backup is made: one at a time
}

// listenControl serves the socket in the data directory. A server that cannot have one
// runs all the same: it can be backed up when it is stopped.
func (s *Server) listenControl() *controlSocket {
	if s.config.DataDir == "" {
		return nil
	}
	listener, err := control.Listen(s.config.DataDir)
	if err != nil {
		s.logger.Warn("there is no backup while the server runs", "error", err)
		return nil
	}
	running, end := context.WithCancel(context.Background())
	c := &controlSocket{end: end}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) { c.serveBackup(s, w, r) })
	c.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: defaults.headerTime,
		BaseContext:       func(net.Listener) context.Context { return running },
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	c.serving.Go(func() {
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Warn("commands on this machine can no longer reach the server", "error", err)
		}
	})
	return c
}

// stop gives up what is being done, and waits until it is.
func (c *controlSocket) stop() {
	if c == nil {
		return
	}
	c.end()
	c.server.Close()
	c.serving.Wait()
	c.backup.Lock() // whoever had it is done
}

// serveBackup writes a backup as it is made. One that fails in the middle ends with a
// broken connection: it has no manifest, and cannot be taken for a whole one.
func (c *controlSocket) serveBackup(s *Server, w http.ResponseWriter, r *http.Request) {
	if !c.backup.TryLock() {
		http.Error(w, "a backup is being made already: wait until it is done", http.StatusConflict)
		return
	}
	defer c.backup.Unlock()
	to := &impatientWriter{w: w, connection: http.NewResponseController(w)}
	m, err := backup.Make(r.Context(), to, s.backupSource())
	switch {
	case err == nil:
		s.logger.Info("a backup was made", "files", len(m.Entries), "bytes", m.Bytes(), "took", m.Ended.Sub(m.Began))
	case !to.begun:
		s.logger.Error("a backup cannot be made", "error", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		s.logger.Error("a backup broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) backupSource() backup.Source {
	from := backup.Source{Dir: s.config.DataDir, Broker: s.broker, Version: s.config.Version}
	if s.siem == nil {
		return from
	}
	from.KeepIntake = s.siem.indexer.KeepIntake
	if store, ok := s.siem.store.(*duckdb.Store); ok {
		from.Store = store
	}
	return from
}

// impatientWriter gives each write its time.
type impatientWriter struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	begun      bool
}

func (w *impatientWriter) Write(p []byte) (int, error) {
	w.begun = true
	if err := w.connection.SetWriteDeadline(time.Now().Add(readerTime)); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
