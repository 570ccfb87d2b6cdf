// Package require lets a test ask for what not every machine has.
package require

import (
	"os"
	"os/exec"
	"testing"
)

// Program gives the path of a program that the test needs. Where it is not installed the test is skipped, naming the
// command that installs it; with TRAILHOOK_REQUIRE=all in the environment the test fails instead, so that a run that is
// to prove everything cannot pass by leaving things out.
func Program(tb testing.TB, name, install string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("TRAILHOOK_REQUIRE") == "all" {
		tb.Fatalf("%s is not installed and TRAILHOOK_REQUIRE=all: %s", name, install)
	}
	tb.Skipf("%s is not installed: %s", name, install)
	return ""
}
