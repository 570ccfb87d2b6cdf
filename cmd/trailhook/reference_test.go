package main

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/manual"
)

var update = flag.Bool("update", false, "write the reference of the command line anew")

const referenceFile = "../../docs/command-line.md"

// definitions are those of the command line.
func definitions() manual.Command {
	return commandLine(context.Background(), streams{})
}

func TestTheReferenceOfTheCommandLineIsUpToDate(t *testing.T) {
	made := manual.Page(definitions(), "go test ./cmd/trailhook -run Reference -update")
	if *update {
		if err := os.WriteFile(referenceFile, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), made); diff != "" {
		t.Errorf("make it anew with go test ./cmd/trailhook -run Reference -update (-written +made):\n%s", diff)
	}
}

func TestEveryCommandAndFlagIsExplained(t *testing.T) {
	for _, c := range definitions().All() {
		if c.Help == "" {
			t.Errorf("%s has no help", c.Name())
		}
		for _, f := range c.Flags {
			if f.Help == "" {
				t.Errorf("%s: --%s has no help", c.Name(), f.Name)
			}
		}
	}
}
