package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/trailhook/trailhook/internal/broker"
)

// maxAbout is how large what the engine says of a stream may be.
const maxAbout = 1 << 20

// Check reads the whole backup and returns its manifest if everything is in it as it
// was written.
func Check(file io.Reader) (Manifest, error) {
	m, err := readArchive(file, func(item) error { return nil })
	if err != nil {
		return m, fmt.Errorf("check the backup: %w", err)
	}
	return m, nil
}

// Restore makes a data directory from a backup. It reads the backup to its end before
// it writes anything, so the file must be one that can be read twice. The directory
// is made if it is missing, and must be empty otherwise; until the restore is done
// no server starts on it.
func Restore(ctx context.Context, file io.ReadSeeker, dir string, logger *slog.Logger) (Manifest, error) {
	m, err := Check(file)
	if err != nil {
		return m, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := restore(ctx, file, dir, logger); err != nil {
		return m, fmt.Errorf("restore into %s: %w", dir, err)
	}
	return m, nil
}

func restore(ctx context.Context, file io.Reader, dir string, logger *slog.Logger) error {
	if err := checkEmpty(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	mark := filepath.Join(dir, unfinished)
	if err := write(mark, 0o600, strings.NewReader("A restore into this directory has begun and not ended.\n")); err != nil {
		return err
	}
	if err := syncFolder(dir); err != nil {
		return err
	}
	engine, err := broker.Restore(ctx, broker.Options{Dir: dir, Logger: logger})
	if err != nil {
		return err
	}
	r := &restoring{ctx: ctx, dir: dir, engine: engine}
	_, err = readArchive(file, r.take)
	if err = errors.Join(err, r.endStream(), engine.Close()); err != nil {
		return err
	}
	if err := syncFolders(dir); err != nil {
		return err
	}
	if err := os.Remove(mark); err != nil {
		return err
	}
	return syncFolder(dir)
}

// checkEmpty refuses a folder that has anything in it but what a file system puts
// into its own root.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != "lost+found" {
			return fmt.Errorf("it is not empty (it has %s): name an empty or a new one", entry.Name())
		}
	}
	return nil
}

// restoring is a restore under way.
type restoring struct {
	ctx    context.Context
	dir    string
	engine *broker.Restoring

	stream string         // that is being restored; empty: none
	pieces *io.PipeWriter // to it
	done   chan error     // how it ended
}

// take restores a file of the backup.
func (r *restoring) take(i item) error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	if rest, ok := strings.CutPrefix(i.Name, streamsPlace); ok {
		return r.piece(rest, i.content)
	}
	if err := r.endStream(); err != nil {
		return err
	}
	name, ok := strings.CutPrefix(i.Name, filesPlace)
	if !ok {
		name = strings.TrimPrefix(i.Name, storePlace)
	}
	if ok != ours(name) || name == unfinished {
		return fmt.Errorf("%s has no place in a data directory", i.Name)
	}
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return write(path, fs.FileMode(i.mode).Perm(), i.content)
}

// piece restores a file of a stream: the first begins it, the others follow.
func (r *restoring) piece(name string, content io.Reader) error {
	stream, part, _ := strings.Cut(name, "/")
	if part != aboutName {
		if stream != r.stream {
			return fmt.Errorf("%s%s comes without what it is a part of", streamsPlace, name)
		}
		if _, err := io.Copy(r.pieces, content); err != nil {
			return fmt.Errorf("%s%s: %w", streamsPlace, name, err)
		}
		return nil
	}
	if err := r.endStream(); err != nil {
		return err
	}
	about, err := io.ReadAll(io.LimitReader(content, maxAbout))
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	r.stream, r.pieces, r.done = stream, writer, make(chan error, 1)
	go func(done chan<- error) {
		err := r.engine.Stream(r.ctx, json.RawMessage(about), reader)
		reader.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // whoever writes on hears why
		done <- err
	}(r.done)
	return nil
}

// endStream waits for the stream that is being restored.
func (r *restoring) endStream() error {
	if r.stream == "" {
		return nil
	}
	r.pieces.Close()
	r.stream = ""
	return <-r.done
}

// write makes a file, which must not be there, and syncs it.
func write(path string, mode fs.FileMode, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncFolders syncs the folders of a data directory: the files in them are by now.
func syncFolders(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			return nil
		case entry.Name() == "lost+found":
			return filepath.SkipDir
		}
		return syncFolder(path)
	})
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
