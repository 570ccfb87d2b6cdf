package alert

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/search"
)

func sortedKeys(group map[string]*string) []string { return slices.Sorted(maps.Keys(group)) }

func line(n int, fields string) string { return fmt.Sprintf(`{"n":"%d",%s}`, n, fields) }

func TestAnAlertFiresOnceAndRecoversOnce(t *testing.T) {
	w := start(t)
	s := w.create("action=delete", "count > 1 in 5m")
	w.expect(w.step(time.Minute, s))
	w.receive(line(1, `"action":"delete"`), line(2, `"action":"list"`))
	w.expect(w.step(time.Minute, s))
	w.receive(line(3, `"action":"delete"`))
	told := w.step(time.Minute, s)
	w.expect(told, "fires 2")
	w.receive(line(4, `"action":"delete"`))
	w.expect(w.step(time.Minute, s))
	w.expect(w.step(time.Minute, s))
	if got := w.alerts.Status(s); got.Status != StatusFiring || len(got.Firing) != 1 || got.Firing[0].Value != 3 {
		t.Errorf("%+v", got)
	}
	recovered := w.step(4*time.Minute, s)
	w.expect(recovered, "recovers 0")
	w.expect(w.step(time.Minute, s))
	if got := w.alerts.Status(s); got.Status != StatusOK || len(got.Firing)+len(got.Pending) != 0 {
		t.Errorf("%+v", got)
	}
	if !recovered[0].Since.Equal(told[0].At) {
		t.Errorf("fired at %s, recovers from %s", told[0].At, recovered[0].Since)
	}
}

func TestANotificationTellsEverythingThatOneNeeds(t *testing.T) {
	w := start(t)
	s := w.create("action=delete", "count > 1 in 5m by who")
	var lines []string
	for i := range 7 {
		lines = append(lines, line(i, `"action":"delete","who":"ann & <co>"`))
	}
	w.receive(lines...)
	got := w.step(time.Minute, s)
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	n := got[0]
	who, value := "ann & <co>", 7.0
	link, err := url.Parse(n.Link)
	if err != nil {
		t.Fatal(err)
	}
	want := notification{
		ID: n.ID, State: "fires", At: w.now, Alert: notifiedAlert{s.ID, s.Name}, Window: notifiedWindow{w.now.Add(-5 * time.Minute), w.now},
		Query: "action=delete", Condition: "count > 1 in 5m by who", Group: map[string]*string{"who": &who}, Value: &value,
		Link: n.Link, Samples: n.Samples,
	}
	if diff := cmp.Diff(want, n); diff != "" {
		t.Error(diff)
	}
	if link.Host != "siem.example" || link.Path != "/" || link.Query().Get("query") != "action=delete" || link.Query().Get("to") != w.now.Format(time.RFC3339Nano) {
		t.Error(n.Link)
	}
	if len(n.Samples) != 5 || !slices.Contains(lines, n.Samples[0].Line) || n.Samples[0].Source != "Konnect" || n.Samples[0].Signature != "unsigned" {
		t.Errorf("%+v", n.Samples)
	}
	header := w.receiver.headers[0]
	if header.Get("Idempotency-Key") != n.ID || n.ID == "" || header.Get("Content-Type") != "application/json" || header.Get("Authorization") != "" {
		t.Errorf("%v", header)
	}
}

func TestEachGroupFiresAndRecoversForItself(t *testing.T) {
	w := start(t)
	s := w.create("*", "count >= 2 in 5m by who, action")
	w.receive(line(1, `"who":"ann","action":"a"`), line(2, `"who":"ann","action":"a"`), line(3, `"who":"bob","action":"a"`), line(4, `"action":"a"`), line(5, `"action":"a"`))
	w.expect(w.step(time.Minute, s), "fires action=a no who 2", "fires action=a who=ann 2")
	w.receive(line(6, `"who":"bob","action":"a"`), line(7, `"who":"ann","action":"a"`))
	w.expect(w.step(2*time.Minute, s), "fires action=a who=bob 2")
	w.expect(w.step(150*time.Second, s), "recovers action=a no who 0", "recovers action=a who=ann 1", "recovers action=a who=bob 1")
}

