package quickstart

import "testing"

func TestOnlyThisMachinesOwnAddressesCanBeListenedAt(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8080":          "127.0.0.1:8080",
		"http://127.1.2.3:8080":          "127.1.2.3:8080",
		"http://[::1]:8080":              "[::1]:8080",
		"https://localhost":              "127.0.0.1:443",
		"http://LOCALHOST/":              "127.0.0.1:80",
		"https://us.api.localhost:8443/": "127.0.0.1:8443",
		"https://us.api.konghq.com":      "",
		"http://192.168.1.5:8080":        "",
		"http://0.0.0.0:8080":            "",
		"http://localhost.example:8080":  "",
	} {
		u, err := parseAddress("--api", url)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, ok := listenAddress(u); got != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestWhatIsNoServersAddressIsRefused(t *testing.T) {
	for _, text := range []string{"", "localhost:8080", "ftp://localhost", "http://", "http://localhost/v2", "http://a:b@localhost", "http://localhost?x=y", "http://local host"} {
		if _, err := parseAddress("--api", text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestTwoAddressesOfOneServerAreKnownAsSuch(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"http://127.0.0.1:8080", "https://localhost:8080/", true},
		{"http://[::1]:8080", "http://127.0.0.1:8080", true},
		{"https://us.api.example.com", "https://US.api.example.com:443", true},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8081", false},
		{"https://us.api.localhost:8080", "https://eu.api.localhost:8080", false},
		{"https://us.api.example.com", "https://us.api.example.org", false},
	} {
		if got := sameServer(test.a, test.b); got != test.same {
			t.Errorf("%s and %s: %v", test.a, test.b, got)
		}
	}
}
