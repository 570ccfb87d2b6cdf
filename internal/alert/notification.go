package alert

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/trailhook/trailhook/internal/search"
)

// The states that notifications tell of.
const (
	fires    = "fires"
	recovers = "recovers"
	test     = "test"
)

// The bounds of samples.
const (
	samplesOfGroup = 5
	sampleBytes    = 4 << 10 // of a line
	samplesScanned = 20_000  // messages that are looked at for them
	sampledGroups  = 50      // of one evaluation
)

// notification is the body of a post. docs/alerts.md says what its members mean.
type notification struct {
	ID        string             `json:"id"`
	State     string             `json:"state"`
	At        time.Time          `json:"at"`
	Alert     notifiedAlert      `json:"alert"`
	Window    notifiedWindow     `json:"window,omitzero"`
	Query     string             `json:"query"`
	Condition string             `json:"condition"`
	Group     map[string]*string `json:"group"`
	Value     *float64           `json:"value"`
	Since     *time.Time         `json:"since,omitempty"`
	Reason    string             `json:"reason,omitempty"`
	Omitted   int                `json:"omittedGroups,omitempty"`
	Link      string             `json:"link"`
	Samples   []sample           `json:"samples,omitempty"`
}

type notifiedAlert struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type notifiedWindow struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// sample is a line that a group has.
type sample struct {
	Time      time.Time `json:"time"`
	Receipt   time.Time `json:"receipt"`
	Source    string    `json:"source"`
	Signature string    `json:"signature"`
	Line      string    `json:"line"`
}

// ended is why a group recovers.
type ended struct {
	at     time.Time
	window window
	value  *float64
	reason string // empty: the condition does not hold any more
}

// tell makes the posts of what an evaluation changed.
func (a *Alerts) tell(ctx context.Context, s Search, d definition, w window, c change) []post {
	var told []post
	for _, f := range c.recovers {
		told = append(told, a.recovery(s, d, f, ended{at: w.to, window: w, value: &f.Value}))
	}
	if len(c.fires) == 0 {
		return told
	}
	samples := a.samples(ctx, s, d, w, c.fires[:min(len(c.fires), sampledGroups)])
	for _, f := range c.fires {
		n := a.notification(s, d, w, fires)
		n.Group, n.Value, n.Omitted, n.Samples = f.members(), &f.Value, c.omitted, samples[f.Key]
		told = append(told, newPost(s, f, n))
	}
	return told
}

// recovery is the post that tells that a group does not fire any more.
func (a *Alerts) recovery(s Search, d definition, f firing, e ended) post {
	n := a.notification(s, d, e.window, recovers)
	n.At, n.Group, n.Value, n.Since, n.Reason = e.at, f.members(), e.value, &f.Since, e.reason
	return newPost(s, f, n)
}

func (a *Alerts) notification(s Search, d definition, w window, state string) notification {
	n := notification{
		ID: uuid.NewString(), State: state, At: w.to, Alert: notifiedAlert{s.ID, s.Name}, Query: s.Query,
		Link: a.link(s, w), Group: map[string]*string{},
	}
	if !w.to.IsZero() {
		n.Window = notifiedWindow{w.from, w.to}
	}
	if s.Alert != nil {
		n.Condition = s.Alert.Condition
	}
	return n
}

// testNotification looks like one that fires.
func (a *Alerts) testNotification(s Search) (id string, body []byte) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	n := a.notification(s, definition{}, window{from: now.Add(-time.Minute), to: now}, test)
	n.Reason = "somebody tries whether this webhook can be reached"
	return n.ID, n.encode()
}

func (n notification) encode() []byte {
	body, err := json.Marshal(n)
	if err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	return body
}

// link leads to the search in the console.
func (a *Alerts) link(s Search, w window) string {
	asked := url.Values{"query": {s.Query}}
	if !w.to.IsZero() {
		asked.Set("from", w.from.Format(time.RFC3339Nano))
		asked.Set("to", w.to.Format(time.RFC3339Nano))
	}
	return a.BaseURL + "/?" + asked.Encode()
}

func (f firing) members() map[string]*string {
	group := make(map[string]*string, len(f.Group))
	for _, m := range f.Group {
		group[m.Field] = m.Value
	}
	return group
}

var errEnough = errors.New("there are enough samples")

// samples returns some of the newest messages of each group, as far as they are
// easily found: a notification is good without them.
func (a *Alerts) samples(ctx context.Context, s Search, d definition, w window, groups []firing) map[string][]sample {
	found := make(map[string][]sample, len(groups))
	if d.query.Aggregates() {
		return found
	}
	for _, f := range groups {
		found[f.Key] = nil
	}
	scanned, full := 0, 0
	asked := search.Search{Query: d.query, Setting: d.setting(w), Limit: samplesScanned}
	_, err := asked.Run(ctx, a.Store, func(f search.Found) error {
		scanned++
		message := f.Message()
		key := d.groupOfMessage(&message)
		if list, wanted := found[key]; wanted && len(list) < samplesOfGroup {
			found[key] = append(list, sampleOf(&message))
			if len(list)+1 == samplesOfGroup {
				full++
			}
		}
		if full == len(groups) || scanned == samplesScanned {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		a.Logger.Warn("an alert is told without samples", "alert", s.ID, "name", s.Name, "error", err)
	}
	return found
}

func sampleOf(m *search.Record) sample {
	return sample{
		Time: m.Time, Receipt: m.Receipt, Source: m.Source, Signature: m.Signature,
		Line: cut(search.Text(m.Raw), sampleBytes),
	}
}

// groupOfMessage is the key of the group that a message is in.
func (d definition) groupOfMessage(m *search.Record) string {
	values := make([]*string, len(d.condition.By))
	for i, name := range d.condition.By {
		values[i] = valueOf(m, name)
	}
	key, _ := groupOf(d.condition.By, values)
	return key
}

// valueOf returns what a name of the language stands for in a message.
func valueOf(m *search.Record, name string) *string {
	canonical, metadata := search.Metadata(name)
	if metadata {
		value := map[string]string{
			"_collector": m.Collector, "_source": m.Source, "_sourceCategory": m.Category, "_sourceHost": m.Host, "_sourceName": m.Name,
			"_signature": m.Signature, "_keyid": m.KeyID, "_raw": search.Text(m.Raw), "_parse_error": m.ParseError, "_time_note": m.TimeNote,
		}[canonical]
		if value == "" {
			return nil
		}
		return &value
	}
	for _, f := range m.Fields {
		if f.Name == name {
			return &f.Value
		}
	}
	return nil
}
