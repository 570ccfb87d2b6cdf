package outbound

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAProxyConnectsOnlyWhereTheOperatorNamesOneAndOnlyToWhatIsAllowed(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		fmt.Fprint(w, "from the proxy")
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	address, err := ParseProxy(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	const target = "http://203.0.113.7:9/collect"
	allowed := Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}

	if response, err := New(Options{Policy: allowed, Proxy: address}).Post(t.Context(), Request{URL: target}); err != nil || string(response.Body) != "from the proxy" || asked != target {
		t.Errorf("through the proxy: %s, %v; it was asked for %q", response.Body, err, asked)
	}
	asked = ""
	for _, test := range []Options{{}, {Proxy: address}} {
		for _, url := range []string{"http://127.0.0.1:9/", "http://localhost:9/", "http://[::ffff:10.0.0.1]:9/"} {
			_, err := New(test).Post(t.Context(), Request{URL: url})
			if _, refused := errors.AsType[*RefusedError](err); !refused {
				t.Errorf("%s with the proxy %v: %v", url, test.Proxy, err)
			}
		}
	}
	if asked != "" {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

func TestOnlyTheURLOfAProxyIsOne(t *testing.T) {
	for text, want := range map[string]bool{
		"http://proxy.example:3128": true, "https://user:secret@proxy.example": true, "http://[::1]:3128/": true,
		"": false, "proxy.example:3128": false, "socks5://proxy.example": false, "http://": false, "http://proxy.example/path": false, "http://:80": false,
	} {
		proxy, err := ParseProxy(text)
		if (err == nil) != want {
			t.Errorf("%q: %v, %v", text, proxy, err)
		}
	}
}
