package broker

import (
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// electedSubject is where a cluster tells, with the stream's name at its end,
// that a stream has a new leader.
const electedSubject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."

// lastAnswers is how long answers of the old leader, or of the new one to what
// it has taken over, may be on their way when there is a new one.
const lastAnswers = 100 * time.Millisecond

var errLeaderChanged = errors.New("the stream's leader changed before it answered")

// led is a stream of a cluster as its writers see it. What is on the way to a
// leader that loses its office is not answered, by nobody, so that its writers
// would wait until they give up: they are told when there is another one.
type led struct {
	prefixes []string // of the stream's subjects
	term     *gate    // always open, and renewed with each new leader
}

// lead takes note of a stream that is going to be written to. It returns nil
// where there are no leaders.
func (b *Broker) lead(stream string, subjects ...string) *gate {
	if b.cluster == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.streams[stream]; known != nil {
		return known.term
	}
	l := &led{term: newGate(nil)}
	l.term.open()
	for _, subject := range subjects {
		prefix, _, _ := strings.Cut(subject, "*")
		l.prefixes = append(l.prefixes, strings.TrimSuffix(prefix, ">"))
	}
	b.streams[stream] = l
	return l.term
}

// termOf returns the term of the leader that a message goes to, or nil.
func (b *Broker) termOf(subject string) *gate {
	if b.cluster == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.streams {
		for _, prefix := range l.prefixes {
			if strings.HasPrefix(subject, prefix) {
				return l.term
			}
		}
	}
	return nil
}

// followElections has the cluster tell of new leaders. An account that may not
// know of them does without: its writers wait.
func (b *Broker) followElections() error {
	_, err := b.conn.Subscribe(electedSubject+"*", func(msg *nats.Msg) {
		b.mu.Lock()
		l := b.streams[strings.TrimPrefix(msg.Subject, electedSubject)]
		b.mu.Unlock()
		if l != nil {
			end := l.term.renew()
			time.AfterFunc(lastAnswers, func() { end(errLeaderChanged) })
		}
	})
	return err
}
