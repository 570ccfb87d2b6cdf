package server

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/broker"
)

// standing is how a part of the server stands.
type standing string

const (
	fine standing = "ok"
	// warned is a part that an operator should look at. What it does may be late,
	// but the server takes what it is sent, and loses nothing of it.
	warned standing = "warning"
	// failed is a part without which the server cannot do what it answers for: it
	// is not ready, and who can choose sends elsewhere.
	failed standing = "failed"
)

// part is a part of the server and how it stands.
type part struct {
	Name   string   `json:"name"`
	Status standing `json:"status"`
	Reason string   `json:"reason,omitempty"`
}

// readiness is what /readyz tells.
type readiness struct {
	Ready bool   `json:"ready"`
	Parts []part `json:"parts"`
}

const (
	// asking is how long a part may take to tell how it stands.
	asking = 2 * time.Second
	// lateAfter is how long lines may wait to be searchable before that is worth a word.
	lateAfter = time.Minute
	// endingSoon is how long before its end a certificate is worth a word. One of our
	// own is renewed long before.
	endingSoon = 14 * 24 * time.Hour
	// diskNearlyFull is how many times what is kept free of the disk may be left
	// before that is worth a word.
	diskNearlyFull = 4
)

// phase is how far the server is between its start and its end.
type phase int32

const (
	starting phase = iota
	serving
	stopping
)

// readiness asks every part. While the server starts or stops it is not ready, and
// its parts are not asked.
func (s *Server) readiness(ctx context.Context) readiness {
	switch phase(s.phase.Load()) {
	case starting:
		return readiness{Parts: []part{{"server", failed, "it is starting"}}}
	case stopping:
		return readiness{Parts: []part{{"server", failed, "it is stopping"}}}
	}
	r := readiness{Ready: true}
	tell := func(name string, status standing, reason string) {
		if status == fine {
			reason = ""
		}
		r.Ready = r.Ready && status != failed
		r.Parts = append(r.Parts, part{name, status, reason})
	}
	failing := func(name string, err error, status standing) {
		if err != nil {
			tell(name, status, err.Error())
		} else {
			tell(name, fine, "")
		}
	}
	failing("broker", s.broker.Healthy(), failed)
	status, reason := diskStanding(broker.DiskOf(s.config.DataDir))
	tell("disk", status, reason)
	if p := s.platform; p != nil {
		_, err := p.registry.Signer()
		failing("registry", err, failed)
		warning := p.journal.Warning()
		tell("journal", warnedIf(warning != ""), warning)
	}
	if p := s.siem; p != nil {
		failing("store", p.answers(ctx), warned)
		status, reason = p.indexing(ctx)
		tell("indexer", status, reason)
	}
	if c := s.encryption.shown; c != nil {
		status, reason = c.standing(time.Now())
		tell("certificate", status, reason)
	}
	return r
}

func warnedIf(yes bool) standing {
	if yes {
		return warned
	}
	return fine
}

// diskStanding says how the disk stands: without its reserve nothing is written.
func diskStanding(disk broker.Disk, err error) (standing, string) {
	const mebibyte = 1 << 20
	switch {
	case err != nil:
		return warned, err.Error()
	case disk.Free < disk.Reserve:
		return failed, fmt.Sprintf("%d MiB are free, and %d MiB are kept for what must go on: make room", disk.Free/mebibyte, disk.Reserve/mebibyte)
	case disk.Free < diskNearlyFull*disk.Reserve:
		return warned, fmt.Sprintf("%d MiB are free; at %d MiB nothing is written any more: make room", disk.Free/mebibyte, disk.Reserve/mebibyte)
	}
	return fine, ""
}

// answers asks the store for something small.
func (p *siem) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	_, err := p.store.Position(ctx)
	return err
}

// indexing says whether lines become searchable. Those that do not are safe in the
// intake, which is why the server is ready all the same.
func (p *siem) indexing(ctx context.Context) (standing, string) {
	lag, err := p.indexer.Lag(ctx, time.Now())
	switch {
	case lag.Trouble != nil:
		return warned, fmt.Sprintf("lines are kept and not searchable yet (%d messages): %v", lag.Messages, lag.Trouble)
	case err != nil:
		return warned, err.Error()
	case lag.Age > lateAfter:
		return warned, fmt.Sprintf("%d messages wait to be searchable, the oldest for %s", lag.Messages, lag.Age.Truncate(time.Second))
	}
	return fine, ""
}

// standing says whether the certificate can be used for long enough. Asking is a
// look at its files, so that an idle server too finds a new one.
func (c *certificate) standing(now time.Time) (standing, string) {
	end := c.end()
	switch left := end.Sub(now); {
	case left <= 0:
		return failed, fmt.Sprintf("it ended on %s: clients refuse it", end.UTC().Format(time.RFC3339))
	case left < endingSoon:
		return warned, fmt.Sprintf("it ends on %s, and no newer one is there", end.UTC().Format(time.RFC3339))
	}
	return fine, ""
}

// end is when the certificate ends that is shown now.
func (c *certificate) end() time.Time {
	shown, _ := c.get(nil) // there always is one
	return shown.Leaf.NotAfter
}

// gauges are the readiness and the disk in figures.
type gauges struct{ server *Server }

var (
	readyDesc = prometheus.NewDesc("trailhook_ready",
		"1 while /readyz says that the server is ready, else 0.", nil, nil)
	partDesc = prometheus.NewDesc("trailhook_part_status",
		"How the parts of the server stand, as /readyz says: 0 ok, 1 warning, 2 failed.", []string{"part"}, nil)
	diskFreeDesc = prometheus.NewDesc("trailhook_disk_free_bytes",
		"Bytes that are free on the disk of the data directory.", nil, nil)
	diskSizeDesc = prometheus.NewDesc("trailhook_disk_size_bytes",
		"Bytes that the disk of the data directory has.", nil, nil)
	diskReserveDesc = prometheus.NewDesc("trailhook_disk_reserve_bytes",
		"Bytes of the disk of the data directory that stay free: with fewer, nothing is written any more.", nil, nil)
	certificateDesc = prometheus.NewDesc("trailhook_certificate_end_timestamp_seconds",
		"When the certificate of the encrypted addresses ends, in seconds since 1970; only with --tls.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (g gauges) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{readyDesc, partDesc, diskFreeDesc, diskSizeDesc, diskReserveDesc, certificateDesc} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	r := g.server.readiness(context.Background())
	value := map[standing]float64{fine: 0, warned: 1, failed: 2}
	for _, p := range r.Parts {
		gauge(partDesc, value[p.Status], p.Name)
	}
	ready := 0.0
	if r.Ready {
		ready = 1
	}
	gauge(readyDesc, ready)
	if disk, err := broker.DiskOf(g.server.config.DataDir); err == nil {
		gauge(diskFreeDesc, float64(disk.Free))
		gauge(diskSizeDesc, float64(disk.Total))
		gauge(diskReserveDesc, float64(disk.Reserve))
	}
	if phase(g.server.phase.Load()) == serving && g.server.encryption.shown != nil {
		gauge(certificateDesc, float64(g.server.encryption.shown.end().Unix()))
	}
}
