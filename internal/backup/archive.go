package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxManifest is how large a manifest may be: it is read into memory.
const maxManifest = 64 << 20

// archive writes a backup's file.
type archive struct {
	compressed *zstd.Encoder
	tar        *tar.Writer
	manifest   Manifest
}

func newArchive(w io.Writer, m Manifest) (*archive, error) {
	compressed, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	return &archive{compressed: compressed, tar: tar.NewWriter(compressed), manifest: m}, nil
}

// add writes a file of so many bytes.
func (a *archive) add(name string, mode int64, size int64, content io.Reader) error {
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: size, ModTime: a.manifest.Began, Format: tar.FormatPAX}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(a.tar, sum), io.LimitReader(content, size))
	if err == nil && n < size {
		err = fmt.Errorf("it became shorter while it was copied: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.manifest.Entries = append(a.manifest.Entries, Entry{name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// end writes the manifest and what is left.
func (a *archive) end() error {
	text, err := json.MarshalIndent(a.manifest, "", "  ")
	if err != nil {
		return err
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: a.manifest.Ended, Format: tar.FormatPAX}); err != nil {
		return err
	}
	if _, err := a.tar.Write(text); err != nil {
		return err
	}
	return errors.Join(a.tar.Close(), a.compressed.Close())
}

// item is a file as it is read from a backup.
type item struct {
	Entry
	mode    int64
	content io.Reader
}

// errCut says that a backup has no end.
var errCut = errors.New("the backup is not whole: it ends before its manifest")

// readArchive hands over one file after the other, and returns the manifest when it
// fits all of them. What each leaves of a file is read for its sum.
func readArchive(r io.Reader, each func(item) error) (Manifest, error) {
	decompressed, err := zstd.NewReader(r)
	if err != nil {
		return Manifest{}, err
	}
	defer decompressed.Close()
	files := tar.NewReader(decompressed)
	var found []Entry
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Manifest{}, errCut
		}
		if err != nil {
			return Manifest{}, fmt.Errorf("not a backup, or damaged: %w", err)
		}
		if header.Name == manifestName {
			return readManifest(files, found)
		}
		if header.Typeflag != tar.TypeReg || !filepath.IsLocal(header.Name) || !known(header.Name) {
			return Manifest{}, fmt.Errorf("not a backup: it has %q in it", header.Name)
		}
		sum := sha256.New()
		content := io.TeeReader(files, sum)
		if err := each(item{Entry{Name: header.Name, Size: header.Size}, header.Mode, content}); err != nil {
			return Manifest{}, err
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = errCut
			}
			return Manifest{}, fmt.Errorf("%s: %w", header.Name, err)
		}
		found = append(found, Entry{header.Name, header.Size, hex.EncodeToString(sum.Sum(nil))})
	}
}

func known(name string) bool {
	return strings.HasPrefix(name, filesPlace) || strings.HasPrefix(name, storePlace) || strings.HasPrefix(name, streamsPlace)
}

// readManifest reads the manifest and holds it against the files before it.
func readManifest(r io.Reader, found []Entry) (m Manifest, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != format {
		return m, fmt.Errorf("the backup has format %d, made by trailhook %s; this program knows format %d: use that program, or a newer one", m.Format, m.Version, format)
	}
	if len(m.Entries) != len(found) {
		return m, fmt.Errorf("the backup has %d files, and its manifest names %d: it is damaged", len(found), len(m.Entries))
	}
	for i, e := range m.Entries {
		if e != found[i] {
			return m, fmt.Errorf("%s: the backup is damaged: its contents are not those that were written", found[i].Name)
		}
	}
	return m, nil
}
