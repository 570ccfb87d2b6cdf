package server

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/journal"
)

func TestReadyzWarnsOfAJournalThatIsNearlyFull(t *testing.T) {
	config := Config{
		DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test",
		Logger: slog.New(slog.DiscardHandler), JournalMaxBytes: 200_000,
	}
	s, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if answer := readyz(t, s); answer != "ready\nbroker: ok\ndisk: ok\nregistry: ok\njournal: ok\n" {
		t.Errorf("with an empty journal: %q", answer)
	}
	fillJournal(t, s.platform.journal)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}

	// The journal looks at how full it is at its start, and seldom afterwards.
	s, err = Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	limit, tick := time.After(time.Minute), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		answer := readyz(t, s)
		if strings.HasPrefix(answer, "ready\n") && strings.Contains(answer, "\njournal: warning: the journal holds ") && strings.Contains(answer, " of 200000 bytes") {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("with a full journal: %q", answer)
		}
	}
}

// readyz is the answer, which is one of success: a nearly full journal does not
// take the process out of service.
func readyz(t *testing.T, s *Server) string {
	t.Helper()
	response, err := http.Get(s.OpsURL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("/readyz: %s, %v: %s", response.Status, err, body)
	}
	return string(body)
}

func fillJournal(t *testing.T, j *journal.Journal) {
	t.Helper()
	event := audit.Event{
		Kind: audit.Authorization, Time: time.Now(), Product: audit.ProductKonnect, OrgID: "org",
		Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
	for range 2000 {
		event.TraceID++
		err := j.Append(t.Context(), "us", event)
		if errors.Is(err, journal.ErrFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the journal does not become full")
}
