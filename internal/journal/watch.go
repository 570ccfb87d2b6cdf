package journal

import "sync"

// Behind reports whether the journal has, or had, events of the stream after
// the position. It costs no I/O.
func (j *Journal) Behind(s Stream, after Position) bool {
	subject, err := s.subject()
	if err != nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	f, ok := j.followed[subject]
	return ok && f.newest >= after.next()
}

// Told is how many messages of the stream were committed since the journal was
// opened, as far as this process has heard: each holds one event or more. It
// costs no I/O, and what it was before, taken from what it is, tells that
// something has come.
func (j *Journal) Told(s Stream) uint64 {
	subject, err := s.subject()
	if err != nil {
		return 0
	}
	return j.told(subject)
}

func (j *Journal) told(subject string) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	f, ok := j.followed[subject]
	if !ok {
		return 0
	}
	return f.told
}

// Watcher tells in which streams events were committed, by this process or
// another. However many streams there are, it costs nothing while nothing
// happens.
type Watcher struct {
	journal *Journal
	c       chan struct{}

	mu      sync.Mutex
	changed map[string]bool // by subject
}

// Watch begins to watch all streams. Close the watcher when done with it.
func (j *Journal) Watch() *Watcher {
	w := &Watcher{journal: j, c: make(chan struct{}, 1), changed: map[string]bool{}}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.watchers[w] = true
	return w
}

// Close ends the watching.
func (w *Watcher) Close() {
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	delete(w.journal.watchers, w)
}

// C receives when there is something to take.
func (w *Watcher) C() <-chan struct{} { return w.c }

// Take returns the streams in which events were committed since the last Take.
func (w *Watcher) Take() []Stream {
	w.mu.Lock()
	changed := w.changed
	w.changed = map[string]bool{}
	w.mu.Unlock()
	streams := make([]Stream, 0, len(changed))
	for subject := range changed {
		streams = append(streams, streamOf(subject))
	}
	return streams
}

func (w *Watcher) note(subject string) {
	w.mu.Lock()
	w.changed[subject] = true
	w.mu.Unlock()
	select {
	case w.c <- struct{}{}:
	default:
	}
}
