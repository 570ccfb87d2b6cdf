package server

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/localca"
)

// startBoth starts both halves on free ports, with --tls auto.
func startBoth(t *testing.T) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{
		DataDir: t.TempDir(), APIAddr: "127.0.0.1:0", SIEMAddr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0", SyslogAddrs: []string{"127.0.0.1:0"},
		ProxyAddr: "127.0.0.1:0", ProxyControlPlane: "quickstart",
		Region: "us", TLS: "auto", Version: "test", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown() })
	return s
}

// askReady asks for JSON.
func askReady(t *testing.T, s *Server) (int, readiness) {
	t.Helper()
	response, err := http.Get(s.OpsURL + "/readyz?format=json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var told readiness
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, told
}

// of is what is told of one part.
func (r readiness) of(name string) part {
	for _, p := range r.Parts {
		if p.Name == name {
			return p
		}
	}
	return part{}
}

func TestReadyzTellsOfEveryPart(t *testing.T) {
	s := startBoth(t)
	status, told := askReady(t, s)
	want := readiness{Ready: true}
	for _, name := range []string{"broker", "disk", "registry", "journal", "store", "indexer", "certificate"} {
		want.Parts = append(want.Parts, part{Name: name, Status: fine})
	}
	if diff := cmp.Diff(want, told); diff != "" || status != http.StatusOK {
		t.Errorf("%d (-want +got):\n%s", status, diff)
	}
}

func TestAServerWhoseStoreFailsIsReadySinceItKeepsWhatItTakes(t *testing.T) {
	s := startBoth(t)
	if err := s.siem.store.Close(); err != nil {
		t.Fatal(err)
	}
	status, told := askReady(t, s)
	if p := told.of("store"); status != http.StatusOK || p.Status != warned || p.Reason == "" {
		t.Errorf("%d: %+v", status, told)
	}
}

func TestAServerWhoseBrokerFailsIsNotReadyAndSaysWhy(t *testing.T) {
	s := startBoth(t)
	s.broker.Close()
	status, told := askReady(t, s)
	if p := told.of("broker"); status != http.StatusServiceUnavailable || told.Ready || p.Status != failed || p.Reason == "" {
		t.Errorf("%d: %+v", status, told)
	}
}

func TestAServerIsNotReadyWhileItStartsOrStops(t *testing.T) {
	s := startBoth(t)
	for _, now := range []phase{starting, stopping} {
		s.phase.Store(int32(now))
		if status, told := askReady(t, s); status != http.StatusServiceUnavailable || told.of("server").Reason == "" {
			t.Errorf("phase %d: %d: %+v", now, status, told)
		}
		response, err := http.Get(s.OpsURL + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("phase %d: not alive: %s", now, response.Status)
		}
	}
}

func TestADiskIsFullAtItsReserve(t *testing.T) {
	const mebibyte = 1 << 20
	for _, c := range []struct {
		free uint64
		err  error
		want standing
	}{
		{1000 * mebibyte, nil, fine},
		{255 * mebibyte, nil, warned},
		{63 * mebibyte, nil, failed},
		{0, errors.New("no such folder"), warned},
	} {
		status, reason := diskStanding(broker.Disk{Free: c.free, Total: 1 << 40, Reserve: 64 * mebibyte}, c.err)
		if status != c.want || (reason == "") != (c.want == fine) {
			t.Errorf("%d bytes free: %s %q", c.free, status, reason)
		}
	}
}

func TestACertificateThatEndsIsToldOfBefore(t *testing.T) {
	ca, err := localca.Open(t.TempDir(), []string{"localhost"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := openCertificate(ca.Renew, time.Hour, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	end := shown.end()
	for _, c := range []struct {
		left time.Duration
		want standing
	}{{15 * 24 * time.Hour, fine}, {13 * 24 * time.Hour, warned}, {0, failed}} {
		if status, reason := shown.standing(end.Add(-c.left)); status != c.want || (reason == "") != (c.want == fine) {
			t.Errorf("%s before the end: %s %q", c.left, status, reason)
		}
	}
}

func TestRequestsAreCountedByWhatTheyAreForAndWhatBecameOfThem(t *testing.T) {
	s := startBoth(t)
	client := s.newClientForTest(t)
	for _, url := range []string{s.APIURL + "/v2/control-planes", s.SIEMURL + "/trailhook/v1/search", s.SIEMURL + "/receiver/v1/http/none", s.SIEMURL + "/"} {
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]uint64{}
	for _, family := range families {
		if family.GetName() != "trailhook_http_request_seconds" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if n := metric.GetHistogram().GetSampleCount(); n > 0 {
				counted[metric.GetLabel()[0].GetValue()+" "+metric.GetLabel()[1].GetValue()] = n
			}
		}
	}
	want := map[string]uint64{"api 4xx": 1, "search 4xx": 1, "receive 4xx": 1}
	for key, n := range want {
		if counted[key] != n {
			t.Errorf("%s: %d, want %d; all: %v", key, counted[key], n, counted)
		}
	}
}

// newClientForTest trusts the server's own authority.
func (s *Server) newClientForTest(t *testing.T) *http.Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: s.encryption.roots}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
