package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
)

// How a webhook's backlog is looked at, and for how long that is remembered.
const (
	recentEvery = 5 * time.Second
	recentTime  = 10 * time.Minute
	minuteEvery = time.Minute
	minuteTime  = 24 * time.Hour

	// maxHistories is of how many webhooks the backlog is remembered: about
	// 60 KB each where something waits all day.
	maxHistories = 1000
)

// BacklogSample is what waited for a webhook at a time. The numbers are estimates,
// made of what was read; those of Backlog are more exact, and cost a read.
type BacklogSample struct {
	At     time.Time
	Events uint64
	Bytes  uint64    // as in journal.Backlog
	Oldest time.Time // when the oldest of the events was recorded; zero without any
}

// BacklogHistory is how a webhook's backlog went, oldest first. There are samples
// for as long as something waits, and one of zero when nothing does any more.
type BacklogHistory struct {
	// Here says that this process delivers to the webhook. It alone knows the
	// history, which begins when it began to.
	Here    bool
	Recent  []BacklogSample // one each 5 s, of the last 10 minutes
	Minutes []BacklogSample // one a minute, of the last 24 hours
}

// BacklogHistory returns what this process remembers of the webhook's backlog.
func (m *Manager) BacklogHistory(hook registry.Webhook) BacklogHistory {
	if !m.serves(hook.ID) {
		return BacklogHistory{}
	}
	recent, minutes := m.histories.of(hook.ID)
	return BacklogHistory{Here: true, Recent: recent, Minutes: minutes}
}

// serves reports whether it falls to this process to deliver to the webhook.
func (m *Manager) serves(webhookID string) bool {
	return m.shards.alone || m.shards.holds(shardOf(webhookID))
}

// startSampling looks at the backlogs until ctx is done. It returns what waits for
// the end of that.
func (m *Manager) startSampling(ctx context.Context) (wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(recentEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				m.sample()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { <-ended }
}

// sample takes down what the workers know. It reads nothing.
func (m *Manager) sample() {
	now := m.Now().UTC().Truncate(time.Millisecond)
	waiting := map[string]BacklogSample{}
	for _, w := range m.busy.all() {
		events, bytes, ok := w.known.waiting(m.Journal.Told(streamOf(w.hook)))
		if ok && events > 0 {
			waiting[w.hook.ID] = BacklogSample{now, events, bytes, time.UnixMilli(w.oldest.Load()).UTC()}
		}
	}
	m.histories.add(now, waiting, m.serves)
}

// histories are the backlogs of webhooks, by their ids.
type histories struct {
	mu   sync.Mutex
	each map[string]*history
}

type history struct{ recent, minutes []BacklogSample }

func (h *history) idle() bool { return len(h.recent) == 0 || h.recent[len(h.recent)-1].Events == 0 }

func (h *histories) of(webhookID string) (recent, minutes []BacklogSample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if one := h.each[webhookID]; one != nil {
		return slices.Clone(one.recent), slices.Clone(one.minutes)
	}
	return nil, nil
}

// add takes samples of one time. Webhooks that wait for nothing any more get one
// of zero, and those that others deliver to are forgotten.
func (h *histories) add(now time.Time, waiting map[string]BacklogSample, serves func(webhookID string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, one := range h.each {
		if _, waits := waiting[id]; !waits && !one.idle() {
			one.add(BacklogSample{At: now})
		}
		one.trim(now)
		if len(one.minutes) == 0 || !serves(id) {
			delete(h.each, id)
		}
	}
	for id, sample := range waiting {
		if h.each[id] == nil && serves(id) && h.room() {
			h.each[id] = &history{}
		}
		if one := h.each[id]; one != nil {
			one.add(sample)
		}
	}
}

// room reports whether one more webhook can be remembered, if need be in place of
// one that waits for nothing, the longest of these.
func (h *histories) room() bool {
	if len(h.each) < maxHistories {
		return true
	}
	var longest string
	var since time.Time
	for id, one := range h.each {
		if last := one.minutes[len(one.minutes)-1]; one.idle() && (longest == "" || last.At.Before(since)) {
			longest, since = id, last.At
		}
	}
	delete(h.each, longest)
	return longest != ""
}

// forget drops the webhooks that are no more.
func (h *histories) forget(known map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.each {
		if !known[id] {
			delete(h.each, id)
		}
	}
}

func (h *history) add(s BacklogSample) {
	h.recent = append(h.recent, s)
	n := len(h.minutes)
	if n == 0 || s.At.Sub(h.minutes[n-1].At) >= minuteEvery || s.Events == 0 {
		h.minutes = append(h.minutes, s)
	}
}

func (h *history) trim(now time.Time) {
	h.recent = since(h.recent, now.Add(-recentTime))
	h.minutes = since(h.minutes, now.Add(-minuteTime))
}

// since leaves out what is older than a time.
func since(samples []BacklogSample, oldest time.Time) []BacklogSample {
	i := 0
	for i < len(samples) && samples[i].At.Before(oldest) {
		i++
	}
	return slices.Delete(samples, 0, i)
}
