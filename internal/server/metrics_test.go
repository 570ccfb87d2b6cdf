package server

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

var update = flag.Bool("update", false, "write the references anew")

const metricsFile = "../../docs/metrics.md"

// family is a metric as the reference shows it.
type family struct {
	name, kind, help string
	labels           map[string][]string // with the values that there are from the start
}

// metricsOf gives every metric that the server has told about, in the order of
// their names.
func metricsOf(t *testing.T, s *Server) []family {
	t.Helper()
	gathered, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var families []family
	for _, g := range gathered {
		f := family{g.GetName(), strings.ToLower(g.GetType().String()), g.GetHelp(), map[string][]string{}}
		for _, metric := range g.GetMetric() {
			f.add(metric)
		}
		families = append(families, f)
	}
	return families
}

func (f *family) add(metric *dto.Metric) {
	for _, label := range metric.GetLabel() {
		if values := f.labels[label.GetName()]; !slices.Contains(values, label.GetValue()) {
			f.labels[label.GetName()] = append(values, label.GetValue())
		}
	}
}

func (f *family) labelNames() []string {
	names := make([]string, 0, len(f.labels))
	for name := range f.labels {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestTheMetricsReferenceIsUpToDate(t *testing.T) {
	made := metricsReference(metricsOf(t, startBoth(t)))
	if *update {
		if err := os.WriteFile(metricsFile, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(metricsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), made); diff != "" {
		t.Errorf("make it anew with go test ./internal/server -update (-written +made):\n%s", diff)
	}
}

// A metric that appears with its first event shows no increase for it, and an alert
// on it is silent.
func TestEveryMetricIsThereFromTheStart(t *testing.T) {
	s := startBoth(t)
	there := map[string]bool{}
	for _, f := range metricsOf(t, s) {
		there[f.name] = true
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		s.metrics.Describe(descs)
		close(descs)
	}()
	name := regexp.MustCompile(`fqName: "([^"]*)"`)
	for desc := range descs {
		found := name.FindStringSubmatch(desc.String())
		if found == nil {
			t.Fatalf("a description without a name: %s", desc)
		}
		if strings.HasPrefix(found[1], "trailhook_") && !there[found[1]] {
			t.Errorf("%s is registered, and has no series yet", found[1])
		}
	}
}

// metricsReference writes the page.
func metricsReference(families []family) string {
	var page strings.Builder
	page.WriteString(`# Metrics

What ` + "`/metrics`" + ` at ` + "`--ops-addr`" + ` tells, in Prometheus' format. This page is made from a running server
(` + "`go test ./internal/server -update`" + `). With ` + "`--only`" + ` the metrics of the other half are missing; those of the Go runtime
(` + "`go_…`" + `) and of the process (` + "`process_…`" + `) come besides, as every program in Go has them. Rules for alerts are in
` + "`deploy/prometheus/alerts.yaml`" + `, a dashboard in ` + "`deploy/grafana/trailhook.json`" + `.

Counters begin with 0 when the process starts. Where a label has a fixed set of values, all of them are there from then on.

| metric | type | labels | what it tells |
| --- | --- | --- | --- |
`)
	for _, f := range families {
		if !strings.HasPrefix(f.name, "trailhook_") {
			continue
		}
		var labels []string
		for _, name := range f.labelNames() {
			labels = append(labels, fmt.Sprintf("`%s`: %s", name, strings.Join(f.labels[name], ", ")))
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", f.name, f.kind, strings.Join(labels, "; "), strings.ReplaceAll(f.help, "|", `\|`))
	}
	return page.String()
}
