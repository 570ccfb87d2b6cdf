package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/require"
)

// bash runs a script with the real curl and returns what it prints.
func bash(t *testing.T, script string, env ...string) string {
	t.Helper()
	require.Program(t, "curl", "apt-get install curl")
	shell := require.Program(t, "bash", "apt-get install bash")
	cmd := exec.CommandContext(t.Context(), shell, "-euo", "pipefail", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), env...)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s\nof the script\n%s", err, &out, &complaints, script)
	}
	return out.String()
}

func port(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// The commands of Kong's tutorial, word for word but for the host names.
func TestTheTutorialsCommandsWork(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/tutorial.sh")
	if err != nil {
		t.Fatal(err)
	}
	p := serve(t, t.TempDir(), "--tls", "auto")
	ca := filepath.Join(p.dataDir, "tls", "ca.crt")
	id, key := p.accessKey()
	endpoint := strings.TrimSpace(bash(t, fmt.Sprintf(`
		curl -sS --fail-with-body -u %[1]s:%[2]s --json '{"collector": {"collectorType": "Hosted", "name": "Konnect"}}' %[3]s/api/v1/collectors >/dev/null
		curl -sS --fail-with-body -u %[1]s:%[2]s --json '{"source": {"sourceType": "HTTP", "name": "Konnect", "trailhook": {"requireAccessKey": true}}}' %[3]s/api/v1/collectors/1/sources |
			sed -n 's/.*"url":"\([^"]*\)".*/\1/p'`, id, key, p.siemURL), "CURL_CA_BUNDLE="+ca))

	here := regexp.MustCompile(`https://(\w+)\.api\.konghq\.com`).
		ReplaceAllString(string(script), "https://$1.api.localhost:"+port(t, p.apiURL))
	bash(t, here, "CURL_CA_BUNDLE="+ca, "KONNECT_TOKEN="+p.token(), "SIEM_ENDPOINT="+endpoint, "SIEM_TOKEN="+key)

	search := fmt.Sprintf(`curl -sS --fail-with-body -u %s:%s --get --data-urlencode 'query=_source=Konnect name=Authz.control-planes' %s/trailhook/v1/search`, id, key, p.siemURL)
	var found string
	eventually(t, "the line of the call is found", func() bool {
		found = bash(t, search, "CURL_CA_BUNDLE="+ca)
		return found != ""
	})
	line := regexp.MustCompile(`"_raw":"(\S+ konghq\.com CEF:0\|KongInc\|Konnect\|1\.0\|konnect\|Authz\.control-planes\|1\|rt=\d{13} src=\S+ action=list granted=true org_id=[0-9a-f-]{36} principal_id=[0-9a-f-]{36} trace_id=\d+ user_agent=curl/\S+ sig=[\w-]{86})"`)
	if !line.MatchString(found) || !strings.Contains(found, `"_signature":"valid"`) {
		t.Errorf("found:\n%s", found)
	}
}