func TestTheRowsOfATableAreTheGroups(t *testing.T) {
	w := start(t)
	s := w.create("ms=* | avg(ms), count by who | fields who, _avg", "_avg > 10 in 5m")
	w.receive(line(1, `"who":"ann","ms":"8"`), line(2, `"who":"ann","ms":"16"`), line(3, `"who":"bob","ms":"9"`))
	told := w.step(time.Minute, s)
	w.expect(told, "fires who=ann 12")
	if told[0].Samples != nil {
		t.Errorf("%v", told[0].Samples)
	}
	w.receive(line(4, `"who":"ann","ms":"0"`))
	w.expect(w.step(time.Minute, s), "recovers who=ann 8")

	one := w.create("* | count, count_distinct(who) as people", "people == 0 in 1m")
	w.expect(w.step(time.Minute, one), "fires 0")
	w.receive(line(5, `"who":"ann"`))
	w.expect(w.step(time.Second, one), "recovers 1")
}

func TestSilenceIsAConditionToo(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count == 0 in 5m")
	w.expect(w.step(time.Minute, s), "fires 0")
	w.receive(line(1, `"who":"ann"`))
	w.expect(w.step(time.Minute, s), "recovers 1")
	w.expect(w.step(5*time.Minute, s), "fires 0")
}

func TestHostileValuesOfGroupsStayValues(t *testing.T) {
	w := start(t)
	s := w.create("*", "count > 0 in 5m by who")
	long := strings.Repeat("x", 3*maxGroupValue)
	for i, value := range []string{`a\" | count by x`, `\u0000\u001b[31m\n\r`, `<script>`, `\u2028😀`, long + "1", long + "2", ""} {
		w.receive(line(i, `"who":"`+value+`"`))
	}
	told := w.step(time.Minute, s)
	var got []string
	for _, n := range told {
		got = append(got, *n.Group["who"])
		if len(n.Samples) != 1 {
			t.Errorf("%q: %d samples", *n.Group["who"], len(n.Samples))
		}
	}
	cut := long[:maxGroupValue] + "…"
	want := []string{`a" | count by x`, "\x00\x1b[31m\n\r", "<script>", "\u2028😀", cut, cut, ""}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	w.expect(w.step(time.Minute, s))
	if told := w.step(5*time.Minute, s); len(told) != len(want) {
		t.Errorf("%d recovered", len(told))
	}
}

func TestAnEvaluationThatIsLateBeginsWhereTheLastOneEnded(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m")
	w.expect(w.step(time.Minute, s))
	w.receive(line(1, `"who":"ann"`))
	w.reopen()
	told := w.step(3*time.Hour, s)
	w.expect(told, "fires 1")
	if got := told[0].Window.To.Sub(told[0].Window.From); got < 3*time.Hour || got > 3*time.Hour+time.Minute {
		t.Errorf("a window of %s", got)
	}
	w.expect(w.step(time.Minute, s), "recovers 0")
}

func TestAWindowIsTheConditionsUnlessSomethingWasMissed(t *testing.T) {
	to := time.Date(2026, 3, 1, 9, 0, 0, 999_999, time.UTC)
	end := to.Truncate(time.Millisecond)
	for _, test := range []struct {
		last time.Time
		from time.Duration // before the end
		late bool
	}{
		{time.Time{}, 5 * time.Minute, false},
		{end.Add(-time.Minute), 5 * time.Minute, false},
		{end.Add(-5 * time.Minute), 5 * time.Minute, false},
		{end.Add(-7 * time.Minute), 7 * time.Minute, true},
		{end.Add(-100 * time.Hour), 24*time.Hour + 5*time.Minute, true},
		{end.Add(time.Hour), 5 * time.Minute, false}, // the clock was set back
	} {
		w := windowOf(5*time.Minute, test.last, to)
		if !w.to.Equal(end) || w.to.Sub(w.from) != test.from || w.late != test.late {
			t.Errorf("after %s: %+v", test.last, w)
		}
	}
}

