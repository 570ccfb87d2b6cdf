package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
)

// What ClickHouse keeps is there once, whichever of the two is killed.
func TestLinesInClickHouseAreThereOnceAfterKillingEither(t *testing.T) {
	t.Parallel()
	database := clickhousetest.Start(t)
	address := strings.Replace(database.Database(t), "//", "//guarded:secret-word@", 1)
	dataDir := t.TempDir()
	p := serve(t, dataDir, "--search", address)
	p.connect()
	actions := 0
	act := func() {
		t.Helper()
		actions++
		resp, answer, err := p.api(t.Context(), "POST", "/v2/control-planes", fmt.Sprintf(`{"name": "plane %d"}`, actions))
		must(t, 201, resp, answer, err)
	}
	found := func() {
		t.Helper()
		query := `kind=access act=POST request="/v2/control-planes" status=201 _signature=valid`
		eventually(t, "every call is found", func() bool { return len(p.search(query)) >= actions })
		seen := map[string]bool{}
		for _, r := range p.search(query) {
			seen[r.Trace] = true
		}
		if n := len(p.search(query)); n != actions || len(seen) != actions {
			t.Errorf("found %d of %d calls, %d different", n, actions, len(seen))
		}
	}
	act()
	found()

	p.end(syscall.SIGKILL)
	first := p.log.String()
	p = serve(t, dataDir, "--search", address)
	act()
	found()

	database.Kill()
	act()
	eventually(t, "the store is missed", func() bool { return strings.Contains(p.log.String(), "lines cannot be indexed") })
	database.Restart(t)
	found()
	if log := first + p.log.String(); strings.Contains(log, "secret-word") {
		t.Errorf("the log has the password:\n%s", log)
	}
}
