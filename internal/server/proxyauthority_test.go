package server

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

func TestADataPlaneWhoseControlPlanesAuthorityCannotBeReadDoesNotStart(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.pem")
	s, err := Start(t.Context(), Config{
		DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", ProxyAddr: "127.0.0.1:0", Region: "us", Version: "test", Logger: slog.New(slog.DiscardHandler),
		ProxyControlPlane: "edge", ProxyControlPlaneURL: "https://127.0.0.1:1", ProxyControlPlaneCA: missing,
	})
	if err == nil {
		s.Shutdown()
	}
	if err == nil || !strings.Contains(err.Error(), "--proxy-control-plane-ca: open "+missing) {
		t.Errorf("%v", err)
	}
}
