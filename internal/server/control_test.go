package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/backup"
	"github.com/trailhook/trailhook/internal/control"
)

func askBackup(t *testing.T, s *Server) *http.Response {
	t.Helper()
	response, err := control.Client(s.config.DataDir).Post("http://trailhook/backup", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestARunningServerMakesOneBackupAtATime(t *testing.T) {
	s := startBoth(t)
	s.control.backup.Lock()
	response := askBackup(t, s)
	why, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusConflict || !strings.Contains(string(why), "already") {
		t.Errorf("while one is made: %s: %s", response.Status, why)
	}
	s.control.backup.Unlock()
	response = askBackup(t, s)
	m, err := backup.Check(response.Body)
	if err != nil || !m.MasterKey || m.Version != "test" {
		t.Errorf("%+v, %v", m, err)
	}
	names := map[string]bool{}
	for _, e := range m.Entries {
		names[e.Name] = true
	}
	for _, name := range []string{"files/master.key", "files/tls/ca.key", "store/search.duckdb", "streams/JOURNAL/about.json", "streams/INTAKE/about.json", "streams/KV_users/about.json"} {
		if !names[name] {
			t.Errorf("no %s among %v", name, names)
		}
	}
}

// Whoever asked for a backup may go away in the middle of it: then there is none, and
// everything goes on.
func TestAServerGoesOnWhenWhoReadsItsBackupGoesAway(t *testing.T) {
	s := startBoth(t)
	askBackup(t, s).Body.Close()
	s.control.backup.Lock() // it has been given up, or was done
	status, told := askReady(t, s)
	s.control.backup.Unlock()
	if status != http.StatusOK {
		t.Errorf("%d: %+v", status, told)
	}
	s.siem.indexer.KeepIntake()() // nobody holds it
	if m, err := backup.Check(askBackup(t, s).Body); err != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestAServerThatStopsGivesUpItsSocket(t *testing.T) {
	s := startBoth(t)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Client(s.config.DataDir).Post("http://trailhook/backup", "", nil); err == nil {
		t.Error("it answers")
	}
}
