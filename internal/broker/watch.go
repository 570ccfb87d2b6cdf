package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The pause before a watch that broke off is taken up again doubles from the
// first to the last of these.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// How long the engine may take to begin a watch doubles likewise.
const (
	firstPatience = time.Second
	lastPatience  = 30 * time.Second
)

// loadTries is how many looks, lastRetry apart, may find a watch interrupted
// that is not loaded yet.
const loadTries = 4

// missedPulses is after how many missing signs of life a watch counts as
// broken.
const missedPulses = 3

// Watch says what to watch.
type Watch struct {
	Stream  string
	Subject string // a filter that may hold wildcards
	// LastPerSubject begins with the newest message of each subject instead of
	// with all messages.
	LastPerSubject bool
	HeadersOnly    bool // without the messages' data
	// Each gets the messages, in order and one at a time. Until [Broker.Watch]
	// returns it may get some of them twice.
	Each func(Message)
}

// Watching is a watch under way.
type Watching struct {
	broker *Broker
	watch  Watch
	cancel context.CancelFunc
	ended  chan struct{}
	loaded chan struct{} // closed when all that was there at the start has been told of

	last     uint64        // sequence of the last message told of; run's own
	patience time.Duration // for an answer to the next request; run's own

	mu     sync.Mutex
	broken error // why nothing is told of at the moment
}

// Watch tells of the messages that the stream has and of those to come, and
// returns when it has told of all that were there. It goes on until it is
// closed: where the connection, the engine or a leader is lost, it is taken up
// where it was, without a gap.
func (b *Broker) Watch(ctx context.Context, watch Watch) (*Watching, error) {
	running, cancel := context.WithCancel(context.Background())
	w := &Watching{
		broker: b, watch: watch,
		patience: firstPatience, cancel: cancel, ended: make(chan struct{}), loaded: make(chan struct{}),
	}
	b.mu.Lock()
	b.watching[w] = struct{}{}
	b.mu.Unlock()
	go w.run(running)
	if err := w.wait(ctx); err != nil {
		w.Close()
		return nil, fmt.Errorf("%w: watch %s: %w", ErrUnavailable, watch.Stream, err)
	}
	return w, nil
}

// wait returns when the watch is loaded. A large stream takes its time; one that
// cannot be watched at all is given up.
func (w *Watching) wait(ctx context.Context) error {
	ticker := time.NewTicker(lastRetry)
	defer ticker.Stop()
	for broken := 0; ; {
		select {
		case <-w.loaded:
			return nil
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), w.trouble())
		case <-ticker.C:
		}
		err := w.trouble()
		if err == nil {
			broken = 0
		} else if broken++; broken > loadTries {
			return w.broker.explain(err)
		}
	}
}

// Close ends the watch. It returns when Each is not called any more.
func (w *Watching) Close() {
	w.cancel()
	<-w.ended
	w.broker.mu.Lock()
	defer w.broker.mu.Unlock()
	delete(w.broker.watching, w)
}

// trouble tells why the watch is interrupted, or nil.
func (w *Watching) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

func (w *Watching) setTrouble(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = err
}

func (w *Watching) run(ctx context.Context) {
	defer close(w.ended)
	pause := firstRetry
	for {
		alive, err := w.broker.linked.wait(ctx)
		if err != nil {
			return
		}
		began := time.Now()
		err = w.follow(ctx, alive)
		if ctx.Err() != nil {
			return
		}
		w.setTrouble(err)
		if alive.Err() != nil { // taken up again as soon as there is a connection
			pause = firstRetry
			continue
		}
		if time.Since(began) > lastRetry {
			pause = firstRetry
		}
		w.broker.logger.Warn("a watch broke off; it is taken up again", "stream", w.watch.Stream, "error", err)
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, lastRetry)
	}
}

