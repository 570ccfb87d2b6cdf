package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	_ "github.com/duckdb/duckdb-go/v2" // which knows its engine's version
)

type versionCommand struct {
	Output string `help:"text or json." enum:"text,json" default:"text" short:"o"`
}

// build is what the program was built of.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`   // empty where it was not built in a repository
	Built    string `json:"built,omitempty"`    // the commit's time, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the commit's files were changed
	Go       string `json:"go"`
	Platform string `json:"platform"`
	DuckDB   string `json:"duckdb"`
}

func (c versionCommand) Run(ctx context.Context, s streams) error {
	b, err := currentBuild(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return json.NewEncoder(s.out).Encode(b)
	}
	changed := ""
	if b.Modified {
		changed = " (with changes)"
	}
	_, err = fmt.Fprintf(s.out, "trailhook %s\ncommit    %s%s\nbuilt     %s\ngo        %s\nplatform  %s\nduckdb    %s\n",
		b.Version, cmp.Or(b.Commit, "unknown"), changed, cmp.Or(b.Built, "unknown"), b.Go, b.Platform, b.DuckDB)
	return err
}

func currentBuild(ctx context.Context) (build, error) {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				b.Commit = setting.Value
			case "vcs.time":
				b.Built = setting.Value
			case "vcs.modified":
				b.Modified = setting.Value == "true"
			}
		}
	}
	engine, err := sql.Open("duckdb", "")
	if err != nil {
		return b, fmt.Errorf("ask DuckDB for its version: %w", err)
	}
	defer engine.Close()
	if err := engine.QueryRowContext(ctx, "SELECT version()").Scan(&b.DuckDB); err != nil {
		return b, fmt.Errorf("ask DuckDB for its version: %w", err)
	}
	return b, nil
}
