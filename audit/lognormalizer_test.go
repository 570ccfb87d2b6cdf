package audit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/require"
)

const rulebase = `version=2
rule=:%stamp:word% %host:word% %f:cef%
`

// normalized is what lognormalizer makes of a line.
type normalized struct {
	Unparsed string `json:"unparsed-data"`
	Stamp    string `json:"stamp"`
	Host     string `json:"host"`
	CEF      struct {
		DeviceVendor, DeviceProduct, DeviceVersion, SignatureID, Name, Severity string
		Extensions                                                              map[string]string
	} `json:"f"`
}

func TestLognormalizerReadsOurLinesAsWeDo(t *testing.T) {
	program := require.Program(t, "lognormalizer", "apt-get install liblognorm-utils")
	lines := goldenCEF(t)
	for i, got := range normalize(t, program, lines) {
		if got.Unparsed != "" {
			t.Errorf("not understood from here on: %s", got.Unparsed)
			continue
		}
		if diff := cmp.Diff(wantNormalized(t, lines[i]), got); diff != "" {
			t.Errorf("read differently (-ours +lognormalizer's):\n%s\n%s", diff, lines[i])
		}
	}
}

func goldenCEF(t *testing.T) (lines [][]byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "golden", "*.cef"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, bytes.TrimSuffix(data, []byte("\n")))
	}
	return append(lines, []byte(tutorialLine+" sig="+tutorialSignature))
}

func normalize(t *testing.T, program string, lines [][]byte) []normalized {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "cef.rulebase")
	if err := os.WriteFile(rules, []byte(rulebase), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-r", rules, "-e", "json")
	command.Stdin = bytes.NewReader(append(bytes.Join(lines, []byte("\n")), '\n'))
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("lognormalizer: %v\n%s", err, &errs)
	}
	answers := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(answers) != len(lines) {
		t.Fatalf("lognormalizer found %d lines in %d\n%s", len(answers), len(lines), out)
	}
	results := make([]normalized, len(lines))
	for i, answer := range answers {
		if err := json.Unmarshal(answer, &results[i]); err != nil {
			t.Fatalf("%v\n%s", err, answer)
		}
	}
	return results
}

func wantNormalized(t *testing.T, line []byte) (want normalized) {
	t.Helper()
	ours, err := audit.ParseCEF(line)
	if err != nil {
		t.Fatal(err)
	}
	want.Stamp, _, _ = strings.Cut(string(line), " ")
	want.Host = ours.Host
	want.CEF.DeviceVendor, want.CEF.DeviceProduct, want.CEF.DeviceVersion = ours.Vendor, ours.Product, ours.DeviceVersion
	want.CEF.SignatureID, want.CEF.Name, want.CEF.Severity = ours.Class, ours.Name, ours.Severity
	want.CEF.Extensions = map[string]string{}
	for i, field := range ours.Extensions {
		if i == 0 {
			field.Name = field.Name[1:] // lognormalizer 2.0.6 loses the first letter of the first key
		}
		want.CEF.Extensions[field.Name] = field.Value
	}
	return want
}
