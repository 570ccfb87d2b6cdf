package delivery

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/trailhook/trailhook/internal/broker"
)

// Webhooks fall into shards, and a shard belongs to one process at a time. A
// process beats while it lives; one whose beat the others have not seen change
// for deadAfter is taken for dead, and its shards are claimed by the rest. A
// process that cannot beat for fencedAfter stops sending by itself: with the
// grace that a request on its way has, that is before the others begin.
//
// No clock is compared with another's: each process times what it sees change.
const (
	shardCount   = 128
	beatEvery    = time.Second
	fencedAfter  = 2500 * time.Millisecond
	deadAfter    = 10 * time.Second // beyond fencedAfter, two beats and shutdownGrace
	forgetAfter  = time.Hour
	claimsAtOnce = 16
)

// shards is this process's part in the division. On an embedded broker, which
// one process holds alone, it is everything.
type shards struct {
	alone   bool
	id      string
	logger  *slog.Logger
	members *broker.Bucket[int]    // beats, by member
	owners  *broker.Bucket[string] // member, by shard
	seen    map[string]sighting    // of the other members
	// catchUp returns when this process has seen all that the last owner of a
	// shard wrote before it gave the shard back.
	catchUp func(context.Context) error

	mu     sync.Mutex
	held   map[int]*shard
	notify chan struct{} // closed and replaced when held changes
}

// shard is one that this process holds.
type shard struct {
	ctx    context.Context
	stop   context.CancelFunc
	leases sync.WaitGroup
}

