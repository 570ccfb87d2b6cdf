package journal

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestRecordedAndRefusedEventsAreCounted(t *testing.T) {
	b := openBroker(t, t.TempDir())
	registry := prometheus.NewRegistry()
	j, err := Open(t.Context(), b, Options{Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(t.Context(), "us", event("org", 1), event("org", 2)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if err := j.Append(t.Context(), "us", event("org", 3)); err == nil {
		t.Fatal("an event was recorded without an engine")
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, family := range families {
		counted[family.GetName()] = family.GetMetric()[0].GetCounter().GetValue()
	}
	if counted["trailhook_journal_events_recorded_total"] != 2 || counted["trailhook_journal_events_refused_total"] != 1 {
		t.Errorf("%v", counted)
	}
}
