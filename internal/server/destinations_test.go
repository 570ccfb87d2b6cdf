package server

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/outbound"
)

func TestWebhooksReachTheNetworksAndTrustTheAuthoritiesThatTheOperatorNames(t *testing.T) {
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	receiver.Config.ErrorLog = log.New(io.Discard, "", 0)
	receiver.StartTLS()
	t.Cleanup(receiver.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name     string
		networks []netip.Prefix
		ca       string
		want     string // the last phase
	}{
		{"nothing", nil, "", "connect"},
		{"another network", elsewhere, authority, "connect"},
		{"the network", loopback, "", "tls"},
		{"the network and the authority", loopback, authority, "response"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Start(t.Context(), Config{
				DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test",
				Logger: slog.New(slog.DiscardHandler), AllowDestinations: c.networks, DestinationCA: c.ca,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Shutdown()
			post := func(path, body string, into any) {
				t.Helper()
				request, err := http.NewRequestWithContext(t.Context(), "POST", s.APIURL+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Authorization", "Bearer "+s.Token)
				request.Header.Set("Content-Type", "application/json")
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode > 299 {
					t.Fatalf("%s: %s, %v", path, response.Status, err)
				}
			}
			var made struct{ ID string }
			post("/v3/audit-log-destinations", fmt.Sprintf(`{"name":"d","endpoint":%q,"authorization":"","log_format":"cef"}`, receiver.URL), &made)
			var trial struct {
				Delivered bool
				Phases    []struct {
					Name string
					OK   bool
				}
			}
			post("/trailhook/v1/destinations/"+made.ID+"/test", "", &trial)
			last := trial.Phases[len(trial.Phases)-1]
			if last.Name != c.want || trial.Delivered != (c.want == "response") || last.OK != trial.Delivered {
				t.Errorf("%+v, want it to end with %s", trial, c.want)
			}
		})
	}
}

func TestAnEndpointThatDoesNotAnswerInTimeIsGivenUp(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(receiver.Close)
	s := &Server{config: Config{AllowPrivateDestinations: true, DeliveryTimeout: 100 * time.Millisecond}, encryption: &encryption{}}
	client, err := s.newDestinationClient()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, err = client.Post(t.Context(), outbound.Request{URL: receiver.URL})
	if _, message := outbound.Describe(outbound.Response{}, err); message != "timed out" {
		t.Errorf("%q: %v", message, err)
	}
	if took := time.Since(begun); took >= outbound.DefaultHeaderTimeout {
		t.Errorf("given up after %v", took)
	}
}

func TestAFileWithoutAnAuthorityIsRefusedAtTheStart(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Config{
		DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test",
		Logger: slog.New(slog.DiscardHandler), DestinationCA: empty,
	})
	if err == nil || !strings.Contains(err.Error(), "--destination-ca") {
		t.Errorf("error %v, want one that names --destination-ca", err)
	}
}
