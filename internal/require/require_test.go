package require_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/require"
)

// recorder is a test that writes down how it would have ended.
type recorder struct {
	testing.TB
	end string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) {
	r.end = "skipped: " + fmt.Sprintf(format, args...)
	panic(r)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.end = "failed: " + fmt.Sprintf(format, args...)
	panic(r)
}

func endOf(name string) (path, end string) {
	r := &recorder{}
	defer func() {
		if recover() != nil {
			end = r.end
		}
	}()
	return require.Program(r, name, "apt-get install nothing"), ""
}

func TestAProgramThatIsThereIsFound(t *testing.T) {
	if path, end := endOf("go"); path == "" || end != "" {
		t.Errorf("path %q, %s", path, end)
	}
}

func TestATestIsSkippedWithoutItsProgramUnlessAllIsRequired(t *testing.T) {
	for required, want := range map[string]string{"": "skipped: ", "some": "skipped: ", "all": "failed: "} {
		t.Setenv("TRAILHOOK_REQUIRE", required)
		_, end := endOf("no-such-program-of-trailhook")
		if !strings.HasPrefix(end, want) || !strings.Contains(end, "apt-get install nothing") {
			t.Errorf("TRAILHOOK_REQUIRE=%q: %q", required, end)
		}
	}
}
