package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asTrailhook makes the test's own binary run as trailhook: the real command
// line in a process of its own, built with the race detector where the test is.
const asTrailhook = "TRAILHOOK_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asTrailhook) != "" {
		os.Exit(run())
	}
	testscript.Main(m, map[string]func(){
		"trailhook": func() { os.Exit(run()) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			// The temporary folders of a command belong to its test.
			env.Setenv("TMPDIR", env.WorkDir)
			return nil
		},
	})
}
