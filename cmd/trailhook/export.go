package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// siemExportTime is longer than a server lets an export take, with the time to
// fetch it.
const siemExportTime = 30 * time.Minute

// parquet fetches the answer as a file, into --file or to standard output.
func (c *searchCommand) parquet(ctx context.Context, s streams) (found bool, err error) {
	if _, terminal := terminalWidth(s.out); terminal && c.File == "" {
		return false, errors.New("--output parquet is no text for a terminal: give --file FILE, or redirect it")
	}
	parameters := c.parameters()
	parameters.Set("format", "parquet")
	answer, err := c.Server.get(ctx, searchPath, parameters, siemExportTime)
	if err != nil {
		return false, err
	}
	defer answer.Close()
	found = answer.header.Get("Trailhook-Rows") != "0"
	if c.File == "" {
		return found, fetch(s.out, answer)
	}
	return found, c.toFile(answer)
}

// toFile puts the answer into the file once it is there as a whole: a fetch that
// breaks off leaves the one that was there before.
func (c *searchCommand) toFile(answer io.Reader) error {
	file, err := os.CreateTemp(filepath.Dir(c.File), "."+filepath.Base(c.File)+".*")
	if err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	defer os.Remove(file.Name())
	if err := errors.Join(fetch(file, answer), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), c.File); err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	return nil
}

func fetch(to io.Writer, answer io.Reader) error {
	if _, err := io.Copy(to, answer); err != nil {
		return fmt.Errorf("fetch the file: %w", withoutURL(err))
	}
	return nil
}
