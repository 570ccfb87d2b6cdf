package journal

import (
	"context"

	"github.com/trailhook/trailhook/internal/broker"
)

// followed is where one subject, or all of an organization in a region, stands:
// what wakes those who follow it. It costs a map entry while nothing happens.
type followed struct {
	newest   uint64        // sequence of the subject's newest message
	told     uint64        // how many messages were announced
	appended chan struct{} // closed and replaced when newest grows
}

// followTail has the engine tell of every message that is committed, by this
// process or another, and first of the newest of each subject that is there.
// Only the subjects and sequences travel. It returns when all that is there has
// been told of.
func (j *Journal) followTail(ctx context.Context) (err error) {
	j.tail, err = j.broker.Watch(ctx, broker.Watch{
		Stream:         streamName,
		Subject:        subjectPrefix + ">",
		LastPerSubject: true,
		HeadersOnly:    true,
		Each:           func(m broker.Message) { j.announce(m.Subject, m.Sequence) },
	})
	return err
}

// announce wakes the followers of a subject.
func (j *Journal) announce(subject string, sequence uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.stateOf(subject)
	if sequence <= f.newest {
		return
	}
	f.newest = sequence
	f.told++
	whole := j.stateOf(allPortals(subject))
	whole.newest = max(whole.newest, sequence)
	for watcher := range j.watchers {
		watcher.note(subject)
	}
	if f.appended != nil {
		close(f.appended)
		f.appended = nil
	}
}

// stateOf returns where the subject stands. The caller holds the lock.
func (j *Journal) stateOf(subject string) *followed {
	f, ok := j.followed[subject]
	if !ok {
		f = &followed{}
		j.followed[subject] = f
	}
	return f
}

// newest returns the sequence of the subject's newest message, and a channel
// that is closed when there is a newer one. Of a pattern of [allPortals] only
// the sequence is told.
func (j *Journal) newest(subject string) (uint64, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.stateOf(subject)
	if f.appended == nil {
		f.appended = make(chan struct{})
	}
	return f.newest, f.appended
}
