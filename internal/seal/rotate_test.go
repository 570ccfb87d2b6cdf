package seal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/trailhook/trailhook/internal/seal"
)

func TestARotatedKeysetOpensWhatTheOldOneSealedUntilItIsPruned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	old := openFile(t, path)
	before := mustSeal(t, old, "old")
	first, err := seal.ReadKeyset(path)
	if err != nil {
		t.Fatal(err)
	}

	added := changed(t, first.Add)
	if !added.Prepared() || added.Len() != 2 {
		t.Errorf("after Add: %d keys, prepared %v", added.Len(), added.Prepared())
	}
	// The added key does not seal yet: a process that lacks it opens everything.
	if opened, err := old.Open(mustSeal(t, sealerOf(t, added), "x"), field); err != nil || string(opened) != "x" {
		t.Errorf("sealed beside an added key opens as %q, %v", opened, err)
	}

	active := changed(t, added.Activate)
	after := mustSeal(t, sealerOf(t, active), "new")
	if active.Prepared() {
		t.Error("after Activate the newest key is not the primary one")
	}
	if opened, err := sealerOf(t, added).Open(after, field); err != nil || string(opened) != "new" {
		t.Errorf("a process with the added key opens %q, %v", opened, err)
	}
	if opened, err := sealerOf(t, active).Open(before, field); err != nil || string(opened) != "old" {
		t.Errorf("the old value opens as %q, %v", opened, err)
	}

	pruned := changed(t, active.Prune)
	if opened, err := sealerOf(t, pruned).Open(after, field); err != nil || string(opened) != "new" || pruned.Len() != 1 {
		t.Errorf("after Prune, of %d keys, the new value opens as %q, %v", pruned.Len(), opened, err)
	}
	if _, err := sealerOf(t, pruned).Open(before, field); err == nil {
		t.Error("a pruned key opens still")
	}
	if _, err := old.Open(after, field); err == nil {
		t.Error("the old key opens what the new one sealed")
	}
}

func TestTheKeyFileIsReplacedWholeAndForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	openFile(t, path)
	keys, err := seal.ReadKeyset(path)
	if err != nil {
		t.Fatal(err)
	}
	// What a crash before the renaming leaves.
	if err := os.WriteFile(path+".new-123", []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys = changed(t, changed(t, keys.Add).Activate)
	if err := keys.Replace(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if files := names(t, filepath.Dir(path)); len(files) != 1 {
		t.Errorf("the folder holds %v, want the key file alone", files)
	}
	if opened, err := openFile(t, path).Open(mustSeal(t, sealerOf(t, keys), "kept"), field); err != nil || string(opened) != "kept" {
		t.Errorf("after the replacement the value opens as %q, %v", opened, err)
	}
	text, err := keys.Text()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := seal.ParseKeyset(text); err != nil || again.Len() != 2 {
		t.Errorf("the text does not parse: %v", err)
	}
}

func TestAKeyFileThatIsNotThereIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	openFile(t, path)
	keys, err := seal.ReadKeyset(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "master.key")
	if err := keys.Replace(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that there is none", err)
	}
	if _, err := seal.ReadKeyset(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that there is none", err)
	}
}

func changed(t *testing.T, change func() (*seal.Keyset, error)) *seal.Keyset {
	t.Helper()
	keys, err := change()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func sealerOf(t *testing.T, keys *seal.Keyset) *seal.Sealer {
	t.Helper()
	sealer, err := keys.Sealer()
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}
