// Package registry holds the platform's objects and identity: organizations,
// principals, tokens and roles, control planes with their core entities, portals
// and their developers, audit-log destinations and webhooks, and the keys that events are signed with.
//
// All of it is small and kept in memory (see [broker.Bucket]): to authenticate
// a token or to look an object up costs no I/O. A write is durable, and seen by
// every read of this process, when it returns. Every object belongs to one
// organization, and every method that reads or writes one is told which: what
// is another's is [ErrNotFound], the same as what does not exist.
package registry

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/seal"
)

var (
	// ErrNotFound says that the organization has no such object.
	ErrNotFound = broker.ErrNotFound
	// ErrConflict says that another wrote the object at the same moment.
	ErrConflict = broker.ErrConflict
	// ErrNameTaken says that another object of the kind has the name.
	ErrNameTaken = errors.New("the name is taken")
	// ErrInUse says that an object cannot go because another refers to it.
	ErrInUse = errors.New("in use")
	// ErrAssigned says that the principal has the role already.
	ErrAssigned = errors.New("the role is assigned already")
	// ErrLastAdmin says that the organization would be left without an admin.
	ErrLastAdmin = errors.New("the last admin of the organization")
)

// InvalidError says which value of an object cannot be, by what rule (in the
// words of Konnect's invalid_parameters) and why.
type InvalidError struct {
	Field, Rule, Reason string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Reason }

// Registry is the open registry. Its methods are safe for concurrent use.
type Registry struct {
	sealer    *seal.Sealer
	allowHTTP bool
	now       func() time.Time
	shared    bool
	hasher    hasher

	organizations *broker.Bucket[Organization]
	users         *broker.Bucket[User]
	systems       *broker.Bucket[SystemAccount]
	tokens        *broker.Bucket[Token]
	controlPlanes *broker.Bucket[ControlPlane]
	portals       *broker.Bucket[Portal]
	developers    *broker.Bucket[Developer]
	names         *broker.Bucket[nameClaim]
	destinations  *broker.Bucket[Destination]
	webhooks      *broker.Bucket[Webhook]
	replayJobs    *broker.Bucket[ReplayJob]
	signingKeys   *broker.Bucket[SigningKey]
	coreEntities  *broker.Bucket[CoreEntity]
	cores         coreSets

	uses   uses
	ending context.CancelFunc
	ended  sync.WaitGroup

	// references orders what refers to an object against what removes it.
	references sync.Mutex
	opened     []bucket
	catching   catching
}

// bucket is what all buckets have, whatever they hold.
type bucket interface {
	CatchUp(context.Context) error
	Close()
}

// Options are what a registry needs besides the broker.
type Options struct {
	Sealer    *seal.Sealer
	AllowHTTP bool // destinations may have http:// endpoints
	Now       func() time.Time
	Shared    bool // other processes write to the broker too
}

// Open reads the registry of the broker into memory.
func Open(ctx context.Context, b *broker.Broker, o Options) (*Registry, error) {
	r := &Registry{sealer: o.Sealer, allowHTTP: o.AllowHTTP, now: o.Now, shared: o.Shared, hasher: newHasher(), cores: coreSets{none: entity.NewSet(nil), planes: map[string]*coreSet{}}}
	running, ending := context.WithCancel(context.Background())
	r.ending = ending
	err := errors.Join(
		open(ctx, b, r, &r.organizations, "organizations"),
		open(ctx, b, r, &r.users, "users"),
		open(ctx, b, r, &r.systems, "system_accounts"),
		open(ctx, b, r, &r.tokens, "tokens"),
		open(ctx, b, r, &r.controlPlanes, "control_planes"),
		open(ctx, b, r, &r.portals, "portals"),
		open(ctx, b, r, &r.developers, "developers"),
		open(ctx, b, r, &r.names, "names"),
		open(ctx, b, r, &r.destinations, "destinations"),
		open(ctx, b, r, &r.webhooks, "webhooks"),
		open(ctx, b, r, &r.replayJobs, "replay_jobs"),
		open(ctx, b, r, &r.signingKeys, "signing_keys"),
		open(ctx, b, r, &r.coreEntities, "core_entities"),
	)
	if err == nil {
		err = r.ensureSigningKey(ctx)
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("registry: %w", err)
	}
	r.ended.Go(func() { r.keepUses(running) })
	return r, nil
}

func open[T any](ctx context.Context, b *broker.Broker, r *Registry, into **broker.Bucket[T], name string) error {
	bucket, err := broker.OpenBucket[T](ctx, b, name)
	if err != nil {
		return err
	}
	*into = bucket
	r.opened = append(r.opened, bucket)
	return nil
}

// Close ends the watches, and waits for what was being written.
func (r *Registry) Close() {
	r.ending()
	r.ended.Wait()
	for _, bucket := range r.opened {
		bucket.Close()
	}
}

// instant is the present as objects carry it.
func (r *Registry) instant() time.Time { return r.now().UTC().Truncate(time.Millisecond) }

// instantAfter is the present, or later by what it takes to differ from the
// last: whoever compares two states of an object by their times tells them apart.
func (r *Registry) instantAfter(last time.Time) time.Time {
	if now := r.instant(); now.After(last) {
		return now
	}
	return last.Add(time.Millisecond)
}

func newID() string { return uuid.NewString() }

// key is where an object of an organization stands in its bucket. Ids come
// from URLs: one that is not a UUID names nothing, and never reaches a bucket.
func key(organization, id string) (string, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return "", ErrNotFound
	}
	return organization + "." + id, nil
}

// find returns an organization's object and where it stands.
func find[T any](bucket *broker.Bucket[T], organization, id string) (broker.Entry[T], error) {
	at, err := key(organization, id)
	if err != nil {
		return broker.Entry[T]{}, err
	}
	return bucket.Get(at)
}

// values strips a listing of keys and revisions.
func values[T any](entries []broker.Entry[T]) []T {
	list := make([]T, len(entries))
	for i, entry := range entries {
		list[i] = entry.Value
	}
	return list
}

// publicKeys is what a signature can be verified with.
func publicKeys(list []SigningKey) []ed25519.PublicKey {
	keys := make([]ed25519.PublicKey, len(list))
	for i, key := range list {
		keys[i] = key.Public
	}
	return keys
}
