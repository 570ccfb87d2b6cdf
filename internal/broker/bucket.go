package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrNotFound says that a bucket holds nothing under the key.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the key was written by another since it was read
	// (or, on Create, that it exists): read again and decide anew.
	ErrConflict = errors.New("written by another meanwhile")
)

// Entry is one object of a bucket and the revision it was read at.
type Entry[T any] struct {
	Key      string
	Value    T
	Revision uint64
}

// Bucket holds one kind of object, as JSON, under keys made of the characters
// A-Z a-z 0-9 - _ = . and /. Every process keeps all of it in memory, so reads
// cost no I/O; a write is durable, and seen by this process's own reads, when
// it returns. Values are shared: whoever gets one must not change what it
// points to.
type Bucket[T any] struct {
	name   string
	broker *Broker
	kv     jetstream.KeyValue
	term   *gate
	watch  *Watching

	mu      sync.RWMutex
	entries map[string]Entry[T]
	seen    uint64        // the newest revision, of any key, that the watch has applied
	changed chan struct{} // closed and replaced at each change
	stopped chan struct{}
	stop    sync.Once
}

// OpenBucket makes the bucket when it is missing, brings it to the broker's
// number of replicas, and returns when all of it is in memory. Its watch
// survives restarts of the engine and losses of the connection; while it is
// interrupted, [Broker.Healthy] says so.
func OpenBucket[T any](ctx context.Context, b *Broker, name string) (*Bucket[T], error) {
	kv, err := b.openKeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("broker: bucket %s: %w", name, err)
	}
	bucket := &Bucket[T]{
		name: name, broker: b, kv: kv,
		entries: map[string]Entry[T]{}, changed: make(chan struct{}), stopped: make(chan struct{}),
	}
	bucket.term = b.lead(bucketStream(name), bucket.subject(">"))
	bucket.watch, err = b.Watch(ctx, Watch{
		Stream: bucketStream(name), Subject: bucket.subject(">"), LastPerSubject: true,
		Each: func(m Message) {
			if err := bucket.apply(m); err != nil {
				b.logger.Error("bucket holds an unreadable object; it is left out", "bucket", name, "subject", m.Subject, "error", err)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("broker: bucket %s: %w", name, err)
	}
	return bucket, nil
}

// openKeyValue makes the bucket's stream or brings it to the number of replicas.
func (b *Broker) openKeyValue(ctx context.Context, name string) (kv jetstream.KeyValue, err error) {
	var stream jetstream.Stream
	err = b.insist(ctx, func(ctx context.Context) (err error) {
		kv, err = b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, Storage: jetstream.FileStorage, Replicas: b.replicas,
		})
		if err != nil {
			return err
		}
		stream, err = b.js.Stream(ctx, bucketStream(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	return kv, b.settle(ctx, stream)
}

// bucketStream is the stream that holds a bucket (NATS ADR-8).
func bucketStream(name string) string { return "KV_" + name }

func (k *Bucket[T]) subject(key string) string { return "$KV." + k.name + "." + key }

// Close ends the watch. Reads go on answering with what was seen last.
func (k *Bucket[T]) Close() {
	k.watch.Close()
	k.stop.Do(func() { close(k.stopped) })
}

// apply takes over a message of the bucket's stream: an object, or the mark of
// a deletion (NATS ADR-8, and ADR-48 for those of the server).
func (k *Bucket[T]) apply(m Message) error {
	entry := Entry[T]{Key: strings.TrimPrefix(m.Subject, k.subject("")), Revision: m.Sequence}
	var err error
	present := m.Header.Get("KV-Operation") == "" && m.Header.Get("Nats-Marker-Reason") == ""
	if present {
		err = json.Unmarshal(m.Data, &entry.Value)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = entry.Revision
	if present && err == nil {
		k.entries[entry.Key] = entry
	} else {
		delete(k.entries, entry.Key)
	}
	close(k.changed)
	k.changed = make(chan struct{})
	return err
}

// Get returns the object under key, or [ErrNotFound].
func (k *Bucket[T]) Get(key string) (Entry[T], error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	entry, ok := k.entries[key]
	if !ok {
		return Entry[T]{}, fmt.Errorf("%s %s: %w", k.name, key, ErrNotFound)
	}
	return entry, nil
}

// List returns the objects whose keys begin with prefix, in the order of their
// keys.
func (k *Bucket[T]) List(prefix string) []Entry[T] {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var list []Entry[T]
	for key, entry := range k.entries {
		if strings.HasPrefix(key, prefix) {
			list = append(list, entry)
		}
	}
	slices.SortFunc(list, func(a, b Entry[T]) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

// Changed returns a channel that is closed at the next change of the bucket.
// Take it before reading, so that no change falls between.
func (k *Bucket[T]) Changed() <-chan struct{} {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.changed
}

// CatchUp returns when this process has seen every write to the bucket that had
// returned, on any process, before the call. It asks the stream's leader.
func (k *Bucket[T]) CatchUp(ctx context.Context) error {
	newest, _, err := k.broker.Newest(ctx, bucketStream(k.name), k.subject(">"))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return k.await(ctx, func() bool { return k.seen >= newest })
}

// Create writes an object under a key that must not be in use ([ErrConflict]).
func (k *Bucket[T]) Create(ctx context.Context, key string, value T) error {
	return k.put(ctx, key, value, func(ctx context.Context, data []byte) (uint64, error) {
		return k.kv.Create(ctx, key, data)
	})
}

// Update replaces the object that was read at revision; [ErrConflict] when
// another has written it since.
func (k *Bucket[T]) Update(ctx context.Context, key string, value T, revision uint64) error {
	return k.put(ctx, key, value, func(ctx context.Context, data []byte) (uint64, error) {
		return k.kv.Update(ctx, key, data, revision)
	})
}

// Put writes the object whatever is there: for values with one writer only.
func (k *Bucket[T]) Put(ctx context.Context, key string, value T) error {
	return k.put(ctx, key, value, func(ctx context.Context, data []byte) (uint64, error) {
		return k.kv.Put(ctx, key, data)
	})
}

// Delete removes the object that was read at revision; [ErrConflict] when
// another has written it since.
func (k *Bucket[T]) Delete(ctx context.Context, key string, revision uint64) error {
	err := k.write(ctx, "delete", key, 0, func(ctx context.Context) error {
		return k.kv.Delete(ctx, key, jetstream.LastRevision(revision))
	})
	if err != nil {
		return err
	}
	return k.await(ctx, func() bool { return k.entries[key].Revision != revision })
}

func (k *Bucket[T]) put(ctx context.Context, key string, value T, put func(context.Context, []byte) (uint64, error)) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("broker: bucket %s: %w", k.name, err)
	}
	var revision uint64
	err = k.write(ctx, "write", key, len(data), func(ctx context.Context) (err error) {
		revision, err = put(ctx, data)
		return err
	})
	if err != nil {
		return err
	}
	return k.await(ctx, func() bool { return k.seen >= revision })
}

// write does what changes the bucket. As after [Broker.Publish], a change whose
// answer did not come may have been made.
func (k *Bucket[T]) write(ctx context.Context, verb, key string, size int, do func(context.Context) error) error {
	ctx, done, err := k.broker.write(ctx, size, k.term)
	if err != nil {
		return fmt.Errorf("%w: %s %s %s: %w", ErrUnavailable, verb, k.name, key, err)
	}
	defer done()
	err = do(ctx)
	var api *jetstream.APIError
	switch {
	case err == nil:
		k.broker.note(nil)
		return nil
	case errors.Is(err, jetstream.ErrKeyExists), errors.As(err, &api) && wrongRevision(api):
		return fmt.Errorf("%s %s: %w", k.name, key, ErrConflict)
	}
	k.broker.note(because(ctx, err))
	return fmt.Errorf("%w: %s %s %s: %w", ErrUnavailable, verb, k.name, key, because(ctx, err))
}

// wrongRevision tells a conflict from other refusals. A replicated stream has a
// code of its own for it.
func wrongRevision(err *jetstream.APIError) bool {
	return err.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		err.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant
}

// await returns when this process's own watch makes done true. done runs with
// the lock held.
func (k *Bucket[T]) await(ctx context.Context, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, k.broker.timeout)
	defer cancel()
	for {
		k.mu.RLock()
		ok, changed := done(), k.changed
		k.mu.RUnlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-k.stopped:
			return fmt.Errorf("%w: bucket %s is closed", ErrUnavailable, k.name)
		case <-ctx.Done():
			return fmt.Errorf("%w: bucket %s: what was written is not seen yet: %w", ErrUnavailable, k.name, context.Cause(ctx))
		}
	}
}
