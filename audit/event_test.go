package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/audit"
)

func TestClassNameSeverityAndSuccessFollowTheTable(t *testing.T) {
	authentication := func(o audit.Outcome) audit.Event {
		return audit.Event{Kind: audit.Authentication, AuthType: audit.AuthPAT, Outcome: o}
	}
	authorization := func(granted bool) audit.Event {
		return audit.Event{Kind: audit.Authorization, Service: "konnect", Resource: "control-planes/{id}", Granted: granted}
	}
	access := func(status int) audit.Event { return audit.Event{Kind: audit.Access, Status: status} }
	for _, c := range []struct {
		event       audit.Event
		class, name string
		severity    int
		success     bool
	}{
		{authentication(audit.OutcomeSuccess), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_SUCCESS", 0, true},
		{authentication(audit.OutcomeNotFound), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_NOT_FOUND", 1, false},
		{authentication(audit.OutcomeInvalidPassword), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_INVALID_PASSWORD", 1, false},
		{authentication(audit.OutcomeTokenExpired), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_TOKEN_EXPIRED", 1, false},
		{authentication(audit.OutcomeLocked), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_LOCKED", 6, false},
		{authentication(audit.OutcomeDisabled), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_DISABLED", 6, false},
		{authentication(audit.OutcomeInvalid), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_INVALID", 7, false},
		{authentication("NEW"), "AUTHENTICATION_TYPE_PAT", "AUTHENTICATION_OUTCOME_NEW", 7, false},
		{authorization(true), "konnect", "Authz.control-planes/{id}", 1, true},
		{authorization(false), "konnect", "Authz.control-planes/{id}", 6, false},
		{access(200), "KongGateway", "Ingress", 1, true},
		{access(399), "KongGateway", "Ingress", 1, true},
		{access(400), "KongGateway", "Ingress", 1, false},
		{access(401), "KongGateway", "Ingress", 6, false},
		{access(403), "KongGateway", "Ingress", 6, false},
		{access(404), "KongGateway", "Ingress", 1, false},
		{access(499), "KongGateway", "Ingress", 1, false},
		{access(500), "KongGateway", "Ingress", 10, false},
		{access(503), "KongGateway", "Ingress", 10, false},
		{audit.Event{}, "", "", 0, false},
	} {
		e := c.event
		if e.Class() != c.class || e.Name() != c.name || e.Severity() != c.severity || e.Success() != c.success {
			t.Errorf("%+v: got %q %q %d %v, want %q %q %d %v",
				e, e.Class(), e.Name(), e.Severity(), e.Success(), c.class, c.name, c.severity, c.success)
		}
	}
}

func TestKindsAndFormatsAreReadByTheNamesThatTheyAreWrittenWith(t *testing.T) {
	for _, k := range []audit.Kind{audit.Authentication, audit.Authorization, audit.Access} {
		text, err := k.MarshalText()
		if err != nil || string(text) != k.String() {
			t.Errorf("%v is written as %q, %v", k, text, err)
		}
		var back audit.Kind
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Errorf("%q is read as %v, %v", text, back, err)
		}
	}
	for _, f := range formats {
		if back, err := audit.ParseFormat(string(f)); err != nil || back != f {
			t.Errorf("%q is read as %q, %v", f, back, err)
		}
	}
}

func TestUnknownKindsAndFormatsAreErrors(t *testing.T) {
	for _, k := range []audit.Kind{0, 4, 255} {
		if _, err := k.MarshalText(); err == nil {
			t.Errorf("%v was written", k)
		}
	}
	for _, text := range []string{"", "Access", "kind 0", "gateway_access"} {
		var k audit.Kind
		if err := k.UnmarshalText([]byte(text)); err == nil || k != 0 {
			t.Errorf("kind %q was read as %v", text, k)
		}
		if f, err := audit.ParseFormat(text); err == nil {
			t.Errorf("format %q was read as %q", text, f)
		}
	}
}

func TestSamplesAreValid(t *testing.T) {
	for _, s := range samples() {
		if err := s.event.Validate(); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	const authentication, authorization, access = 0, 2, 3
	full := fullSamples()
	for _, c := range []struct {
		from   int
		change func(*audit.Event)
		want   string
	}{
		{access, func(e *audit.Event) { e.Kind = 0 }, "kind 0"},
		{access, func(e *audit.Event) { e.Kind = 9 }, "kind 9"},
		{access, func(e *audit.Event) { e.Time = time.Time{} }, "time"},
		{access, func(e *audit.Event) { e.Time = time.UnixMilli(-1) }, "time"},
		{access, func(e *audit.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "time"},
		{access, func(e *audit.Event) { e.Stamp = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) }, "stamp"},
		{access, func(e *audit.Event) { e.Product = "Insomnia" }, `product "Insomnia"`},
		{access, func(e *audit.Event) { e.TraceID = 1 << 63 }, "63 bits"},
		{access, func(e *audit.Event) { e.Status = 99 }, "status 99"},
		{access, func(e *audit.Event) { e.Status = 1000 }, "status 1000"},
		{authentication, func(e *audit.Event) { e.AuthType = "pat" }, `type "pat"`},
		{authentication, func(e *audit.Event) { e.AuthType = "" }, `type ""`},
		{authentication, func(e *audit.Event) { e.Outcome = "FAILED" }, `outcome "FAILED"`},
		{authorization, func(e *audit.Event) { e.Service = "" }, "service"},
		{authorization, func(e *audit.Event) { e.Resource = "" }, "resource"},
	} {
		e := full[c.from].event
		c.change(&e)
		if err := e.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error that names %q, got %v", c.want, err)
		}
	}
}

func TestAnEmptyProductIsKonnectAndAnUnknownFormatIsCEF(t *testing.T) {
	e := fullSamples()[0].event
	named := encode(audit.CEF, e)
	e.Product = ""
	if got := encode("syslog", e); string(got) != string(named) {
		t.Errorf("got\n%s\nwant\n%s", got, named)
	}
}

func TestLinesAreAppended(t *testing.T) {
	e := fullSamples()[2].event
	signer := audit.NewSigner(testKey())
	for _, f := range formats {
		alone := signer.AppendLine(nil, f, &e)
		if got := signer.AppendLine([]byte("before\n"), f, &e); string(got) != "before\n"+string(alone) {
			t.Errorf("%s: after something else the line is %q, alone %q", f, got, alone)
		}
		unsigned := audit.AppendUnsigned(nil, f, &e)
		if got := audit.AppendUnsigned([]byte("before\n"), f, &e); string(got) != "before\n"+string(unsigned) {
			t.Errorf("%s: after something else the unsigned line is %q, alone %q", f, got, unsigned)
		}
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	room := make([]byte, 0, 16<<10)
	for _, s := range samples() {
		for _, f := range formats {
			if n := testing.AllocsPerRun(20, func() { audit.AppendUnsigned(room, f, &s.event) }); n != 0 {
				t.Errorf("%s in %s: %v allocations", s.name, f, n)
			}
		}
	}
}
