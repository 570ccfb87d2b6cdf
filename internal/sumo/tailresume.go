package sumo

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

const (
	// maxMissed and maxMissedBytes bound what a tail that goes on is sent of what it
	// missed.
	maxMissed      = 10_000
	maxMissedBytes = 16 << 20

	// storingDisorder is by how much lines may be stored in another order than that
	// of their receipt: senders' requests overtake each other on their way into the
	// intake.
	storingDisorder = 10 * time.Second
)

// place is how far a tail is, which the ids of its events say: everything received
// before it was sent, or was stored before the tail began. In milliseconds.
type place int64

// after returns the place when a message was sent.
func (p place) after(r *search.Record) place {
	return max(p, place(r.Receipt.Add(-storingDisorder).UnixMilli()))
}

func (p place) String() string { return strconv.FormatInt(int64(p), 10) }

// resumed returns the place at which a tail goes on, as the header Last-Event-ID
// has it, or for one that begins the present time.
func resumed(r *http.Request) (at place, goesOn bool, err error) {
	given := r.Header.Get("Last-Event-ID")
	if given == "" {
		return place(time.Now().UnixMilli()), false, nil
	}
	ms, err := strconv.ParseInt(given, 10, 64)
	const last = 253402300799999 // the year 9999
	if err != nil || ms < 0 || ms > last {
		return 0, false, badRequest("Last-Event-ID %q is no id of an event of a tail", given)
	}
	return place(ms), true, nil
}

// missed is what was stored while a reader was away, and perhaps a little that
// came before: who reads knows what it has seen.
type missed struct {
	messages []search.Record // oldest first
	gap      bool            // there are older ones
	keys     map[search.Key]bool
}

var errEnough = errors.New("there is more than is sent")

// missedSince finds what a reader missed, by when it was received. The tail must
// be subscribed to the feed already, so that nothing is missed between the two; what
// comes by both is among the keys.
func (a *API) missedSince(ctx context.Context, asked tailRequest) (*missed, error) {
	end, err := a.beginSearch(ctx, directSearch)
	if err != nil {
		return nil, err
	}
	defer end()
	ctx, stop := context.WithTimeoutCause(ctx, searchTime, errSearchTime)
	defer stop()
	setting := asked.setting
	setting.From, setting.To, setting.ByReceiptTime = time.UnixMilli(int64(asked.at)), setting.Now, true
	since := search.Search{Query: asked.query, Setting: setting, OpenEnd: true, Limit: a.tails.maxMissed + 1}
	m := &missed{keys: map[search.Key]bool{}}
	size := 0
	_, err = since.Run(ctx, a.store, func(f search.Found) error {
		if size += f.Size(); len(m.messages) == a.tails.maxMissed || size > maxMissedBytes {
			return errEnough
		}
		message := f.Message()
		m.messages = append(m.messages, message)
		m.keys[message.Key()] = true
		return nil
	})
	m.gap = errors.Is(err, errEnough)
	if err != nil && !m.gap {
		return nil, searchProblem(err)
	}
	slices.Reverse(m.messages)
	return m, nil
}

// sent says whether the message is one that was missed, and is sent as such.
func (m *missed) sent(r search.Record) bool { return m != nil && m.keys[r.Key()] }
