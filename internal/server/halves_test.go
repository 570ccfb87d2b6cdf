package server

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The halves meet only at the webhook.
func TestNeitherHalfImportsTheOther(t *testing.T) {
	const internal = "github.com/trailhook/trailhook/internal/"
	platform := []string{"registry", "journal", "konnect", "ingest", "delivery", "gateway", "entity"}
	siem := []string{"collector", "search", "search/duckdb", "search/clickhouse", "jobs", "alert", "sumo", "console"}
	check := func(half, other []string) {
		for _, name := range half {
			out, err := exec.Command("go", "list", "-deps", internal+name).CombinedOutput()
			if err != nil {
				t.Fatalf("go list %s: %v\n%s", name, err, out)
			}
			for _, dep := range strings.Fields(string(out)) {
				if slices.Contains(other, strings.TrimPrefix(dep, internal)) {
					t.Errorf("%s imports %s", name, dep)
				}
			}
		}
	}
	check(platform, siem)
	check(siem, platform)
}
