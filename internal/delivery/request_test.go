package delivery

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/registry"
)

func TestARecordedEventArrivesSignedInTheFormatOfTheDestination(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	keys, err := p.registry.KeySet()
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []audit.Format{audit.CEF, audit.JSON, audit.CPS} {
		r := receive(t, taking(200))
		org := p.organization()
		destination, enabled := org.destination(r.URL, format, ""), true
		org.change(registry.WebhookChange{DestinationID: &destination, Enabled: &enabled})
		org.record(3)
		for _, request := range r.awaitEvents(1, 3) {
			for i, line := range request.lines {
				if verdict, _ := keys.Verify([]byte(line)); verdict != audit.Valid {
					t.Errorf("%s: the signature is %s: %s", format, verdict, line)
				}
				decoded, err := audit.Decode([]byte(line))
				if err != nil || decoded.Format != format {
					t.Errorf("%s: line of format %q, %v: %s", format, decoded.Format, err, line)
				}
				if diff := cmp.Diff(event(org.id, request.events[i], "test/1"), decoded.Event); diff != "" {
					t.Errorf("%s: event (-recorded +received):\n%s", format, diff)
				}
			}
		}
	}
}

func TestARequestCarriesTheAuthorizationByteForByteAndNoneWhenThereIsNone(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for _, authorization := range []string{
		"", "bare-key", "Splunk 12345678-aaaa", "Bearer a.b-c_d~e+f/g==", `odd  "quoted", tab	and ümlaut`,
	} {
		r := receive(t, taking(200))
		org := p.organization()
		destination, enabled := org.destination(r.URL, audit.CEF, authorization), true
		org.change(registry.WebhookChange{DestinationID: &destination, Enabled: &enabled})
		org.record(1)
		header := r.awaitEvents(1, 1)[0].header
		header.Del("Content-Length")
		want := http.Header{
			"Content-Type":     {"text/plain"},
			"Content-Encoding": {"gzip"},
			"User-Agent":       {"trailhook/test"},
		}
		if authorization != "" {
			want["Authorization"] = []string{authorization}
		}
		if diff := cmp.Diff(want, header); diff != "" {
			t.Errorf("authorization %q: header (-want +got):\n%s", authorization, diff)
		}
	}
}
