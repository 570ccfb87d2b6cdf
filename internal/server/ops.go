package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// opsHandler serves the operator: is it alive, is it ready, how much of what.
func (s *Server) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	return mux
}

// healthz answers as long as the process does. What would end it ends it, so there
// is nothing else to ask.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	if wantsJSON(r) {
		answerJSON(w, http.StatusOK, map[string]any{"alive": true, "version": s.config.Version})
		return
	}
	fmt.Fprintln(w, "alive")
}

// readyz says whether the server can do what it answers for, with 200 or 503, and
// how each part stands: in lines of text, or in JSON for who asks for that in
// Accept or with ?format=json.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	told, status, word := s.readiness(r.Context()), http.StatusOK, "ready"
	if !told.Ready {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	if wantsJSON(r) {
		answerJSON(w, status, told)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, word)
	for _, p := range told.Parts {
		if p.Reason == "" {
			fmt.Fprintf(w, "%s: %s\n", p.Name, p.Status)
		} else {
			fmt.Fprintf(w, "%s: %s: %s\n", p.Name, p.Status, p.Reason)
		}
	}
}

func wantsJSON(r *http.Request) bool {
	return r.URL.Query().Get("format") == "json" || strings.Contains(r.Header.Get("Accept"), "application/json")
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // who does not hear it has gone
}

// writeSecret writes a file that only this user can read, in place of any
// former one.
func writeSecret(path, secret string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(file, secret); err != nil {
		file.Close()
		return err
	}
	if err := file.Sync(); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
