package konnect

import (
	"hash/crc32"
	"net/http"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestWhoIsNotKnownIsToldNothingElse(t *testing.T) {
	w := newWorld(t)
	good := w.ours.admin()
	neverIssued := "kpat_" + strings.Repeat("0", 43) + "000000"
	for _, test := range []struct {
		name          string
		authorization []string
		status        int
		how           audit.AuthType
		outcome       audit.Outcome
		principal     bool // is known
	}{
		{"a good token", []string{"Bearer " + good}, 200, audit.AuthPAT, audit.OutcomeSuccess, true},
		{"the same header twice", []string{"Bearer " + good, "Bearer " + good}, 200, audit.AuthPAT, audit.OutcomeSuccess, true},
		{"another case of the scheme", []string{"bearer " + good}, 200, audit.AuthPAT, audit.OutcomeSuccess, true},
		{"no header", nil, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"two tokens", []string{"Bearer " + good, "Bearer " + w.theirs.admin()}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"two tokens, one of them twice", []string{"Bearer " + good, "Bearer x", "Bearer " + good}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"another scheme", []string{"Basic " + good}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"no scheme", []string{good}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"no token", []string{"Bearer"}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"an empty header", []string{""}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"malformed", []string{"Bearer kpat_short"}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"cut", []string{"Bearer " + good[:len(good)-1]}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"two in one", []string{"Bearer " + good + ", Bearer " + good}, 401, audit.AuthInvalid, audit.OutcomeInvalid, false},
		{"never issued", []string{"Bearer " + withChecksum(neverIssued)}, 401, audit.AuthPAT, audit.OutcomeNotFound, false},
		{"never issued to a system account", []string{"Bearer " + withChecksum("s"+neverIssued[1:])}, 401, audit.AuthSPAT, audit.OutcomeNotFound, false},
		{"expired", []string{"Bearer " + w.ours.expired}, 401, audit.AuthPAT, audit.OutcomeTokenExpired, true},
	} {
		for _, method := range []string{"GET", "POST"} {
			q := request{method: method, target: "/v2/control-planes", header: http.Header{"Authorization": test.authorization}}
			status := test.status
			if method == "POST" && status == 200 {
				status = 400 // there is no body
			}
			a := w.call(q)
			if a.status != status {
				t.Errorf("%s: %s: status %d, want %d", test.name, method, a.status, status)
			}
			if a.status == 401 {
				a.problem(t)
				for _, value := range test.authorization {
					if _, token, _ := strings.Cut(value, " "); token != "" && strings.Contains(a.body, token) {
						t.Errorf("%s: the answer repeats what was sent: %s", test.name, a.body)
					}
				}
			}
			if len(a.events) == 0 {
				t.Fatalf("%s: %s left no event", test.name, method)
			}
			event := a.events[0]
			if event.Kind != audit.Authentication || event.AuthType != test.how || event.Outcome != test.outcome {
				t.Errorf("%s: recorded as %s %s %s, want %s %s", test.name, event.Kind, event.AuthType, event.Outcome, test.how, test.outcome)
			}
			if known := event.PrincipalID != "" && event.OrgID == w.ours.id; known != test.principal {
				t.Errorf("%s: principal %q of organization %q", test.name, event.PrincipalID, event.OrgID)
			}
		}
	}
}

func TestTheHostNamesTheRegion(t *testing.T) {
	for _, test := range []struct{ host, own, want string }{
		{"us.api.trailhook.example", "us", "us"},
		{"eu.api.trailhook.example", "us", "eu"},
		{"EU.API.trailhook.example:8443", "us", "eu"},
		{"eu.api.localhost:8080", "us", "eu"},
		{"global.api.trailhook.example", "us", "us"},
		{"global.api.trailhook.example", "sg", "sg"},
		{"lab.api.trailhook.example", "us", "us"},
		{"lab.api.trailhook.example", "lab", "lab"},
		{"eu.trailhook.example", "us", "us"},
		{"eu", "us", "us"},
		{"eu.api", "us", "us"},
		{"x.eu.api.trailhook.example", "us", "us"},
		{"localhost:8080", "us", "us"},
		{"127.0.0.1:8080", "us", "us"},
		{"[::1]:8080", "us", "us"},
		{"*.api.trailhook.example", "us", "us"},
		{"", "us", "us"},
	} {
		if got := regionOf(test.host, test.own); got != test.want {
			t.Errorf("%q on a server in %s: %q, want %q", test.host, test.own, got, test.want)
		}
	}
}

// withChecksum ends a token with the checksum of what comes before it.
func withChecksum(token string) string {
	const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	body := token[:len(token)-6]
	sum := crc32.ChecksumIEEE([]byte(body))
	var digits [6]byte
	for i := range digits {
		digits[len(digits)-1-i] = base62[sum%62]
		sum /= 62
	}
	return body + string(digits[:])
}
