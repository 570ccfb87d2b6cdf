package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/trailhook/trailhook/internal/broker"
)

// made is a backup of a data directory with a bucket, a stream's worth of nothing else,
// and a file.
func made(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	bucket, err := broker.OpenBucket[string](t.Context(), b, "things")
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if err := bucket.Create(t.Context(), "one", "thing"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "master.key"), []byte("the key"), 0o600); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	m, err := Make(t.Context(), &file, Source{Dir: dir, Broker: b, Version: "test"})
	if err != nil || !m.MasterKey {
		t.Fatalf("%+v, %v", m, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".backup-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return file.Bytes()
}

func TestABackupIsRestored(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if _, err := Restore(t.Context(), bytes.NewReader(made(t)), dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	bucket, err := broker.OpenBucket[string](t.Context(), b, "things")
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if entry, err := bucket.Get("one"); err != nil || entry.Value != "thing" {
		t.Errorf("%+v, %v", entry, err)
	}
	if key, err := os.ReadFile(filepath.Join(dir, "master.key")); err != nil || string(key) != "the key" {
		t.Errorf("%q, %v", key, err)
	}
	if err := CheckFinished(dir); err != nil {
		t.Error(err)
	}
}

func TestABackupThatIsCutOrDamagedIsFoundOut(t *testing.T) {
	whole := made(t)
	if _, err := Check(bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if _, err := Check(bytes.NewReader(whole[:len(whole)*n/20])); err == nil {
			t.Errorf("%d of %d bytes are taken for all", len(whole)*n/20, len(whole))
		}
	}
	unpacked := unpack(t, whole)
	for n := 1; n < 60; n++ {
		damaged := bytes.Clone(unpacked)
		at := len(unpacked) * n / 60
		damaged[at] ^= 1
		if _, err := Check(bytes.NewReader(pack(t, damaged))); err == nil && !spare(unpacked, at) {
			t.Errorf("a flipped bit at %d of %d is not found", at, len(unpacked))
		}
	}
}

// spare says whether a byte of a tar carries nothing that is taken: times, owners and
// the filling of blocks.
func spare(file []byte, at int) bool {
	files := tar.NewReader(bytes.NewReader(file))
	for end := int64(0); ; {
		header, err := files.Next()
		if err != nil {
			return true // behind the last file
		}
		content, _ := io.ReadAll(files)
		// The content stands somewhere behind the end of the last one.
		start := int64(bytes.Index(file[end:], content)) + end
		if len(content) > 0 && int64(at) >= start && int64(at) < start+header.Size {
			return header.Name == manifestName // of which not every byte matters
		}
		if int64(at) < start {
			return true
		}
		end = start + header.Size
	}
}

func unpack(t *testing.T, file []byte) []byte {
	t.Helper()
	reader, err := zstd.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	out, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pack(t *testing.T, content []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	return encoder.EncodeAll(content, nil)
}

// forged is a backup with one file of the name, and a manifest that fits.
func forged(t *testing.T, name string) []byte {
	t.Helper()
	var file bytes.Buffer
	a, err := newArchive(&file, Manifest{Format: format, Began: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.add(name, 0o600, 4, strings.NewReader("evil")), a.end()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestABackupWritesNowhereElse(t *testing.T) {
	for _, name := range []string{
		"files/../../evil", "/etc/evil", "evil", "files/nats/evil", "files/lock", "store/evil", "store/../evil", "files/search.duckdb",
		"streams/LOG/00000001", "files/restore-unfinished",
	} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "new")
		if _, err := Restore(t.Context(), bytes.NewReader(forged(t, name)), dir, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s was restored", name)
		}
		if entries, _ := os.ReadDir(parent); len(entries) > 1 {
			t.Errorf("%s: %v", name, entries)
		}
		// Either nothing was begun, or it is marked as not done.
		if _, err := os.Stat(dir); err == nil && CheckFinished(dir) == nil {
			t.Errorf("%s: the directory is taken for a whole one", name)
		}
	}
}

func TestABackupOfANewerFormatIsNamedAsSuch(t *testing.T) {
	var file bytes.Buffer
	a, err := newArchive(&file, Manifest{Format: format + 1, Version: "9.9"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(&file); err == nil || !strings.Contains(err.Error(), "made by trailhook 9.9") {
		t.Errorf("%v", err)
	}
}

// failing is where nothing more can be written after so many bytes.
type failing struct{ left int }

func (w *failing) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("no more room")
	}
	return len(p), nil
}

func TestABackupThatCannotBeWrittenHoldsNothingUp(t *testing.T) {
	b, err := broker.Open(t.Context(), broker.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	bucket, err := broker.OpenBucket[string](t.Context(), b, "things")
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	kept, released := false, false
	_, err = Make(t.Context(), &failing{left: 10}, Source{Dir: t.TempDir(), Broker: b, KeepIntake: func() func() {
		kept = true
		return func() { released = true }
	}})
	if err == nil || !kept || !released {
		t.Errorf("%v, kept %v, released %v", err, kept, released)
	}
	if err := bucket.Create(t.Context(), "one", "thing"); err != nil {
		t.Errorf("a write afterwards: %v", err)
	}
}
