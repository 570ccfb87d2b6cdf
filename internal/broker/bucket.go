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
	name string
	kv   jetstream.KeyValue

	mu      sync.RWMutex
	entries map[string]Entry[T]
	seen    uint64        // the newest revision, of any key, that the watch has applied
	changed chan struct{} // closed and replaced at each change
	stop    context.CancelFunc
	stopped chan struct{}
}

// OpenBucket makes the bucket when it is missing and returns when all of it is
// in memory.
func OpenBucket[T any](ctx context.Context, b *Broker, name string) (*Bucket[T], error) {
	kv, err := b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, History: 1, Storage: jetstream.FileStorage, Replicas: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("broker: bucket %s: %w", name, err)
	}
	watchCtx, stop := context.WithCancel(context.Background())
	watcher, err := kv.WatchAll(watchCtx)
	if err != nil {
		stop()
		return nil, fmt.Errorf("broker: bucket %s: %w", name, err)
	}
	bucket := &Bucket[T]{
		name: name, kv: kv,
		entries: map[string]Entry[T]{}, changed: make(chan struct{}),
		stop: stop, stopped: make(chan struct{}),
	}
	loaded := make(chan error, 1)
	go bucket.watch(watcher, loaded, b)
	select {
	case err = <-loaded:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		bucket.Close()
		return nil, fmt.Errorf("broker: bucket %s: %w", name, err)
	}
	return bucket, nil
}

// Close ends the watch. Reads go on answering with what was seen last.
func (k *Bucket[T]) Close() {
	k.stop()
	<-k.stopped
}

func (k *Bucket[T]) watch(watcher jetstream.KeyWatcher, loaded chan<- error, b *Broker) {
	defer close(k.stopped)
	defer watcher.Stop()
	for update := range watcher.Updates() {
		if update == nil { // all that was there at the start has been seen
			loaded <- nil
			continue
		}
		if err := k.apply(update); err != nil {
			b.logger.Error("bucket holds an unreadable object; it is left out", "bucket", k.name, "key", update.Key(), "error", err)
		}
	}
	select {
	case loaded <- errors.New("the watch ended before everything was read"):
	default:
	}
}

func (k *Bucket[T]) apply(update jetstream.KeyValueEntry) error {
	entry := Entry[T]{Key: update.Key(), Revision: update.Revision()}
	var err error
	present := update.Operation() == jetstream.KeyValuePut
	if present {
		err = json.Unmarshal(update.Value(), &entry.Value)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = update.Revision()
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

// Create writes an object under a key that must not be in use ([ErrConflict]).
func (k *Bucket[T]) Create(ctx context.Context, key string, value T) error {
	return k.write(ctx, key, value, func(data []byte) (uint64, error) { return k.kv.Create(ctx, key, data) })
}

// Update replaces the object that was read at revision; [ErrConflict] when
// another has written it since.
func (k *Bucket[T]) Update(ctx context.Context, key string, value T, revision uint64) error {
	return k.write(ctx, key, value, func(data []byte) (uint64, error) { return k.kv.Update(ctx, key, data, revision) })
}

// Put writes the object whatever is there: for values with one writer only.
func (k *Bucket[T]) Put(ctx context.Context, key string, value T) error {
	return k.write(ctx, key, value, func(data []byte) (uint64, error) { return k.kv.Put(ctx, key, data) })
}

// Delete removes the object that was read at revision; [ErrConflict] when
// another has written it since.
func (k *Bucket[T]) Delete(ctx context.Context, key string, revision uint64) error {
	if err := k.kv.Delete(ctx, key, jetstream.LastRevision(revision)); err != nil {
		return k.failed("delete", key, err)
	}
	return k.await(ctx, func() bool { return k.entries[key].Revision != revision })
}

func (k *Bucket[T]) write(ctx context.Context, key string, value T, put func([]byte) (uint64, error)) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("broker: bucket %s: %w", k.name, err)
	}
	revision, err := put(data)
	if err != nil {
		return k.failed("write", key, err)
	}
	return k.await(ctx, func() bool { return k.seen >= revision })
}

func (k *Bucket[T]) failed(verb, key string, err error) error {
	var api *jetstream.APIError
	wrongRevision := errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
	if wrongRevision || errors.Is(err, jetstream.ErrKeyExists) {
		return fmt.Errorf("%s %s: %w", k.name, key, ErrConflict)
	}
	return fmt.Errorf("%w: %s %s %s: %w", ErrUnavailable, verb, k.name, key, err)
}

// await returns when this process's own watch makes done true. done runs with
// the lock held.
func (k *Bucket[T]) await(ctx context.Context, done func() bool) error {
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
			return fmt.Errorf("bucket %s: %w", k.name, ctx.Err())
		}
	}
}