// brokenStore fails as a test says.
type brokenStore struct {
	search.Store
	err error
}

func (b *brokenStore) Search(ctx context.Context, r search.Request) iter.Seq2[search.Record, error] {
	if b.err == nil {
		return b.Store.Search(ctx, r)
	}
	return func(yield func(search.Record, error) bool) { yield(search.Record{}, b.err) }
}

func (b *brokenStore) Groups(ctx context.Context, g search.Grouping) iter.Seq2[search.Group, error] {
	if b.err == nil {
		return b.Store.Groups(ctx, g)
	}
	return func(yield func(search.Group, error) bool) { yield(search.Group{}, b.err) }
}

func TestAnEvaluationThatFailsNeitherFiresNorRecovers(t *testing.T) {
	w := start(t)
	broken := &brokenStore{Store: w.store}
	w.options.Store = broken
	w.reopen()
	s := w.create("who=*", "count > 0 in 5m")
	w.receive(line(1, `"who":"ann"`))
	broken.err = errors.New("secret /path of the disk")
	w.expect(w.step(time.Minute, s))
	got := w.alerts.Status(s)
	if got.Status != StatusError || got.Error != "the store could not be searched: see the server's log" || got.EvaluatedAt.IsZero() {
		t.Errorf("%+v", got)
	}
	broken.err = nil
	w.expect(w.step(time.Minute, s), "fires 1")
	broken.err = errors.New("again")
	w.receive(line(2, `"who":"ann"`))
	w.expect(w.step(10*time.Minute, s))
	if got := w.alerts.Status(s); got.Status != StatusError || len(got.Firing) != 1 {
		t.Errorf("%+v", got)
	}
	broken.err, w.settled = nil, context.DeadlineExceeded
	w.expect(w.step(time.Minute, s))
	if got := w.alerts.Status(s); got.Error != errUnsettled.Error() {
		t.Errorf("%+v", got)
	}
	w.settled = nil
	// What the failed ones would have looked at is looked at now.
	w.expect(w.step(time.Minute, s))
	w.expect(w.step(time.Minute, s), "recovers 0")
}

func TestWhatIsTooHeavyAfterAGapIsGivenUpSoThatTheNextIsNot(t *testing.T) {
	w := start(t)
	broken := &brokenStore{Store: w.store}
	w.options.Store = broken
	w.reopen()
	s := w.create("who=*", "count > 0 in 5m")
	w.expect(w.step(time.Minute, s))
	broken.err = search.ErrTooMuch
	w.expect(w.step(2*time.Hour, s))
	if got := w.alerts.Status(s); got.Status != StatusError || !strings.Contains(got.Error, "was not evaluated") {
		t.Errorf("%+v", got)
	}
	broken.err = nil
	w.receive(line(1, `"who":"ann"`))
	told := w.step(time.Minute, s)
	w.expect(told, "fires 1")
	if got := told[0].Window.To.Sub(told[0].Window.From); got > 7*time.Minute {
		t.Errorf("a window of %s", got)
	}
}

func TestAChangeOfTheQueryEndsWhatFires(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m by who")
	w.receive(line(1, `"who":"ann"`))
	w.expect(w.step(time.Minute, s), "fires who=ann 1")
	s = w.update(s, func(g *Setting) { g.Name, g.Description, g.Alert.Every = "another name", "text", "2m" })
	w.expect(w.step(time.Minute, s))
	s = w.update(s, func(g *Setting) { g.Query = "who=* action=delete" })
	told := w.step(time.Minute, s)
	w.expect(told, "recovers who=ann")
	if told[0].Reason != "the alert was changed" || told[0].Value != nil || told[0].Since == nil {
		t.Errorf("%+v", told[0])
	}
	s = w.update(s, func(g *Setting) { g.Query = "who=*" })
	w.expect(w.step(time.Second, s), "fires who=ann 1")
	s = w.update(s, func(g *Setting) { g.Alert.Enabled = false })
	told = w.step(time.Second, s)
	w.expect(told, "recovers who=ann")
	if told[0].Reason != "the alert was switched off" {
		t.Errorf("%+v", told[0])
	}
	// What comes while it is off is not looked at when it is on again.
	w.receive(line(2, `"who":"bob"`))
	s = w.update(s, func(g *Setting) { g.Alert.Enabled = true })
	w.expect(w.step(time.Hour, s))
}

