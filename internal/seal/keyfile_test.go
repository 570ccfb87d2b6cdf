package seal_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/trailhook/trailhook/internal/seal"
)

func TestTheKeyFileIsMadeOnceForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	first := openFile(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	second := openFile(t, path)
	if opened, err := second.Open(mustSeal(t, first, "kept"), field); err != nil || string(opened) != "kept" {
		t.Errorf("after a restart the value opens as %q, %v", opened, err)
	}
	if files := names(t, filepath.Dir(path)); len(files) != 1 {
		t.Errorf("the folder holds %v, want the key file alone", files)
	}
}

func TestTheTextOfTheKeyFileIsAlsoTakenFromTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	sealed := mustSeal(t, openFile(t, path), "kept")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := mustParse(t, string(text)).Open(sealed, field); err != nil || string(opened) != "kept" {
		t.Errorf("opens as %q, %v", opened, err)
	}
}

func TestAKeyFileOpenToOthersIsRefusedNamingTheChmod(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644, 0o777} {
		path := filepath.Join(t.TempDir(), "master.key")
		openFile(t, path)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := seal.OpenFile(path)
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: error %v, want one that names the chmod", mode, err)
		}
	}
}

func TestAReadOnlyKeyFileIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	openFile(t, path)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	openFile(t, path)
}

func TestADamagedKeyFileIsNeitherTakenNorOverwritten(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "master.key")
	openFile(t, whole)
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string]string{
		"empty":       "",
		"cut":         string(text[:len(text)/2]),
		"zeroes":      string(make([]byte, len(text))),
		"overwritten": "secret" + string(text[6:]),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "master.key")
			if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := seal.OpenFile(path)
			if err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one that says that the file is damaged and which", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != damaged {
				t.Errorf("the file was changed to %d bytes, %v", len(after), err)
			}
		})
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	if _, err := seal.OpenFile(t.TempDir()); err == nil {
		t.Error("a folder was taken as a key file")
	}
	if _, err := seal.OpenFile(filepath.Join(t.TempDir(), "absent", "master.key")); err == nil {
		t.Error("a key file was made in a folder that does not exist")
	}
}

func TestAllThatCreateTheKeyFileAtOnceEndWithOneKey(t *testing.T) {
	const openers = 16
	path := filepath.Join(t.TempDir(), "master.key")
	sealers := make([]*seal.Sealer, openers)
	begin := make(chan struct{})
	var opened sync.WaitGroup
	for i := range sealers {
		opened.Go(func() {
			<-begin
			sealer, err := seal.OpenFile(path)
			if err != nil {
				t.Errorf("open: %v", err)
			}
			sealers[i] = sealer
		})
	}
	close(begin)
	opened.Wait()
	if t.Failed() {
		return
	}
	sealed := mustSeal(t, sealers[0], "shared")
	for i, sealer := range sealers {
		if _, err := sealer.Open(sealed, field); err != nil {
			t.Errorf("opener %d has another key: %v", i, err)
		}
	}
	if files := names(t, filepath.Dir(path)); len(files) != 1 {
		t.Errorf("the folder holds %v, want the key file alone", files)
	}
}

func openFile(t *testing.T, path string) *seal.Sealer {
	t.Helper()
	sealer, err := seal.OpenFile(path)
	if err != nil {
		t.Fatalf("open key file: %v", err)
	}
	return sealer
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}
