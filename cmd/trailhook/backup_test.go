package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// command runs another command of the real binary to its end.
func command(t *testing.T, args ...string) (stdout []byte, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTrailhook+"=1")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	return out.Bytes(), complaints.String(), err
}

func mustCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	out, complaints, err := command(t, args...)
	if err != nil {
		t.Fatalf("trailhook %s: %v\n%s", strings.Join(args, " "), err, complaints)
	}
	return out
}

// wantAll wants every acknowledged id in the restored directory: once in the journal
// of the stopped server, and, where the lines come by the webhook, found by a search.
func wantAll(t *testing.T, dir string, ids []string) {
	t.Helper()
	p := serve(t, dir)
	found := map[string]int{}
	eventually(t, "all that was acknowledged is found", func() bool {
		clear(found)
		for _, r := range p.search("_source=Konnect Authz.invoices") {
			_, id, _ := strings.Cut(r.Raw, "principal_id=")
			id, _, _ = strings.Cut(id, " ")
			found[id]++
			if r.Signature != "valid" {
				t.Fatalf("%s: %s", r.Signature, r.Raw)
			}
		}
		for _, id := range ids {
			if found[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range found {
		if n != 1 {
			t.Errorf("%s is found %d times", id, n)
		}
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	times := journalIDs(t, dir)
	for _, id := range ids {
		if times[id] != 1 {
			t.Errorf("%s is %d times in the journal", id, times[id])
		}
	}
}

// An oracle test: clients record events, a backup is made under that load, the server
// is killed, and what was acknowledged before the backup began is owed by a server
// that starts on what is restored.
func TestABackupUnderLoadHasEveryEventThatWasAcknowledgedBefore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir := filepath.Join(folder, "a")
	p := serve(t, dir)
	p.connect()
	o := &oracle{acknowledged: map[string]bool{}}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if _, err := o.send(ctx, p, o.newRequest()); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	acknowledged := func() (ids []string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		for id := range o.acknowledged {
			ids = append(ids, id)
		}
		return ids
	}
	var owed [][]string
	for n, file := range []string{"first", "second"} {
		eventually(t, "events are recorded", func() bool { return len(acknowledged()) > 1500*(n+1) })
		owed = append(owed, acknowledged())
		mustCommand(t, "backup", "--data-dir", dir, "--to", filepath.Join(folder, file))
	}
	after := len(acknowledged())
	eventually(t, "events are recorded after the backup", func() bool { return len(acknowledged()) > after })
	p.end(syscall.SIGKILL)
	stop()
	clients.Wait()
	http.DefaultClient.CloseIdleConnections()

	for n, file := range []string{"first", "second"} {
		restored := filepath.Join(folder, "restored-"+file)
		mustCommand(t, "restore", "--from", filepath.Join(folder, file), "--data-dir", restored)
		// The webhook leads to the address that the first server had.
		address, err := os.ReadFile(dir + ".siem-addr")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(restored+".siem-addr", address, 0o600); err != nil {
			t.Fatal(err)
		}
		wantAll(t, restored, owed[n])
	}
	t.Logf("%d and %d events", len(owed[0]), len(owed[1]))
}

func TestAStoppedServerIsBackedUpToStandardOutput(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	dir, file := filepath.Join(folder, "a"), filepath.Join(folder, "backup")
	p := serve(t, dir)
	p.connect()
	o := &oracle{acknowledged: map[string]bool{}}
	if _, err := o.send(t.Context(), p, o.newRequest()); err != nil {
		t.Fatal(err)
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, mustCommand(t, "backup", "--data-dir", dir, "--to", "-"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := mustCommand(t, "restore", "--check", "--from", file); !bytes.Contains(out, []byte("is whole")) {
		t.Errorf("%s", out)
	}
	restored := filepath.Join(folder, "b")
	mustCommand(t, "restore", "--from", file, "--data-dir", restored)
	if err := os.Rename(dir+".siem-addr", restored+".siem-addr"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"master.key", "admin.pat", "admin.access-key"} {
		was, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		is, err := os.ReadFile(filepath.Join(restored, name))
		info, statErr := os.Stat(filepath.Join(restored, name))
		if err != nil || statErr != nil || !bytes.Equal(was, is) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, %v", name, err, statErr, info)
		}
	}
	var ids []string
	for id := range o.acknowledged {
		ids = append(ids, id)
	}
	wantAll(t, restored, ids)
}