func TestAnAlertThatCannotBeReadSaysSo(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m")
	w.receive(line(1, `"who":"ann"`))
	w.expect(w.step(time.Minute, s), "fires 1")
	stored, _ := w.alerts.Search(s.ID)
	stored.Query = "who=* | of a later version"
	if err := w.alerts.searches.Update(t.Context(), s.ID, stored, stored.Revision); err != nil {
		t.Fatal(err)
	}
	w.expect(w.step(10*time.Minute, s))
	if got := w.alerts.Status(s); got.Status != StatusError || !strings.Contains(got.Error, "cannot be read: 1:9: ") || len(got.Firing) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestNothingIsKeptOfADeletedAlert(t *testing.T) {
	w := start(t)
	s := w.create("who=*", "count > 0 in 5m by who")
	w.receive(line(1, `"who":"ann"`))
	w.alerts.step(t.Context(), s.ID)
	s, _ = w.alerts.Search(s.ID)
	if err := w.alerts.Delete(t.Context(), s.ID, s.Revision); err != nil {
		t.Fatal(err)
	}
	plans, _ := w.alerts.plans()
	if _, planned := plans[s.ID]; !planned {
		t.Error("its end is not planned")
	}
	w.expect(w.step(time.Minute, s))
	if states, posts := w.alerts.states.List(""), w.alerts.outbox.List(""); len(states)+len(posts) != 0 {
		t.Errorf("%v %v", states, posts)
	}
	if plans, _ = w.alerts.plans(); len(plans) != 0 {
		t.Errorf("%v", plans)
	}
}

func TestMoreGroupsThanThereMayBeAreTold(t *testing.T) {
	var st state
	var readings []reading
	for i := range maxGroups + 7 {
		text := fmt.Sprint(i)
		key, group := groupOf([]string{"n"}, []*string{&text})
		readings = append(readings, reading{key: key, group: group, value: 1, holds: true})
	}
	at := time.Now()
	c := st.take(readings, at)
	if len(c.fires) != maxGroups || c.omitted != 7 || st.Omitted != 7 || len(st.Firing) != maxGroups {
		t.Fatalf("%d fire, %d omitted", len(c.fires), c.omitted)
	}
	// What fires keeps its place, and what was omitted takes one that is free.
	st.Posts = nil
	slices.Reverse(readings)
	if c = st.take(readings, at); len(c.fires)+len(c.recovers) != 0 || c.omitted != 7 {
		t.Fatalf("%d fire, %d omitted", len(c.fires), c.omitted)
	}
	readings = readings[:len(readings)-10]
	if c = st.take(readings, at); len(c.recovers) != 10 || len(c.fires) != 7 || st.Omitted != 0 {
		t.Fatalf("%d recover, %d fire, %d omitted", len(c.recovers), len(c.fires), st.Omitted)
	}
}

func TestGroupsWaitUntilThereIsRoomForTheirPosts(t *testing.T) {
	st := state{Posts: make([]string, maxPosts-1)}
	readings := []reading{{key: "a", value: 1, holds: true}, {key: "b", value: 1, holds: true}}
	if c := st.take(readings, time.Now()); len(c.fires) != 1 || st.Deferred != 1 || len(st.Firing) != 1 {
		t.Fatalf("%+v", st)
	}
	st.Posts = make([]string, maxPosts)
	if c := st.take(nil, time.Now()); len(c.recovers) != 0 || st.Deferred != 1 || len(st.Firing) != 1 {
		t.Fatalf("%+v", st)
	}
	st.Posts = nil
	if c := st.take(readings[1:], time.Now()); len(c.recovers) != 1 || len(c.fires) != 1 || st.Deferred != 0 {
		t.Fatalf("%+v", st)
	}
}
