package delivery

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trailhook/trailhook/internal/outbound"
)

func TestManyWebhooksShareFewPlacesAndEachGetsItsTurn(t *testing.T) {
	t.Parallel()
	const webhooks, places = 40, 3
	var at, most atomic.Int64
	r := judged(t, func(received) int {
		now := at.Add(1)
		defer at.Add(-1)
		for highest := most.Load(); now > highest && !most.CompareAndSwap(highest, now); highest = most.Load() {
		}
		return 200
	})
	p := start(t, t.TempDir(), func(o *Options) { o.MaxWorkers, o.MaxWait = places, time.Millisecond })
	var tenants []*tenant
	for range webhooks {
		o := p.organization()
		o.sendTo(r)
		tenants = append(tenants, o)
	}
	for range 5 {
		for _, o := range tenants {
			o.record(10)
		}
	}
	for _, o := range tenants {
		o.awaitDone()
	}
	requests, _ := r.all()
	arrived := 0
	for _, request := range requests {
		arrived += len(request.events)
	}
	if arrived != webhooks*50 {
		t.Errorf("%d events arrived, want %d", arrived, webhooks*50)
	}
	if most.Load() > places {
		t.Errorf("%d requests at a time, want %d at most", most.Load(), places)
	}
}

func TestAWorkerThatNeverRunsOutOfEventsGivesItsPlaceToThoseWhoWait(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), func(o *Options) { o.MaxWorkers, o.MaxEvents, o.MaxWait = 1, 1, time.Millisecond })
	var busyOne *tenant
	var record sync.Mutex
	// Each request of the busy one is answered when there is more to send.
	busyReceiver := receive(t, func(int) int {
		record.Lock()
		defer record.Unlock()
		busyOne.record(1)
		return 200
	})
	busyOne = p.organization()
	other := p.organization()
	quiet := receive(t, taking(200))
	busyOne.sendTo(busyReceiver)
	other.sendTo(quiet)
	record.Lock()
	busyOne.record(10)
	record.Unlock()
	busyReceiver.awaitRequests(1)
	other.record(1)
	quiet.awaitEvents(1, 1)
	busyOne.enable(false)
}

func TestEndpointsThatHangHoweverManyHoldUpNobodyElse(t *testing.T) {
	t.Parallel()
	const hanging, places = 12, 4
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	stuck := receive(t, taking(200))
	open := stuck.Config.Handler
	stuck.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
			open.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
	t.Cleanup(free)
	p := start(t, t.TempDir(), pauses(time.Millisecond, 10*time.Millisecond), func(o *Options) {
		o.MaxWorkers = places
		o.Client = outbound.New(outbound.Options{
			Policy: outbound.Policy{AllowPrivate: true}, Timeouts: outbound.Timeouts{Headers: 200 * time.Millisecond},
		})
	})
	var stuckOnes []*tenant
	for range hanging {
		o := p.organization()
		o.sendTo(stuck)
		o.record(1)
		stuckOnes = append(stuckOnes, o)
	}
	good := p.organization()
	r := receive(t, taking(200))
	good.sendTo(r)
	for range 5 {
		requests, _ := r.all()
		good.record(1)
		r.awaitRequests(len(requests) + 1)
	}
	if running := p.manager.lanes.counts(); running[well] > places || running[troubled] > places {
		t.Errorf("running are %v, want %d in each lane at most", running, places)
	}
	free()
	for _, o := range stuckOnes {
		o.awaitDone()
		if sent := o.status().Sent; sent != 1 {
			t.Errorf("%d events of one that hung were sent", sent)
		}
	}
}

func TestABatchIsSmallerTheMoreWorkersRunButNeverTooSmall(t *testing.T) {
	l := &lanes{most: maxWorkers}
	for _, test := range []struct{ running, want int }{
		{0, inHand}, {1, inHand}, {32, 1 << 20}, {256, 128 << 10}, {512, leastInHand}, {100_000, leastInHand},
	} {
		l.running[well] = test.running
		if got := l.share(); got != test.want {
			t.Errorf("%d running: %d bytes, want %d", test.running, got, test.want)
		}
	}
}

func TestTheMetricsTellHowTheWebhooksStandWithoutNamingThem(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	now := atomic.Pointer[time.Time]{}
	began := time.Now()
	now.Store(&began)
	p := start(t, t.TempDir(), func(o *Options) {
		o.Metrics, o.Now = registry, func() time.Time { return *now.Load() }
	})
	good, bad, off := p.organization(), p.organization(), p.organization()
	good.sendTo(receive(t, taking(200)))
	bad.sendTo(receive(t, taking(403)))
	off.sendTo(receive(t, taking(200)))
	off.enable(false)
	for _, o := range []*tenant{good, bad, off} {
		o.record(3)
	}
	good.awaitDone()
	bad.awaitStatus(Inactive)
	later := began.Add(time.Hour)
	now.Store(&later)
	want := map[string]float64{
		"trailhook_delivery_webhooks{active}":          1,
		"trailhook_delivery_webhooks{inactive}":        1,
		"trailhook_delivery_webhooks{disabled}":        1,
		"trailhook_delivery_backlog_webhooks":          1,
		"trailhook_delivery_workers{well}":             0,
		"trailhook_delivery_workers{troubled}":         0,
		"trailhook_delivery_backlog_oldest_seconds":    3600,
		"trailhook_delivery_backlog_next_loss_seconds": 6*86400 + 23*3600,
	}
	// A worker ends a moment after its webhook's state is saved.
	limit, look := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for {
		got := gauges(t, registry)
		wrong := ""
		for name, want := range want {
			if value, ok := got[name]; !ok || value < want-60 || value > want+60 || want < 10 && value != want {
				wrong += fmt.Sprintf("%s is %v, %v; want %v\n", name, value, ok, want)
			}
		}
		if wrong == "" {
			return
		}
		select {
		case <-look.C:
		case <-limit:
			t.Fatal(wrong)
		}
	}
}

// gauges are the values of a registry's gauges, by name and label values.
func gauges(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += "{" + label.GetValue() + "}"
			}
			values[name] = metric.GetGauge().GetValue()
		}
	}
	return values
}

func TestWhatComesAfterALineThatWasRefusedSettlesItWithoutTheWholePause(t *testing.T) {
	t.Parallel()
	r := judged(t, poisoned(422, 3))
	org := start(t, t.TempDir()).organization() // pauses for ever
	org.sendTo(r)
	org.record(2)
	r.awaitEvents(1, 2)
	org.record(1)
	org.awaitStatus(Inactive)
	org.record(1)
	org.awaitDone()
	if got := org.aside(); !slices.Equal(got, []int{3}) {
		t.Errorf("set aside were %v", got)
	}
}

func TestAnEndpointThatRefusesEverythingIsTriedOnlyOnceMoreForWhatComes(t *testing.T) {
	t.Parallel()
	r := receive(t, taking(400))
	org := start(t, t.TempDir()).organization() // pauses for ever
	org.sendTo(r)
	failed := func() uint64 { return org.status().Failed }
	org.record(1)
	org.await(func() bool { return failed() == 1 })
	org.record(1)
	org.await(func() bool { return failed() == 2 })
	for range 10 {
		org.record(1)
	}
	org.enable(false)
	if failed() != 2 {
		t.Errorf("tried %d times", failed())
	}
}
