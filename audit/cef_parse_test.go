package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
)

func TestParseCEFReadsSyslogHeadersOfManyForms(t *testing.T) {
	utc := func(year int) time.Time { return time.Date(year, 6, 8, 21, 2, 36, 0, time.UTC) }
	for _, c := range []struct {
		header string
		time   time.Time
		host   string
	}{
		{"", time.Time{}, ""},
		{"gw-1 ", time.Time{}, "gw-1"},
		{"2025-06-08T21:02:36Z konghq.com ", utc(2025), "konghq.com"},
		{"2025-06-08T21:02:36Z ", utc(2025), ""},
		{"2025-06-08T23:02:36+02:00 konghq.com ", utc(2025), "konghq.com"},
		{"2025-06-08T21:02:36.250Z konghq.com ", utc(2025).Add(250 * time.Millisecond), "konghq.com"},
		{"2025-06-08T21:02:36 konghq.com ", utc(2025), "konghq.com"},
		{"Jun  8 21:02:36 gw-1 ", utc(0), "gw-1"},
		{"Jun 08 21:02:36 gw-1 ", utc(0), "gw-1"},
		{"Jun 8 2025 21:02:36 gw-1 ", utc(2025), "gw-1"},
		{"<134>Jun  8 21:02:36 gw-1 ", utc(0), "gw-1"},
		{"<134>1 2025-06-08T21:02:36Z gw-1 trailhook 42 - - ", utc(2025), "gw-1"},
		{"<134>1 2025-06-08T21:02:36Z - - - - - ", utc(2025), ""},
		{"Jun  8 21:02:36 relay 2025-06-08T21:02:36Z konghq.com ", utc(0), "relay"},
		{"<134 ", time.Time{}, ""},
	} {
		got, err := audit.ParseCEF([]byte(c.header + "CEF:0|V|P|1|C|N|5|a=b"))
		if err != nil {
			t.Errorf("%q: %v", c.header, err)
			continue
		}
		want := audit.CEFLine{
			Time: c.time, Host: c.host, Vendor: "V", Product: "P", DeviceVersion: "1", Class: "C", Name: "N", Severity: "5",
			Extensions: []audit.Field{{Name: "a", Value: "b"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.header, diff)
		}
	}
}

func TestParseCEFReadsHeaders(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`CEF:0|V|P|1|C|N|5|`, "0 V P 1 C N 5"},
		{`CEF:0|V|P|1|C|N|5`, "0 V P 1 C N 5"},
		{`CEF:1|V|P|1|C|N|5|`, "1 V P 1 C N 5"},
		{`CEF: 0|V|P|1|C|N|High|`, "0 V P 1 C N High"},
		{`CEF:0|||||||`, "0      "},
		{`CEF:0|a\|b|c\\|d\e|\=|\n|5|`, `0 a|b c\ d\e \= \n 5`},
		{`"CEF:0|V|P|1|C|N|5|"`, "0 V P 1 C N 5"},
		{"CEF:0|V|P|1|C|N|5|\r\n", "0 V P 1 C N 5"},
		{`NOTCEF:9 CEF:0|V|P|1|C|N|5|`, "0 V P 1 C N 5"},
		{`CEF:0|V|P|1|CEF:7|N|5|`, "0 V P 1 CEF:7 N 5"},
	} {
		got, err := audit.ParseCEF([]byte(c.line))
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		version := string(rune('0' + got.Version))
		values := []string{version, got.Vendor, got.Product, got.DeviceVersion, got.Class, got.Name, got.Severity}
		if joined := strings.Join(values, " "); joined != c.want || got.Extensions != nil {
			t.Errorf("%s: got %q and %v, want %q", c.line, joined, got.Extensions, c.want)
		}
	}
}

func TestParseCEFReadsExtensions(t *testing.T) {
	for _, c := range []struct {
		extensions string
		want       []string // name, value, name, value …
	}{
		{``, nil},
		{`a=b`, []string{"a", "b"}},
		{`  a=b`, []string{"a", "b"}},
		{`a=`, []string{"a", ""}},
		{`a= b=`, []string{"a", "", "b", ""}},
		{`a=1 b=2`, []string{"a", "1", "b", "2"}},
		{`a=1  b=2`, []string{"a", "1 ", "b", "2"}},
		{`a= 1 b=2 `, []string{"a", " 1", "b", "2 "}},
		{`msg=two words b=2`, []string{"msg", "two words", "b", "2"}},
		{`a_b=1 c.d=2 e-f=3 G9=4`, []string{"a_b", "1", "c.d", "2", "e-f", "3", "G9", "4"}},
		{`request=/x?a=b&c=d act=GET`, []string{"request", "/x?a=b&c=d", "act", "GET"}},
		{`query=a=b`, []string{"query", "a=b"}},
		{`query=a==b =c`, []string{"query", "a==b =c"}},
		{`a=1\=2 b\=3 c=4`, []string{"a", "1=2 b=3", "c", "4"}},
		{`a=\\ b=\\\\`, []string{"a", `\`, "b", `\\`}},
		{`a=x\\\=y`, []string{"a", `x\=y`}},
		{`a=line\r\nline`, []string{"a", "line\r\nline"}},
		{`a=p|q\|r`, []string{"a", `p|q\|r`}},
		{`a=\x\ b=2 c=\`, []string{"a", `\x\`, "b", "2", "c", `\`}},
		{`filePath=C:\dir\file b=2`, []string{"filePath", `C:\dir\file`, "b", "2"}},
		{"a=tab\tb=2 c=3", []string{"a", "tab\tb=2", "c", "3"}},
		{"a=\xff b=é", []string{"a", "\xff", "b", "é"}},
		{`a=1 a=2`, []string{"a", "1", "a", "2"}},
	} {
		got, err := audit.ParseCEF([]byte("CEF:0|V|P|1|C|N|5|" + c.extensions))
		if err != nil {
			t.Errorf("%q: %v", c.extensions, err)
			continue
		}
		var values []string
		for _, f := range got.Extensions {
			values = append(values, f.Name, f.Value)
		}
		if diff := cmp.Diff(c.want, values); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.extensions, diff)
		}
	}
}

func TestParseCEFRefusesWhatIsNoCEF(t *testing.T) {
	for _, line := range []string{
		"", "\n", `""`, "CEF", "CEF:", "hello", "CEF:0", "CEF:0|V|P|1|C|N", `CEF:0|V|P|1|C|N\|5`, "CEF:x|V|P|1|C|N|5|", "CEF:-1|V|P|1|C|N|5|",
		"XCEF:0|V|P|1|C|N|5|", "CEF:0|V|P|1|C|N|5|words only", "CEF:0|V|P|1|C|N|5|=b", "CEF:0|V|P|1|C|N|5|two words=b", `CEF:0|V|P|1|C|N|5|a\=b`,
		"CEF:0|V|P|1|C|N|5|a[0]=b", "CEF:99999999999999999999|V|P|1|C|N|5|",
	} {
		if got, err := audit.ParseCEF([]byte(line)); err == nil {
			t.Errorf("%q was read as %+v", line, got)
		}
	}
}
