package quickstart

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTheExportsAreThoseOfTheTutorial(t *testing.T) {
	const token = "kpat_0123456789"
	for name, test := range map[string]struct {
		exports Exports
		want    string
	}{
		"the shell has the token": {
			Exports{Token: token, TokenInEnvironment: true, API: "https://us.api.konghq.com", Proxy: "http://localhost:8000"},
			"export DECK_KONNECT_TOKEN=$KONNECT_TOKEN\n" +
				"export DECK_KONNECT_CONTROL_PLANE_NAME=quickstart\n" +
				"export KONNECT_CONTROL_PLANE_URL=https://us.api.konghq.com\n" +
				"export KONNECT_PROXY_URL='http://localhost:8000'\n",
		},
		"the shell has not, and decK is to be used": {
			Exports{Token: token, API: "https://127.0.0.1:8080", Proxy: "http://localhost:8000", DeckAddress: "https://us.api.konghq.localhost:8080"},
			"export DECK_KONNECT_TOKEN='kpat_0123456789'\n" +
				"export DECK_KONNECT_CONTROL_PLANE_NAME=quickstart\n" +
				"export KONNECT_CONTROL_PLANE_URL=https://127.0.0.1:8080\n" +
				"export KONNECT_PROXY_URL='http://localhost:8000'\n" +
				"export DECK_KONNECT_ADDR=https://us.api.konghq.localhost:8080\n",
		},
		"a token that sh would take apart": {
			Exports{Token: "a b", TokenInEnvironment: true, API: "http://[::1]:8080", Proxy: "http://localhost:8000"},
			"export DECK_KONNECT_TOKEN='a b'\n" +
				"export DECK_KONNECT_CONTROL_PLANE_NAME=quickstart\n" +
				"export KONNECT_CONTROL_PLANE_URL='http://[::1]:8080'\n" +
				"export KONNECT_PROXY_URL='http://localhost:8000'\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.exports.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestShReadsTheExportsAsTheyWereMeantWhateverTheyHold(t *testing.T) {
	const checks = 25 // each starts a shell
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		if seen++; seen > checks {
			return
		}
		word := rapid.StringMatching(`[ -~\n]{0,40}[!-~]`)
		e := Exports{Token: word.Draw(t, "token"), API: word.Draw(t, "api"), Proxy: word.Draw(t, "proxy"), DeckAddress: word.Draw(t, "deck")}
		script := e.String() + `printf '%s\0' "$DECK_KONNECT_TOKEN" "$KONNECT_CONTROL_PLANE_URL" "$KONNECT_PROXY_URL" "$DECK_KONNECT_ADDR"`
		out, err := exec.Command("sh", "-c", script).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s\n%s", err, out, script)
		}
		want := strings.Join([]string{e.Token, e.API, e.Proxy, e.DeckAddress, ""}, "\x00")
		if diff := cmp.Diff(want, string(out)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
