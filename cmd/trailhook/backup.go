package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/trailhook/trailhook/internal/backup"
	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/control"
)

type backupCommand struct {
	DataDir string `help:"Folder of the server's data." default:"./trailhook-data" env:"TRAILHOOK_DATA_DIR" type:"path"`
	To      string `required:"" help:"File to write, which must not exist; - for standard output." placeholder:"FILE"`
}

func (backupCommand) Help() string {
	return `A server that runs on the data directory makes the backup itself and goes on meanwhile; it must be
one of the same user. Everything that was acknowledged before the backup began is in it. The file holds the keys too:
keep it as safe as the data directory.

  trailhook backup --data-dir /var/lib/trailhook --to trailhook-$(date +%F).tar.zst
  trailhook backup --to - | ssh backup@example.com 'cat > trailhook.tar.zst'`
}

func (c *backupCommand) Run(ctx context.Context, s streams) error {
	if c.To == "-" {
		if out, ok := s.out.(*os.File); ok && term.IsTerminal(int(out.Fd())) {
			return errors.New("--to -: a backup is not for a terminal: redirect standard output, or name a file")
		}
		return c.make(ctx, s.out, s)
	}
	return c.toFile(ctx, s)
}

// toFile writes the backup beside its place, and puts it there when it has been read
// again and found whole.
func (c *backupCommand) toFile(ctx context.Context, s streams) (err error) {
	if _, err := os.Stat(c.To); err == nil {
		return fmt.Errorf("--to %s: it exists: name another file", c.To)
	}
	partial := c.To + ".partial"
	file, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(partial)
		}
	}()
	began := time.Now()
	if err := c.make(ctx, file, s); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	m, err := backup.Check(file)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(partial, c.To); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "%s: %s in %s\n", c.To, summary(m), time.Since(began).Round(time.Millisecond))
	if !m.MasterKey {
		fmt.Fprintln(s.err, "The master key is not in it, since it is not in the data directory: keep TRAILHOOK_MASTER_KEY as long as the backup.")
	}
	return nil
}

func summary(m backup.Manifest) string {
	size, unit := float64(m.Bytes())/(1<<20), "MiB"
	if size < 1 {
		size, unit = size*(1<<10), "KiB"
	}
	return fmt.Sprintf("%d files, %.1f %s before compression, of %s", len(m.Entries), size, unit, m.Began.Format(time.RFC3339))
}

// make has the server make the backup, or makes it where none runs.
func (c *backupCommand) make(ctx context.Context, to io.Writer, s streams) error {
	if _, err := os.Stat(filepath.Join(c.DataDir, "lock")); err != nil {
		return fmt.Errorf("--data-dir %s holds no server's data", c.DataDir)
	}
	if err := backup.CheckFinished(c.DataDir); err != nil {
		return err
	}
	err := c.ofServer(ctx, to)
	if errors.Is(err, control.ErrNoServer) {
		return c.ofFiles(ctx, to, s)
	}
	return err
}

func (c *backupCommand) ofServer(ctx context.Context, to io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://trailhook/backup", nil)
	if err != nil {
		return err
	}
	response, err := control.Client(c.DataDir).Do(request)
	if err != nil {
		return fmt.Errorf("backup of the running server: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return fmt.Errorf("the running server makes no backup: %s", strings.TrimSpace(string(why)))
	}
	if _, err := io.Copy(to, response.Body); err != nil {
		return fmt.Errorf("the backup broke off, see the server's log: %w", err)
	}
	return nil
}

// ofFiles makes the backup of a server that does not run, which cannot be started
// meanwhile.
func (c *backupCommand) ofFiles(ctx context.Context, to io.Writer, s streams) error {
	if _, err := os.Stat(filepath.Join(c.DataDir, "nats")); err != nil {
		return fmt.Errorf("--data-dir %s holds no engine's files: back up the NATS cluster with `nats account backup`, and keep a copy of master.key", c.DataDir)
	}
	b, err := broker.Open(ctx, broker.Options{Dir: c.DataDir, Logger: quiet(s)})
	if err != nil {
		return err
	}
	defer b.Close()
	_, err = backup.Make(ctx, to, backup.Source{Dir: c.DataDir, Broker: b, Version: version})
	return err
}

// quiet logs errors only.
func quiet(s streams) *slog.Logger {
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
}

type restoreCommand struct {
	From    string `required:"" help:"File of the backup." placeholder:"FILE" type:"existingfile"`
	DataDir string `help:"Folder to make: it must be empty, or not exist." default:"./trailhook-data" env:"TRAILHOOK_DATA_DIR" type:"path"`
	Check   bool   `help:"Only read the backup to its end, and say whether it is whole."`
}

func (restoreCommand) Help() string {
	return `The backup is read to its end and found whole before anything is written. A server that starts on the
folder then goes on where the backup was made: events that came later are gone, and what had not been delivered by
then is delivered again.

  trailhook restore --from trailhook-2026-03-01.tar.zst --data-dir /var/lib/trailhook`
}

func (c *restoreCommand) Run(ctx context.Context, s streams) error {
	file, err := os.Open(c.From)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer file.Close()
	if c.Check {
		m, err := backup.Check(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s is whole: %s, by trailhook %s\n", c.From, summary(m), m.Version)
		return nil
	}
	m, err := backup.Restore(ctx, file, c.DataDir, quiet(s))
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: restored: %s\n", c.DataDir, summary(m))
	if !m.MasterKey {
		fmt.Fprintln(s.out, "The master key is not in the backup: start the server with TRAILHOOK_MASTER_KEY as it was.")
	}
	return nil
}
