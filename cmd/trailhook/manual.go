package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/trailhook/trailhook/internal/manual"
)

// commandLine is the definition of this very command line.
func commandLine(ctx context.Context, s streams) manual.Command {
	return manual.Of(newParser(ctx, s).Model)
}

type completionCommand struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

func (completionCommand) Help() string {
	return `  source <(trailhook completion bash)
  trailhook completion zsh > "${fpath[1]}/_trailhook"
  trailhook completion fish > ~/.config/fish/completions/trailhook.fish`
}

func (c completionCommand) Run(ctx context.Context, s streams) error {
	script, err := manual.Completion(commandLine(ctx, s), c.Shell)
	if err != nil {
		return err
	}
	_, err = io.WriteString(s.out, script)
	return err
}

type manCommand struct {
	Dir string `help:"Folder for the pages, one for each command; it is made if it is missing." default:"." type:"path"`
}

func (manCommand) Help() string {
	return `  trailhook man --dir /usr/local/share/man/man1`
}

func (c manCommand) Run(ctx context.Context, s streams) error {
	b, err := currentBuild(ctx)
	if err != nil {
		return err
	}
	// The day of the commit, so that the same program writes the same pages.
	day, err := time.Parse(time.RFC3339, b.Built)
	if err != nil {
		day = time.Now()
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	for name, page := range manual.Man(commandLine(ctx, s), version, day) {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(page), 0o644); err != nil {
			return fmt.Errorf("--dir: %w", err)
		}
	}
	return nil
}
