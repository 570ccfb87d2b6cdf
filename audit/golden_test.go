package audit_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The golden files are the promise that a line once written is written the same for ever: a change of one is a change
// of the format.
func TestEventsAreWrittenAsTheGoldenFilesHaveThem(t *testing.T) {
	signer, keys := audit.NewSigner(testKey()), testKeys(t)
	for _, s := range samples() {
		for _, f := range formats {
			t.Run(s.name+"."+string(f), func(t *testing.T) {
				line := signer.AppendLine(nil, f, &s.event)
				checkGolden(t, filepath.Join("testdata", "golden", s.name+"."+string(f)), append(line, '\n'))
				if verdict, kid := keys.Verify(line); verdict != audit.Valid || kid != signer.KeyID() {
					t.Errorf("the line verifies as %v by %q", verdict, kid)
				}
				decoded, err := audit.Decode(line)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(written(s.event, f), decoded.Event); diff != "" {
					t.Errorf("the line decodes to another event (-want +got):\n%s", diff)
				}
				if decoded.Format != f || len(decoded.Signature) != 64 || decoded.Extra != nil {
					t.Errorf("decoded format %q, %d bytes of signature, extra %v", decoded.Format, len(decoded.Signature), decoded.Extra)
				}
			})
		}
	}
}

func checkGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s has\n%s\nthe encoder writes\n%s", path, want, got)
	}
}

// tutorialLine was written and signed by Kong, and published in its tutorial on audit logs.
const tutorialLine = `2025-06-18T21:02:36Z konghq.com CEF:0|KongInc|Konnect|1.0|konnect|Authz.control-planes|1|` +
	`rt=1750280466889 src=127.0.0.6 action=list granted=true org_id=777db3e4-5cb7-4dd5-b51c-9878096a6999 ` +
	`principal_id=eb999f01-5976-4f4b-9fbc-dd5d514bd675 trace_id=3959872677347089807 user_agent=grpc-node-js/1.12.4`

const tutorialSignature = `KbLaBhQFnggT_8CyC95b777R1_fGvvLVDn7awjZK8eZLdGPrSvnS-sxJw63j930eKr-VTsQv8-TQTD_GVmAPAQ`

func TestTheTutorialsLineDecodesAndEncodesBackToTheSameBytes(t *testing.T) {
	line := tutorialLine + " sig=" + tutorialSignature
	decoded, err := audit.Decode([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	want := audit.Event{
		Kind: audit.Authorization, Time: sampleTime, Stamp: sampleTime.Add(90_000_000_000).Truncate(1_000_000_000),
		Product: audit.ProductKonnect, Source: "127.0.0.6",
		OrgID: "777db3e4-5cb7-4dd5-b51c-9878096a6999", PrincipalID: "eb999f01-5976-4f4b-9fbc-dd5d514bd675",
		TraceID: 3959872677347089807, UserAgent: "grpc-node-js/1.12.4",
		Service: "konnect", Resource: "control-planes", Action: "list", Granted: true,
	}
	if diff := cmp.Diff(want, decoded.Event); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if got := encode(audit.CEF, decoded.Event); string(got) != tutorialLine {
		t.Errorf("encoded back:\n%s\nwant\n%s", got, tutorialLine)
	}
	signed, signature, ok := audit.SignedPart([]byte(line))
	if !ok || string(signed) != tutorialLine || !bytes.Equal(signature, decoded.Signature) {
		t.Errorf("the signed part is %q, ok %v", signed, ok)
	}
}
