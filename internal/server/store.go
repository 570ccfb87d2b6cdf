package server

import (
	"context"
	"fmt"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

// openStore opens the store of the SIEM's side: a file in the data directory, or a
// database of ClickHouse.
func (s *Server) openStore(ctx context.Context) (search.Store, error) {
	if s.config.Search == nil {
		store, err := duckdb.Open(ctx, s.file("search.duckdb"), s.logger)
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	store, err := clickhouse.Open(ctx, s.config.Search, s.logger)
	if err != nil {
		return nil, fmt.Errorf("--search: %w", err)
	}
	return store, nil
}
