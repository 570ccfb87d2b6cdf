package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A person makes a token for a service, the service records an event of its own,
// and the event is found by a search like every other.
func TestAServicesEventIsRecordedDeliveredAndFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	p.connect()
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	create := exec.Command(os.Args[0], "token", "create", "--data-dir", dir, "--system-account", "billing", "--role", "audit-events-writer", "--expires", "1d")
	create.Env, create.Stderr = append(os.Environ(), asTrailhook+"=1"), &complaint
	token, err := create.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaint)
	}

	p = serve(t, dir)
	event := fmt.Sprintf(`{"type":"authorization","ts":%q,"service":"billing","resource":"invoices","action":"delete","granted":false,"trace_id":"4242"}`,
		time.Now().UTC().Format(time.RFC3339Nano))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.apiURL+"/trailhook/v1/events", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, body, err := exchange(req)
	must(t, 201, resp, body, err)
	eventually(t, "the event is found", func() bool {
		found := p.search("_source=Konnect trace_id=4242")
		return len(found) == 1 && found[0].Name == "Authz.invoices" && found[0].Signature == "valid"
	})
	if strings.Contains(p.log.String(), "spat_") {
		t.Error("the log holds a token")
	}
}
