package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

const (
	// holdTime is how long writes may wait for the buckets to be copied, at most.
	holdTime = 10 * time.Second
	// pieceBytes is how large a piece of a stream is.
	pieceBytes = 4 << 20
)

// Source is what is copied.
type Source struct {
	Dir     string
	Broker  *broker.Broker
	Version string
	// Store is the search store that the process has open in the data directory; nil
	// when there is none, or nobody has it open.
	Store interface {
		Copy(ctx context.Context, each duckdb.Each) error
	}
	// KeepIntake has nothing taken out of the intake until release is called; nil where
	// nobody does.
	KeepIntake func() (release func())
}

// Make writes a backup to w. A slow w holds up the indexing of lines, though not
// their being taken, nor any other write.
func Make(ctx context.Context, w io.Writer, from Source) (Manifest, error) {
	m, err := from.make(ctx, w)
	if err != nil {
		return m, fmt.Errorf("backup of %s: %w", from.Dir, err)
	}
	return m, nil
}

func (from Source) make(ctx context.Context, w io.Writer) (Manifest, error) {
	if !from.Broker.Embedded() {
		return Manifest{}, errors.New("its streams are in a NATS cluster: back that up with `nats account backup`, and keep a copy of master.key")
	}
	to, err := newArchive(w, Manifest{Format: format, Version: from.Version, Began: time.Now().UTC()})
	if err != nil {
		return Manifest{}, err
	}
	defer to.compressed.Close()
	if from.KeepIntake != nil {
		defer from.KeepIntake()()
	}
	streams, err := from.Broker.Streams(ctx)
	if err != nil {
		return Manifest{}, err
	}
	if err := from.buckets(ctx, to, streams); err != nil {
		return Manifest{}, err
	}
	if err := from.store(ctx, to); err != nil {
		return Manifest{}, err
	}
	if err := from.files(to); err != nil {
		return Manifest{}, err
	}
	for _, name := range streams {
		if broker.IsBucket(name) {
			continue
		}
		if err := from.stream(ctx, to, name); err != nil {
			return Manifest{}, err
		}
	}
	to.manifest.Ended = time.Now().UTC()
	return to.manifest, to.end()
}

// buckets copies all buckets as they are at one moment: first to a file beside the
// data, since writes wait meanwhile, and w may be slow.
func (from Source) buckets(ctx context.Context, to *archive, streams []string) error {
	spool, err := os.CreateTemp(from.Dir, ".backup-*")
	if err != nil {
		return err
	}
	defer spool.Close()
	if err := os.Remove(spool.Name()); err != nil { // it is gone with its descriptor, however that ends
		return err
	}
	kept, err := from.spool(ctx, spool, streams)
	if err != nil {
		return err
	}
	at := int64(0)
	for _, k := range kept {
		if err := to.stream(k.name, k.about, io.NewSectionReader(spool, at, k.size)); err != nil {
			return err
		}
		at += k.size
	}
	return nil
}

// spooled is a bucket's copy in the spool.
type spooled struct {
	name  string
	about []byte
	size  int64
}

func (from Source) spool(ctx context.Context, spool io.Writer, streams []string) (kept []spooled, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, holdTime,
		fmt.Errorf("the buckets could not be copied within %s, for which all writes wait: try again when there is less to do", holdTime))
	defer cancel()
	defer from.Broker.Hold()()
	for _, name := range streams {
		if !broker.IsBucket(name) {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		snapshot, err := from.Broker.Snapshot(ctx, name)
		if err != nil {
			return nil, err
		}
		n, err := io.Copy(spool, snapshot)
		snapshot.Close()
		if err != nil {
			return nil, err
		}
		kept = append(kept, spooled{name, snapshot.About, n})
	}
	return kept, nil
}

// stream copies a stream as it is when the engine begins with it: no batch is half
// written then, since no write is under way.
func (from Source) stream(ctx context.Context, to *archive, name string) error {
	release := from.Broker.Hold()
	snapshot, err := from.Broker.Snapshot(ctx, name)
	release()
	if err != nil {
		return err
	}
	defer snapshot.Close()
	return to.stream(name, snapshot.About, snapshot)
}

// ending is a reader that ends with its context.
type ending struct {
	ctx context.Context
	io.Reader
}

func (r *ending) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// stream writes a stream: its size is not known before it ends, so in pieces.
func (a *archive) stream(name string, about []byte, content io.Reader) error {
	place := streamsPlace + name + "/"
	if err := a.add(place+aboutName, 0o600, int64(len(about)), bytes.NewReader(about)); err != nil {
		return err
	}
	piece := make([]byte, pieceBytes)
	for i := 1; ; i++ {
		n, err := io.ReadFull(content, piece)
		if n > 0 {
			if err := a.add(fmt.Sprintf("%s%08d", place, i), 0o600, int64(n), bytes.NewReader(piece[:n])); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (from Source) store(ctx context.Context, to *archive) error {
	each := func(name string, size int64, content io.Reader) error {
		return to.add(storePlace+name, 0o600, size, &ending{ctx, content})
	}
	if from.Store != nil {
		return from.Store.Copy(ctx, each)
	}
	return duckdb.Copy(filepath.Join(from.Dir, storeName), each)
}

// files copies what else is in the data directory: the keys, the first tokens, the
// certificates.
func (from Source) files(to *archive) error {
	return filepath.WalkDir(from.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from.Dir, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && !ours(name):
			return filepath.SkipDir
		case !entry.Type().IsRegular() || !ours(name):
			return nil
		}
		return from.file(to, path, filepath.ToSlash(name))
	})
}

// ours says whether a name in the data directory is of a file that is copied as it
// is: not the engines', which are copied otherwise, nor what is made anew.
func ours(name string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
	switch {
	case first == "nats", first == "lock", first == "lost+found", first == "exports", strings.HasPrefix(first, storeName), strings.HasPrefix(first, ".backup-"):
		return false
	}
	return true
}

func (from Source) file(to *archive, path, name string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a temporary file, by now
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	to.manifest.MasterKey = to.manifest.MasterKey || name == "master.key"
	return to.add(filesPlace+name, int64(info.Mode().Perm()), info.Size(), file)
}