func newShard() *shard {
	s := &shard{}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// sighting is a beat and when this process first saw it.
type sighting struct {
	revision uint64
	at       time.Time
}

func openShards(ctx context.Context, o Options, catchUp func(context.Context) error) (*shards, error) {
	s := &shards{
		alone: !o.Shared, id: uuid.NewString(), logger: o.Logger, catchUp: catchUp,
		seen: map[string]sighting{}, held: map[int]*shard{}, notify: make(chan struct{}),
	}
	if s.alone {
		return s, nil
	}
	var err error
	if s.members, err = broker.OpenBucket[int](ctx, o.Broker, "members"); err != nil {
		return nil, err
	}
	if s.owners, err = broker.OpenBucket[string](ctx, o.Broker, "shard_owners"); err != nil {
		s.members.Close()
		return nil, err
	}
	return s, nil
}

func (s *shards) close() {
	if !s.alone {
		s.members.Close()
		s.owners.Close()
	}
}

// lease returns a context that ends when this process must no longer send for
// the webhook, and what to call when it has stopped; false when it may not
// begin.
func (s *shards) lease(webhookID string) (ctx context.Context, done func(), ok bool) {
	if s.alone {
		return context.Background(), func() {}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.held[shardOf(webhookID)]
	if !ok || held.ctx.Err() != nil {
		return nil, nil, false
	}
	held.leases.Add(1)
	return held.ctx, held.leases.Done, true
}

// changed is closed when this process holds other shards than now.
func (s *shards) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notify
}

// run takes part until ctx is done, and then gives everything back, so that the
// others need not wait.
func (s *shards) run(ctx context.Context) {
	if s.alone {
		<-ctx.Done()
		return
	}
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	beaten := time.Now()
	for beat := 1; ctx.Err() == nil; beat++ {
		if err := s.beat(ctx, beat); err == nil {
			beaten = time.Now()
			s.divide(ctx)
		} else if time.Since(beaten) > fencedAfter {
			s.fence(err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	s.leave()
}

func (s *shards) beat(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	return s.members.Put(ctx, s.id, n)
}

// divide claims what falls to this process and is free, and gives back what
// falls to another that lives.
func (s *shards) divide(ctx context.Context) {
	living := s.living(ctx)
	var moving errgroup.Group
	moving.SetLimit(claimsAtOnce)
	for n := range shardCount {
		mine, held := s.falls(n, living), s.holds(n)
		moving.Go(func() error {
			switch {
			case mine && !held:
				s.claim(ctx, n)
			case !mine && held:
				s.release(ctx, n)
			}
			return nil
		})
	}
	moving.Wait()
}

// living returns the members that are not taken for dead, and in time forgets
// those that are.
func (s *shards) living(ctx context.Context) map[string]bool {
	now := time.Now()
	living := map[string]bool{s.id: true}
	for _, entry := range s.members.List("") {
		last, known := s.seen[entry.Key]
		if !known || last.revision != entry.Revision {
			last = sighting{entry.Revision, now}
			s.seen[entry.Key] = last
		}
		switch silent := now.Sub(last.at); {
		case silent < deadAfter:
			living[entry.Key] = true
		case silent > forgetAfter && entry.Key != s.id:
			_ = s.members.Delete(ctx, entry.Key, entry.Revision) // else the next look does
		}
	}
	for _, entry := range s.owners.List("") {
		if _, known := s.seen[entry.Value]; !known { // its beats are gone, or not here yet
			s.seen[entry.Value] = sighting{at: now}
		}
	}
	return living
}

// falls reports whether a shard falls to this process: to the living member of
// the highest hash with the shard's number (rendezvous hashing), so that a
// member who comes or goes moves no shard but its own.
func (s *shards) falls(n int, living map[string]bool) bool {
	best, highest := "", uint64(0)
	for member := range living {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s/%d", member, n)
		if sum := mix(h.Sum64()); sum > highest || sum == highest && member > best {
			best, highest = member, sum
		}
	}
	return best == s.id
}

// mix spreads a hash whose inputs differ in their last characters only (the
// finisher of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// dead reports whether an owner has been silent for so long that it cannot be
// sending any more. One that came after the last look is not known here yet: it
// lives.
func (s *shards) dead(owner string) bool {
	last, known := s.seen[owner]
	return known && time.Since(last.at) >= deadAfter
}

// claim takes a shard that nobody living owns.
func (s *shards) claim(ctx context.Context, n int) {
	key := strconv.Itoa(n)
	owner, err := s.owners.Get(key)
	switch {
	case errors.Is(err, broker.ErrNotFound):
		err = s.owners.Create(ctx, key, s.id)
	case err == nil && owner.Value == s.id, err == nil && s.dead(owner.Value):
		err = s.owners.Update(ctx, key, s.id, owner.Revision)
	default:
		return // it will be given back
	}
	if err == nil {
		err = s.catchUp(ctx)
	}
	if err != nil {
		if !errors.Is(err, broker.ErrConflict) {
			s.logger.Warn("cannot claim a shard of the webhooks; trying again", "shard", n, "error", err)
		}
		return
	}
	s.mu.Lock()
	s.held[n] = newShard()
	s.mu.Unlock()
	s.tell()
}

// release gives a shard back when its workers have stopped.
func (s *shards) release(ctx context.Context, n int) {
	s.mu.Lock()
	held := s.held[n]
	delete(s.held, n)
	s.mu.Unlock()
	held.stop()
	held.leases.Wait()
	key := strconv.Itoa(n)
	owner, err := s.owners.Get(key)
	if err != nil || owner.Value != s.id {
		return
	}
	if err := s.owners.Delete(ctx, key, owner.Revision); err != nil && !errors.Is(err, broker.ErrConflict) {
		s.logger.Warn("cannot give a shard of the webhooks back; it is free once this process is taken for dead", "shard", n, "error", err)
	}
}

// fence stops all sending: the others may take this process for dead.
func (s *shards) fence(cause error) {
	s.mu.Lock()
	held := s.held
	s.held = map[int]*shard{}
	s.mu.Unlock()
	if len(held) == 0 {
		return
	}
	s.logger.Error("deliveries stop here until the cluster answers again", "error", cause)
	for _, h := range held {
		h.stop()
	}
	for _, h := range held {
		h.leases.Wait()
	}
	s.tell()
}

// leave gives everything back.
func (s *shards) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	s.mu.Lock()
	var all []int
	for n := range s.held {
		all = append(all, n)
	}
	s.mu.Unlock()
	var releasing errgroup.Group
	releasing.SetLimit(claimsAtOnce)
	for _, n := range all {
		releasing.Go(func() error { s.release(ctx, n); return nil })
	}
	releasing.Wait()
	if entry, err := s.members.Get(s.id); err == nil {
		_ = s.members.Delete(ctx, s.id, entry.Revision) // else they wait until it is taken for dead
	}
}

func (s *shards) holds(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[n] != nil
}

func (s *shards) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.notify)
	s.notify = make(chan struct{})
}

func shardOf(webhookID string) int {
	h := fnv.New64a()
	h.Write([]byte(webhookID))
	return int(mix(h.Sum64()) % shardCount)
}
