package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

// dataFlags name the data that a command works on by itself, without a server.
type dataFlags struct {
	DataDir   string `help:"Folder of the server's data." default:"./trailhook-data" env:"TRAILHOOK_DATA_DIR" type:"path"`
	MasterKey string `hidden:"" env:"TRAILHOOK_MASTER_KEY"`

	NATS clusterFlags `embed:""`
}

// openRegistry opens the registry in the data directory of a server that does
// not run, or on a cluster.
func (c *dataFlags) openRegistry(ctx context.Context, s streams) (_ *registry.Registry, closeAll func(), err error) {
	options := c.NATS.options()
	options.Logger = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
	if options.URLs == "" {
		if _, err := os.Stat(filepath.Join(c.DataDir, "nats")); err != nil {
			return nil, nil, fmt.Errorf("--data-dir %s holds no server's data: start the server once with trailhook serve, or name another folder, or the cluster with --nats", c.DataDir)
		}
		options.Dir = c.DataDir
	}
	b, err := broker.Open(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	sealer, err := c.openSealer()
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	r, err := registry.Open(ctx, b, registry.Options{Sealer: sealer, Now: time.Now})
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	return r, func() { r.Close(); b.Close() }, nil
}

// openSealer opens the key that the server has, and makes none.
func (c *dataFlags) openSealer() (*seal.Sealer, error) {
	keys, err := c.masterKey()
	if err != nil {
		return nil, err
	}
	return keys.Sealer()
}

// masterKey reads the key that the server has.
func (c *dataFlags) masterKey() (*seal.Keyset, error) {
	if c.MasterKey == "" {
		if _, err := os.Stat(c.masterKeyFile()); err != nil {
			return nil, fmt.Errorf("%w: set TRAILHOOK_MASTER_KEY if the server has it there", err)
		}
		return seal.ReadKeyset(c.masterKeyFile())
	}
	keys, err := seal.ParseKeyset(c.MasterKey)
	if err != nil {
		return nil, fmt.Errorf("TRAILHOOK_MASTER_KEY: %w", err)
	}
	return keys, nil
}

func (c *dataFlags) masterKeyFile() string { return filepath.Join(c.DataDir, "master.key") }