// follow watches with one consumer for as long as that goes well.
func (w *Watching) follow(ctx, alive context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(alive, func() { cancel(context.Cause(alive)) })()

	conn := w.broker.conn
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	defer context.AfterFunc(ctx, func() { sub.Unsubscribe() })()
	pending, err := w.consume(ctx, inbox)
	if err != nil {
		return because(ctx, err)
	}
	w.setTrouble(nil)
	if pending == 0 {
		w.load()
	}
	for n := uint64(1); ; {
		msg, err := sub.NextMsg(missedPulses * w.broker.pulse)
		if err != nil {
			return because(ctx, err)
		}
		if msg.Header.Get("Status") != "" {
			if err := w.control(msg, n-1); err != nil {
				return err
			}
			continue
		}
		left, err := w.tell(msg, n)
		if err != nil {
			return err
		}
		if n++; n > pending || left == 0 {
			w.load()
		}
	}
}

func (w *Watching) isLoaded() bool {
	select {
	case <-w.loaded:
		return true
	default:
		return false
	}
}

func (w *Watching) load() {
	if !w.isLoaded() {
		close(w.loaded)
	}
}

// consume has the engine send to the inbox what comes after the last message.
// It returns how much of that there is already.
func (w *Watching) consume(ctx context.Context, inbox string) (pending uint64, err error) {
	// A cluster without a leader does not answer, not even when it has one
	// again; but to look through a large stream takes the engine its time.
	ctx, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	w.patience = min(2*w.patience, lastPatience)
	config := jetstream.ConsumerConfig{
		DeliverSubject:    inbox,
		FilterSubject:     w.watch.Subject,
		HeadersOnly:       w.watch.HeadersOnly,
		AckPolicy:         jetstream.AckNonePolicy,
		MaxDeliver:        1,
		MemoryStorage:     true,
		Replicas:          1,
		FlowControl:       true,
		IdleHeartbeat:     w.broker.pulse,
		InactiveThreshold: 5 * time.Second,
	}
	switch {
	case w.isLoaded():
		if err := w.checkEnd(ctx); err != nil {
			return 0, err
		}
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, w.last+1
	case w.watch.LastPerSubject:
		config.DeliverPolicy = jetstream.DeliverLastPerSubjectPolicy
	}
	consumer, err := w.broker.js.CreatePushConsumer(ctx, w.watch.Stream, config)
	if err != nil {
		return 0, err
	}
	w.patience = firstPatience
	info := consumer.CachedInfo()
	return info.NumPending + info.Delivered.Consumer, nil
}

// checkEnd makes sure that the stream is still the one that was watched: one
// that was deleted and made anew counts from the beginning, and what is written
// to it would not be told of.
func (w *Watching) checkEnd(ctx context.Context) error {
	stream, err := w.broker.js.Stream(ctx, w.watch.Stream)
	if err != nil {
		return err
	}
	if end := stream.CachedInfo().State.LastSeq; end < w.last {
		return fmt.Errorf("it ends at %d, but has been read up to %d: it was replaced, so this process must be started again", end, w.last)
	}
	return nil
}

// control answers what the engine sends besides messages: signs of life, which
// tell how many messages it has sent, and questions of whether they arrive.
func (w *Watching) control(msg *nats.Msg, received uint64) error {
	if status := msg.Header.Get("Status"); status != "100" {
		return fmt.Errorf("status %s %s", status, msg.Header.Get("Description"))
	}
	if msg.Reply != "" {
		return msg.Respond(nil)
	}
	if stalled := msg.Header.Get("Nats-Consumer-Stalled"); stalled != "" {
		return w.broker.conn.Publish(stalled, nil)
	}
	if sent := msg.Header.Get("Nats-Last-Consumer"); sent != "" && sent != fmt.Sprint(received) {
		return fmt.Errorf("%s messages were sent, and %d received", sent, received)
	}
	w.load() // there is nothing left to be sent
	return nil
}

// tell passes on the consumer's n-th message, and returns how many are left at
// the moment.
func (w *Watching) tell(msg *nats.Msg, n uint64) (left uint64, err error) {
	meta, err := msg.Metadata()
	if err != nil {
		return 0, err
	}
	if meta.Sequence.Consumer != n {
		return 0, errors.New("a message is missing")
	}
	w.last = meta.Sequence.Stream
	w.watch.Each(Message{
		Sequence: meta.Sequence.Stream,
		Subject:  msg.Subject,
		Stored:   meta.Timestamp,
		Pending:  meta.NumPending,
		Header:   msg.Header,
		Data:     msg.Data,
	})
	return meta.NumPending, nil
}
