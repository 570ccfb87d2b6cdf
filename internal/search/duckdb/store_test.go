package duckdb

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/storetest"
)

func TestStoreConforms(t *testing.T) {
	folders := map[*testing.T]string{}
	storetest.Run(t, func(t *testing.T) search.Store {
		if folders[t] == "" {
			folders[t] = t.TempDir()
		}
		return openIn(t, folders[t])
	})
}

func openIn(t testing.TB, folder string, options ...Option) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(folder, "search.duckdb"), slog.New(slog.DiscardHandler), options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
