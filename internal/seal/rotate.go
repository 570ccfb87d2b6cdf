package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Keyset is a master key as it is kept, for changing it: the keys that open, and among them the primary one,
// which seals. It is immutable: what changes it returns another.
//
// A rotation goes in steps between which everything opens, whatever dies: Add and Activate, then seal every
// value anew, then Prune. Where several processes have the keyset, all must have what Add gave before one of
// them has what Activate gives, since from then on it seals what they must open.
type Keyset struct {
	handle *keyset.Handle
}

// ParseKeyset reads the text of a keyset, as [Parse] does.
func ParseKeyset(text string) (*Keyset, error) {
	handle, err := parseHandle(text)
	if err != nil {
		return nil, err
	}
	if err := requireAES256GCM(handle); err != nil {
		return nil, err
	}
	return &Keyset{handle}, nil
}

// ReadKeyset reads the key file at path, under the conditions of [OpenFile]; it makes none.
func ReadKeyset(path string) (*Keyset, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := ParseKeyset(text)
	if err != nil {
		return nil, fmt.Errorf("master key file %q is damaged: restore it from a backup: %w", path, err)
	}
	return keys, nil
}

// Len is how many keys there are.
func (k *Keyset) Len() int { return k.handle.Len() }

// Sealer seals under the primary key and opens what any of the keys sealed.
func (k *Keyset) Sealer() (*Sealer, error) { return newSealer(k.handle) }

// Add returns the keyset with a new key, which opens and does not seal yet.
func (k *Keyset) Add() (*Keyset, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	if _, err := manager.Add(aead.AES256GCMKeyTemplate()); err != nil {
		return nil, fmt.Errorf("add a master key: %w", err)
	}
	return managed(manager)
}

// Activate returns the keyset with its newest key as the primary one.
func (k *Keyset) Activate() (*Keyset, error) {
	newest, err := k.handle.Entry(k.handle.Len() - 1) // keys are added at the end
	if err != nil {
		return nil, errors.New("activate the newest master key: the keyset cannot be read")
	}
	manager := keyset.NewManagerFromHandle(k.handle)
	if err := manager.SetPrimary(newest.KeyID()); err != nil {
		return nil, fmt.Errorf("activate the newest master key: %w", err)
	}
	return managed(manager)
}

// Prepared reports whether the newest key is not the primary one: it was added, and not activated.
func (k *Keyset) Prepared() bool {
	newest, err := k.handle.Entry(k.handle.Len() - 1)
	return err == nil && !newest.IsPrimary()
}

// Prune returns the keyset with the primary key alone. What another sealed cannot be opened with it.
func (k *Keyset) Prune() (*Keyset, error) {
	manager := keyset.NewManagerFromHandle(k.handle)
	for i := range k.handle.Len() {
		entry, err := k.handle.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("drop old master keys: key %d of the keyset cannot be read", i+1)
		}
		if entry.IsPrimary() {
			continue
		}
		if err := manager.Delete(entry.KeyID()); err != nil {
			return nil, fmt.Errorf("drop old master keys: %w", err)
		}
	}
	return managed(manager)
}

func managed(manager *keyset.Manager) (*Keyset, error) {
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("change the master key: %w", err)
	}
	return &Keyset{handle}, nil
}

// Text is the keyset as JSON, on one line: the secret itself.
func (k *Keyset) Text() (string, error) {
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&text)); err != nil {
		return "", fmt.Errorf("encode master key: %w", err)
	}
	return strings.TrimSpace(text.String()), nil
}

// Replace makes the keyset the content of the key file at path, which must be there. After a crash the file
// has either the old content or the new one, and the new one is on disk when Replace returns.
func (k *Keyset) Replace(path string) error {
	if _, err := readKeyFile(path); err != nil {
		return err
	}
	text, err := k.Text()
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("replace master key file: %w", err)
	}
	defer os.Remove(file.Name())
	if err := writeSynced(file, []byte(text+"\n")); err != nil {
		return fmt.Errorf("replace master key file: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("replace master key file: %w", err)
	}
	if err := syncFolder(folder); err != nil {
		return fmt.Errorf("replace master key file: %w", err)
	}
	return removeLeftovers(path)
}

// removeLeftovers removes what a Replace left that did not live to its end:
// keys should not lie about.
func removeLeftovers(path string) error {
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(path), filepath.Base(path)+".new-*"))
	if err != nil {
		return nil // a path that is a malformed pattern: there is nothing to be found by it
	}
	for _, leftover := range leftovers {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an interrupted rotation left: %w", err)
		}
	}
	return nil
}
