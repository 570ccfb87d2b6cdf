package loadtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Result is what a run measured.
type Result struct {
	Version     string    `json:"version"`
	Run         string    `json:"run"` // that is in the user agent of all that it sent
	Began       time.Time `json:"began"`
	API         string    `json:"api"`
	SIEM        string    `json:"siem"`
	Interrupted bool      `json:"interrupted"`

	Connections   int     `json:"connections"`
	Rate          float64 `json:"requests_per_second_wanted"` // of each phase; 0: as fast as they go
	EventsPerCall int     `json:"events_per_call"`

	Calls      Phase      `json:"calls"`
	Events     Phase      `json:"events"`
	Verdict    Verdict    `json:"verdict"`
	Yardsticks Yardsticks `json:"yardsticks"` // before the first request
	// After are the yardsticks after the last search: where they are others, the
	// machine was not the same all the time, and the figures are worth less.
	After Yardsticks `json:"yardsticks_after"`
	// Note says why there are fewer samples of end_to_end_ms than there should be.
	Note string `json:"note,omitempty"`
}

// Phase is what one sort of request came to.
type Phase struct {
	Seconds      float64 `json:"seconds"`
	Acknowledged uint64  `json:"acknowledged"` // requests that were answered with 2xx
	// Unsent counts the requests that were due and that no connection was free for
	// before the end.
	Unsent            uint64  `json:"unsent"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	// EventsPerSecond counts what these requests left behind: events that were sent
	// and those that the requests themselves are recorded by.
	EventsPerSecond float64           `json:"events_per_second"`
	Latency         Latency           `json:"latency_ms"`    // of those, from when they were due
	Refused         map[string]uint64 `json:"refused"`       // by status, or why there was no answer
	EndToEnd        Latency           `json:"end_to_end_ms"` // until the SIEM shows the event; of a sample
}

func (r *run) result(after Yardsticks, v Verdict, interrupted bool) *Result {
	return &Result{
		Version: r.Version, Run: r.id, Began: r.began.UTC().Truncate(time.Millisecond), API: r.Target.API, SIEM: r.Target.SIEM,
		Interrupted: interrupted, Connections: r.Connections, Rate: r.Rate, EventsPerCall: r.EventsPerCall,
		Calls: r.calls.result(2), Events: r.events.result(3 + r.EventsPerCall),
		Verdict: v, Yardsticks: r.before, After: after, Note: r.probes.why(),
	}
}

// result sums the phase up; each of its requests leaves so many events.
func (p *phase) result(eventsEach int) Phase {
	took := p.took.summary()
	out := Phase{
		Seconds: p.lasted.Seconds(), Acknowledged: took.Samples, Latency: took,
		Refused: p.refusals, EndToEnd: p.found.summary(),
	}
	if sent := out.Acknowledged + out.refused(); p.due > sent {
		out.Unsent = p.due - sent
	}
	if out.Seconds > 0 {
		out.RequestsPerSecond = float64(out.Acknowledged) / out.Seconds
		out.EventsPerSecond = out.RequestsPerSecond * float64(eventsEach)
	}
	return out
}

// Err says what is wrong with what was measured, or nil.
func (r *Result) Err() error {
	v := r.Verdict
	switch {
	case v.Lost+v.Doubled+v.Invalid > 0 && (v.Complete || v.Doubled+v.Invalid > 0):
		text := fmt.Sprintf("of %d events that were promised, %d are lost; %d were found twice or more, %d are not valid", v.Owed, v.Lost, v.Doubled, v.Invalid)
		if v.Webhook != "" {
			text += "; the webhook is " + v.Webhook
		}
		return fmt.Errorf("%s", text)
	case r.Interrupted:
		return fmt.Errorf("interrupted: the figures are of what was done until then")
	case v.Owed == 0:
		return fmt.Errorf("no request was answered with success: %s", strings.Join(append(r.Calls.refusals(), r.Events.refusals()...), "; "))
	}
	return nil
}

// Print writes the result as a table for people.
func (r *Result) Print(to io.Writer) error {
	var b strings.Builder
	bodies := fmt.Sprintf("bodies of %d events", r.EventsPerCall)
	row := func(name, calls, events string) {
		fmt.Fprintf(&b, "%-24s  %10s  %*s\n", name, calls, len(bodies), events)
	}
	both := func(name string, of func(Phase) string) { row(name, of(r.Calls), of(r.Events)) }
	row("", "calls", bodies)
	both("seconds", func(p Phase) string { return decimal(p.Seconds) })
	both("answered with success", func(p Phase) string { return fmt.Sprint(p.Acknowledged) })
	both("a second", func(p Phase) string { return decimal(p.RequestsPerSecond) })
	both("events recorded a second", func(p Phase) string { return decimal(p.EventsPerSecond) })
	both("answer, ms: p50", func(p Phase) string { return decimal(p.Latency.P50) })
	both("  p95", func(p Phase) string { return decimal(p.Latency.P95) })
	both("  p99", func(p Phase) string { return decimal(p.Latency.P99) })
	both("  longest", func(p Phase) string { return decimal(p.Latency.Max) })
	both("found, ms: p50", func(p Phase) string { return decimal(p.EndToEnd.P50) })
	both("  p99", func(p Phase) string { return decimal(p.EndToEnd.P99) })
	both("  of so many followed", func(p Phase) string { return fmt.Sprint(p.EndToEnd.Samples) })
	both("refused", func(p Phase) string { return fmt.Sprint(p.refused()) })
	b.WriteString(r.below())
	_, err := io.WriteString(to, b.String())
	return err
}

// below is what stands below the columns.
func (r *Result) below() string {
	var b strings.Builder
	v, y, z := r.Verdict, r.Yardsticks, r.After
	fmt.Fprintf(&b, "\nevents owed %d: found %d, lost %d, doubled %d, invalid %d\n", v.Owed, v.Found, v.Lost, v.Doubled, v.Invalid)
	if !v.Complete {
		b.WriteString("the search for them was broken off: what is lost may still come\n")
	} else {
		fmt.Fprintf(&b, "all that came could be found %s s after the last request\n", decimal(v.Seconds))
	}
	fmt.Fprintf(&b, "yardsticks before and after: an Ed25519 signature %.1f and %.1f µs,\n", y.Sign, z.Sign)
	fmt.Fprintf(&b, "  400 bytes synced in %.3f and %.3f ms (p50), %.3f and %.3f ms (p99)\n", y.FsyncP50, z.FsyncP50, y.FsyncP99, z.FsyncP99)
	for _, p := range []struct {
		name string
		Phase
	}{{"calls", r.Calls}, {"bodies", r.Events}} {
		if told := p.refusals(); len(told) > 0 {
			fmt.Fprintf(&b, "%s refused: %s\n", p.name, strings.Join(told, "; "))
		}
		if p.Unsent > 0 {
			fmt.Fprintf(&b, "%s: the rate of %s a second was not reached: %d were due that no connection was free for\n", p.name, decimal(r.Rate), p.Unsent)
		}
	}
	if r.Calls.Refused["429"]+r.Events.Refused["429"] > 0 {
		b.WriteString("429 is the server's own limit (--api-rate, --api-token-rate): stay below it with --rate, or start a server for the test without one\n")
	}
	if r.Note != "" {
		fmt.Fprintln(&b, r.Note)
	}
	return b.String()
}

func (p Phase) refused() (count uint64) {
	for _, n := range p.Refused {
		count += n
	}
	return count
}

// refusals are the reasons, each with how often it came.
func (p Phase) refusals() (told []string) {
	for _, why := range slices.Sorted(maps.Keys(p.Refused)) {
		told = append(told, fmt.Sprintf("%s × %d", why, p.Refused[why]))
	}
	return told
}

// decimal writes a figure with three digits that count, or all of the whole number.
func decimal(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
