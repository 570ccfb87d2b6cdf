package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/trailhook/trailhook/internal/alert"
	"github.com/trailhook/trailhook/internal/backup"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/collector"
	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

// dataFlags name the data that a command works on by itself, without a server.
type dataFlags struct {
	DataDir   string `help:"Folder of the server's data." default:"./trailhook-data" env:"TRAILHOOK_DATA_DIR" type:"path"`
	MasterKey string `hidden:"" help:"The master key, a Tink keyset in JSON, in place of the file in the data directory." env:"TRAILHOOK_MASTER_KEY"`

	NATS clusterFlags `embed:""`
}

// data is what a command works on: that of a server that does not run, or a
// cluster's.
type data struct {
	broker   *broker.Broker
	registry *registry.Registry
	sealer   *seal.Sealer
	shared   bool // it is a cluster's, which has the platform's half only
}

func (d *data) close() {
	d.registry.Close()
	d.broker.Close()
}

// open opens the data in the directory, or on the cluster.
func (c *dataFlags) open(ctx context.Context, s streams) (*data, error) {
	options := c.NATS.options()
	options.Logger = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
	if options.URLs == "" {
		if _, err := os.Stat(filepath.Join(c.DataDir, "nats")); err != nil {
			return nil, fmt.Errorf("--data-dir %s holds no server's data: start the server once with trailhook serve, or name another folder, or the cluster with --nats", c.DataDir)
		}
		options.Dir = c.DataDir
		if err := backup.CheckFinished(c.DataDir); err != nil {
			return nil, err
		}
	}
	b, err := broker.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	d := &data{broker: b, shared: options.URLs != ""}
	if d.sealer, err = c.openSealer(); err != nil {
		b.Close()
		return nil, err
	}
	if d.registry, err = registry.Open(ctx, b, registry.Options{Sealer: d.sealer, Now: time.Now}); err != nil {
		b.Close()
		return nil, err
	}
	return d, nil
}

// openRegistry opens the data for what needs the registry only.
func (c *dataFlags) openRegistry(ctx context.Context, s streams) (_ *registry.Registry, closeAll func(), err error) {
	d, err := c.open(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	return d.registry, d.close, nil
}

// reseal seals all secrets of both halves under with that sealed does not open,
// and returns how many that were.
func (d *data) reseal(ctx context.Context, with, sealed *seal.Sealer) (int, error) {
	n, err := d.registry.Reseal(ctx, with, sealed)
	if err != nil || d.shared {
		return n, err
	}
	catalog, err := collector.OpenCatalog(ctx, d.broker)
	if err != nil {
		return n, err
	}
	defer catalog.Close()
	forwards, err := catalog.Reseal(ctx, d.sealer, with, sealed)
	n += forwards
	if err != nil {
		return n, err
	}
	alerts, err := alert.Reseal(ctx, d.broker, d.sealer, with, sealed)
	return n + alerts, err
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
