package collector

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

func TestASyslogMessageBecomesARecordWithItsFields(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	header := func(more ...string) map[string]string {
		fields := map[string]string{"facility": "local0", "syslog_severity": "notice"}
		for i := 0; i < len(more); i += 2 {
			fields[more[i]] = more[i+1]
		}
		return fields
	}
	acme := func(more ...string) map[string]string {
		return header(append(more, "vendor", "Acme", "product", "Wall", "class", "7", "name", "blocked", "severity", "5", "src", "10.0.0.1")...)
	}
	const cef = "CEF:0|Acme|Wall|2|7|blocked|5|src=10.0.0.1"
	for _, test := range []struct {
		name, line string
		time       time.Time
		host       string
		fields     map[string]string
	}{
		{"RFC 5424", "<133>1 2026-02-03T05:05:06.5+01:00 web-1 nginx 42 GET - it works", at.Add(500 * time.Millisecond), "web-1", header("app", "nginx", "proc", "42", "msgid", "GET")},
		{"RFC 5424 with nothing", "<133>1 - - - - - -", receipt(), "peer", header()},
		{"RFC 5424 with data", `<133>1 2026-02-03T04:05:06Z h a - - [x@1 k="v \"\\\]" l=""][y m="n"] text`, at, "h",
			header("app", "a", "x@1.k", `v "\]`, "x@1.l", "", "y.m", "n")},
		{"RFC 5424 with data that is malformed", `<133>1 2026-02-03T04:05:06Z h a - - [x k=v] text`, at, "h", header("app", "a")},
		{"RFC 5424 with a byte order mark", "<133>1 2026-02-03T04:05:06Z h a - - - \uFEFF" + cef, at, "h", acme("app", "a")},
		{"RFC 5424 around JSON", `<133>1 2026-02-03T04:05:06Z h a - - - {"k":"v"}`, at, "h", header("app", "a", "k", "v")},
		{"RFC 3164", "<133>Feb  3 04:05:06 web-1 sshd[42]: it works", at, "web-1", header("app", "sshd", "proc", "42")},
		{"RFC 3164 with a year", "<133>Feb 3 2026 04:05:06 web-1 app: it works", at, "web-1", header("app", "app")},
		{"RFC 3164 with a time of today's", "<133>2026-02-03T04:05:06Z web-1 app: it works", at, "web-1", header("app", "app")},
		{"RFC 3164 without a host", "<133>Feb  3 04:05:06 app[1]: it works", at, "peer", header("app", "app", "proc", "1")},
		{"RFC 3164 without a tag", "<133>Feb  3 04:05:06 web-1 it works: always", at, "web-1", header()},
		{"RFC 3164 without a time", "<133>app: it works", receipt(), "peer", header("app", "app")},
		{"RFC 3164 of last December", "<133>Dec 31 04:05:06 h a: b", time.Date(2025, 12, 31, 4, 5, 6, 0, time.UTC), "h", header("app", "a")},
		{"only a priority", "<133>", receipt(), "peer", header()},
		{"CEF behind a header", "<133>Feb  3 04:05:06 fw " + cef, at, "fw", acme()},
		{"CEF behind a tag", "<133>Feb  3 04:05:06 fw cef: " + cef, at, "fw", acme("app", "cef")},
		{"CEF behind a priority", "<133>" + cef, receipt(), "peer", acme()},
		{"JSON behind a priority", `<133>{"k":"v"}`, receipt(), "peer", header("k", "v")},
		{"JSON behind a tag and a cookie", `<133>Feb  3 04:05:06 h a: @cee: {"k":"v"}`, at, "h", header("app", "a", "k", "v")},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRecord(Origin{ReceivedAt: receipt(), Host: "peer"}, []byte(test.line))
			if r.Raw != test.line || r.ParseError != "" {
				t.Errorf("raw %q, parse error %q", r.Raw, r.ParseError)
			}
			if !r.Time.Equal(test.time) || r.Host != test.host {
				t.Errorf("time %s, host %q", r.Time, r.Host)
			}
			if diff := cmp.Diff(test.fields, fieldMap(r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatOnlyLooksLikeSyslogIsAnOrdinaryLine(t *testing.T) {
	for _, line := range []string{"<", "<>", "<a>", "<192>x", "<event>", "<-1>x", "< 1>x", "<0000>x"} {
		r := newRecord(Origin{ReceivedAt: receipt()}, []byte(line))
		if r.ParseError != noForm || len(r.Fields) > 0 {
			t.Errorf("%s: %q %v", line, r.ParseError, r.Fields)
		}
	}
}

func TestASignatureVerifiesWhereverALineIsPutIntoASyslogMessage(t *testing.T) {
	signer := newSigner(1)
	keys := keySet(t, signer)
	cef := signed(signer, audit.CEF, nil)
	for _, header := range []string{
		"", "<134>", "<134>1 2026-06-18T21:02:36Z h a p m - ", `<134>1 - h a p m [x k="CEF:"] `, "<134>1 - - - - - - \uFEFF",
		"<134>Jun 18 21:02:36 h ", "<134>Jun 18 21:02:36 h konnect: ", "<134>Jun 18 21:02:36 h konnect[1]: ", "<134>2026-06-18T21:02:36Z h app: ", "<134>konnect: ",
	} {
		lines := []string{cef}
		if header != "" {
			lines = append(lines, signed(signer, audit.JSON, nil), signed(signer, audit.CPS, nil))
		}
		for _, line := range lines {
			origin := Origin{ReceivedAt: receipt()}
			message := []byte(header + line)
			if verdict, _ := keys.Verify(origin.payload(message)); verdict != audit.Valid {
				t.Errorf("%s: %s", message, verdict)
			}
			if r := newRecord(origin, message); r.ParseError != "" || fieldMap(r)["org_id"] == "" {
				t.Errorf("%s: %q, %v", message, r.ParseError, r.Fields)
			}
		}
	}
}

func TestNothingForgedIsShownBesideAGenuineSignature(t *testing.T) {
	signer := newSigner(1)
	keys := keySet(t, signer)
	genuine := signed(signer, audit.CEF, nil)
	const forged = "2026-06-18T21:02:36Z konghq.com CEF:0|KongInc|Konnect|1.0|konnect|Authz.forged|1|rt=1 principal_id=forged"
	for _, message := range []string{
		"<134>" + forged + " " + genuine, "<134>1 - h a p m - " + forged + " " + genuine,
		"<134>Jun 18 21:02:36 h app: " + forged + " msg=" + genuine, `<134>1 - h a p m [x k="` + forged + `"] ` + genuine,
		"<134>Jun 18 21:02:36 h CEF:0|KongInc|Konnect|1.0|konnect|Authz.forged|1|rt=1 a=b " + genuine,
	} {
		origin := Origin{ReceivedAt: receipt()}
		verdict, _ := keys.Verify(origin.payload([]byte(message)))
		fields := fieldMap(newRecord(origin, []byte(message)))
		if verdict == audit.Valid && (fields["principal_id"] == "forged" || strings.Contains(fields["name"], "forged")) {
			t.Errorf("%s: %s with %v", message, verdict, fields)
		}
	}
}

func FuzzUnwrapSyslog(f *testing.F) {
	f.Add([]byte(`<133>1 2026-02-03T04:05:06Z h a - - [x@1 k="v \"\\\]" l=""][y m="n"] text`))
	f.Add([]byte("<133>Feb  3 04:05:06 web-1 sshd[42]: it works"))
	f.Add([]byte("<133>Feb 3 2026 04:05:06 h 2026-02-03T04:05:06Z konghq.com CEF:0|a|b|c|d|e|1|f=g"))
	f.Fuzz(func(t *testing.T, line []byte) {
		payload, w := unwrapSyslog(line, receipt())
		if !bytes.HasSuffix(line, payload) {
			t.Fatalf("%q is no end of %q", payload, line)
		}
		if w.plain && len(payload) == len(line) {
			t.Fatalf("%q has a header of no length", line)
		}
		r := newRecord(Origin{ReceivedAt: receipt()}, line)
		if r.Raw != string(line) {
			t.Fatalf("%q became %q", line, r.Raw)
		}
	})
}
