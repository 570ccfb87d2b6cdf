package outbound

import (
	"strings"
	"testing"
)

func TestTheURLsThatAUserMayGive(t *testing.T) {
	cases := []struct {
		raw       string
		allowHTTP bool
		want      string // a part of the error; empty: valid
	}{
		{raw: "https://siem.example.com"},
		{raw: "https://siem.example.com:8443/receiver/v1/http/abc?x=1"},
		{raw: "https://[2001:db8::1]:443/"},
		{raw: "HTTPS://siem.example.com/"},
		{raw: "https://10.0.0.1/"}, // addresses are judged when they are dialled
		{raw: "http://localhost:8090/", allowHTTP: true},

		{raw: "http://siem.example.com", want: "--allow-private-destinations"},
		{raw: "", want: "absolute URL"},
		{raw: "siem.example.com/logs", want: "absolute URL"},
		{raw: "/logs", want: "absolute URL"},
		{raw: "//siem.example.com/logs", want: "absolute URL"},
		{raw: "ftp://siem.example.com", want: "absolute URL"},
		{raw: "file:///etc/passwd", want: "absolute URL"},
		{raw: "unix:///run/docker.sock", want: "absolute URL"},
		{raw: "javascript:alert(1)", want: "absolute URL"},
		{raw: "https:siem.example.com", want: "with a host"},
		{raw: "https://", want: "with a host"},
		{raw: "https:///logs", want: "with a host"},
		{raw: "https://:443/", want: "with a host"},
		{raw: "https://user@siem.example.com", want: "user name or password"},
		{raw: "https://user:SECRET@siem.example.com", want: "user name or password"},
		{raw: "https://user:SEC/RET@siem.example.com", want: "well-formed"},
		{raw: "https://siem.example.com/#SECRET", want: "fragment"},
		{raw: "https://siem.example.com/#", want: "fragment"},
		{raw: "https://siem.example.com:0/", want: "port"},
		{raw: "https://siem.example.com:65536/", want: "port"},
		{raw: "https://siem.example.com:/", want: "port"},
		{raw: "https://siem.example.com:SECRET/", want: "well-formed"},
		{raw: "https://siem.example.com/%zz", want: "well-formed"},
		{raw: "https://siem example.com/", want: "well-formed"},
		{raw: "https://siem.example.com/\r\nHost: SECRET", want: "well-formed"},
		{raw: " https://siem.example.com/", want: "well-formed"},
	}
	for _, c := range cases {
		t.Run(c.raw, func(t *testing.T) {
			err := ValidateURL(c.raw, c.allowHTTP)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want one that says %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "SEC"):
				t.Errorf("error quotes the URL: %v", err)
			}
		})
	}
}
