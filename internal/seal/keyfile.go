package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// maxKeyFile bounds, in bytes, what is read as a key file: a keyset of hundreds of keys is far below it.
const maxKeyFile = 1 << 20

// OpenFile makes a Sealer from the key file at path, and makes the file, mode 0600, when there is none; its
// folder must exist. Of processes that do so at the same time one makes the key, and all use that one.
//
// A file that group or others may read or write is refused. A damaged file is an error and is never
// overwritten, since a new key could open nothing that the old one sealed.
func OpenFile(path string) (*Sealer, error) {
	text, err := readKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKeyFile(path); err != nil {
			return nil, fmt.Errorf("create master key file %q: %w", path, err)
		}
		text, err = readKeyFile(path)
	}
	if err != nil {
		return nil, err
	}
	sealer, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("master key file %q is damaged: restore it from a backup, for what it sealed cannot be opened without it: %w", path, err)
	}
	return sealer, nil
}

func readKeyFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open master key file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("look at master key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("master key file %q is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("master key file %q is open to others (mode %04o): run chmod 600 %s", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return "", fmt.Errorf("read master key file: %w", err)
	}
	return string(text), nil
}

// createKeyFile puts a new key at path unless one is there by then. The key is written and synced under
// another name and then linked: a link appears whole or not at all and, unlike a rename, never replaces
// the file that another process has made meanwhile and may have sealed with.
func createKeyFile(path string) error {
	text, err := newKeyset()
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := writeSynced(file, text); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// Also when the file is another process's: nothing may be sealed with a key that a power cut could take.
	return syncFolder(folder)
}

func newKeyset() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}

func writeSynced(file *os.File, content []byte) error {
	_, err := file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
