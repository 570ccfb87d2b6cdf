package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/entity"
)

// MaxCoreEntities is how many core entities a control plane holds at most.
const MaxCoreEntities = 10_000

// CoreEntity is a core entity of a control plane as it is kept. All of its
// fields are sealed: keys of consumers are secrets, and so can be the headers of
// a plugin or the address of a service.
type CoreEntity struct {
	Sealed []byte `json:"sealed"`
}

// coreSets are the entities of control planes, opened and decoded. Opening costs
// microseconds for each: what has not changed is kept.
type coreSets struct {
	none   *entity.Set
	mu     sync.Mutex
	planes map[string]*coreSet // by the prefix of their keys
}

type coreSet struct {
	changed <-chan struct{} // of the bucket; closed: look again
	opened  map[string]opened
	set     *entity.Set
}

type opened struct {
	revision uint64
	document entity.Document
}

func corePrefix(cp ControlPlane) string { return cp.OrgID + "." + cp.ID + "." }

func coreKey(cp ControlPlane, kind entity.Kind, id string) string {
	return corePrefix(cp) + string(kind) + "." + id
}

func coreContext(at string) string { return "core-entity " + at }

// CoreEntities returns all core entities of a control plane as they are now,
// and a channel that is closed when they may have changed.
func (r *Registry) CoreEntities(cp ControlPlane) (*entity.Set, <-chan struct{}, error) {
	r.cores.mu.Lock()
	defer r.cores.mu.Unlock()
	prefix := corePrefix(cp)
	known := r.cores.planes[prefix]
	if known == nil {
		known = &coreSet{}
	}
	changed := r.coreEntities.Changed() // before the read, so that no change falls between
	if known.changed == changed {
		return known.set, changed, nil
	}
	entries := r.coreEntities.List(prefix)
	if len(entries) == 0 { // as most control planes are
		delete(r.cores.planes, prefix)
		return r.cores.none, changed, nil
	}
	fresh := &coreSet{changed: changed, opened: make(map[string]opened, len(entries))}
	same := known.set != nil && len(entries) == len(known.opened)
	documents := map[entity.Kind][]entity.Document{}
	for _, entry := range entries {
		one, ok := known.opened[entry.Key]
		if !ok || one.revision != entry.Revision {
			document, err := r.openCoreEntity(entry)
			if err != nil {
				return nil, nil, err
			}
			one, same = opened{entry.Revision, document}, false
		}
		fresh.opened[entry.Key] = one
		kind, _, _ := strings.Cut(strings.TrimPrefix(entry.Key, prefix), ".")
		documents[entity.Kind(kind)] = append(documents[entity.Kind(kind)], one.document)
	}
	fresh.set = known.set
	if !same {
		fresh.set = entity.NewSet(documents)
	}
	r.cores.planes[prefix] = fresh
	return fresh.set, changed, nil
}

func (r *Registry) openCoreEntity(entry broker.Entry[CoreEntity]) (entity.Document, error) {
	plain, err := r.sealer.Open(entry.Value.Sealed, coreContext(entry.Key))
	if err != nil {
		return nil, fmt.Errorf("core entity %s: %w", entry.Key, err)
	}
	var document entity.Document
	if err := json.Unmarshal(plain, &document); err != nil {
		return nil, fmt.Errorf("core entity %s: %w", entry.Key, err)
	}
	return document, nil
}

// ServedControlPlane finds the control plane that a data plane of this server
// serves: by its id, or by its name among those that the oldest organization has
// in the region, since names of others are in the hands of others. changed is
// closed when control planes may have changed; ok tells whether there is one.
func (r *Registry) ServedControlPlane(reference, region string) (cp ControlPlane, changed <-chan struct{}, ok bool) {
	changed = r.controlPlanes.Changed()
	for _, one := range values(r.controlPlanes.List("")) {
		if one.ID == reference {
			return one, changed, true
		}
	}
	first, ok := r.FirstOrganization()
	if !ok {
		return ControlPlane{}, changed, false
	}
	for _, one := range r.ControlPlanes(first.ID, region) {
		if one.Name == reference {
			return one, changed, true
		}
	}
	return ControlPlane{}, changed, false
}

// CoreEntity finds one by its id or its name.
func (r *Registry) CoreEntity(cp ControlPlane, kind entity.Kind, reference string) (entity.Document, error) {
	set, _, err := r.CoreEntities(cp)
	if err != nil {
		return nil, err
	}
	if found, ok := set.Find(kind, reference); ok && !found.Ended(r.now().Unix()) {
		return found, nil
	}
	return nil, ErrNotFound
}

// CreateCoreEntity adds one. What it cannot be is an [*entity.Violation].
func (r *Registry) CreateCoreEntity(ctx context.Context, cp ControlPlane, kind entity.Kind, given entity.Document) (entity.Document, error) {
	return r.writeCore(ctx, cp, kind, func(set *entity.Set) (entity.Document, bool, error) {
		if set.Len() >= MaxCoreEntities {
			return nil, false, entity.TooMany(MaxCoreEntities)
		}
		made, err := kind.Complete(given, r.now().Unix())
		if err != nil {
			return nil, false, err
		}
		return made, true, set.CheckNew(kind, made)
	})
}

// PutCoreEntity makes or replaces the one with the id or the name. within, where
// it is not nil, says whether the one that is there may be replaced; else it is
// [ErrNotFound].
func (r *Registry) PutCoreEntity(ctx context.Context, cp ControlPlane, kind entity.Kind, reference string, given entity.Document, within func(entity.Document) bool) (entity.Document, error) {
	return r.writeCore(ctx, cp, kind, func(set *entity.Set) (entity.Document, bool, error) {
		given, err := kind.Named(given, reference)
		if err != nil {
			return nil, false, err
		}
		old, exists := set.Find(kind, reference)
		switch {
		case exists && within != nil && !within(old):
			return nil, false, ErrNotFound
		case exists:
			given = given.With("id", old.ID())
			if given["created_at"] == nil {
				given = given.With("created_at", old["created_at"])
			}
			if kind == entity.KeyAuths && given["key"] == nil {
				given = given.With("key", old["key"])
			}
		case set.Len() >= MaxCoreEntities:
			return nil, false, entity.TooMany(MaxCoreEntities)
		}
		made, err := kind.Complete(given, r.now().Unix())
		if err != nil {
			return nil, false, err
		}
		return made, !exists, set.CheckWrite(kind, made)
	})
}

// ChangeCoreEntity changes the one with the id or the name.
func (r *Registry) ChangeCoreEntity(ctx context.Context, cp ControlPlane, kind entity.Kind, reference string, change entity.Document, within func(entity.Document) bool) (entity.Document, error) {
	return r.writeCore(ctx, cp, kind, func(set *entity.Set) (entity.Document, bool, error) {
		old, exists := set.Find(kind, reference)
		if !exists || within != nil && !within(old) {
			return nil, false, ErrNotFound
		}
		made, err := kind.Merge(old, change, r.now().Unix())
		if err != nil {
			return nil, false, err
		}
		return made, false, set.CheckWrite(kind, made)
	})
}

// DeleteCoreEntity removes the one with the id or the name, with what goes with
// it. What keeps it is an [*entity.Violation].
func (r *Registry) DeleteCoreEntity(ctx context.Context, cp ControlPlane, kind entity.Kind, reference string, within func(entity.Document) bool) error {
	ctx, unlock, err := r.lockReferences(ctx, cp.OrgID)
	if err != nil {
		return err
	}
	defer unlock()
	set, _, err := r.CoreEntities(cp)
	if err != nil {
		return err
	}
	old, exists := set.Find(kind, reference)
	if !exists || within != nil && !within(old) {
		return ErrNotFound
	}
	removal, err := set.Removal(kind, old.ID())
	if err != nil {
		return err
	}
	// What refers to it goes first: after a failure in between all is still as it
	// may be, and it can be deleted again.
	for _, one := range removal {
		if err := r.removeCore(ctx, coreKey(cp, one.Kind, one.ID)); err != nil {
			return fmt.Errorf("delete %s %s: %w", one.Kind, one.ID, err)
		}
	}
	return nil
}

func (r *Registry) removeCore(ctx context.Context, at string) error {
	_, err := remove(ctx, r.coreEntities, at)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// writeCore writes what make makes of the control plane's entities, while nobody
// else writes to them.
func (r *Registry) writeCore(ctx context.Context, cp ControlPlane, kind entity.Kind, make func(*entity.Set) (made entity.Document, isNew bool, err error)) (entity.Document, error) {
	ctx, unlock, err := r.lockReferences(ctx, cp.OrgID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := r.ControlPlane(cp.OrgID, cp.Region, cp.ID); err != nil {
		return nil, err // deleted meanwhile
	}
	set, err := r.lastingEntities(ctx, cp)
	if err != nil {
		return nil, err
	}
	made, isNew, err := make(set)
	if err != nil {
		return nil, err
	}
	at := coreKey(cp, kind, made.ID())
	plain, err := json.Marshal(made)
	if err != nil {
		return nil, fmt.Errorf("write %s %s: %w", kind, made.ID(), err)
	}
	sealed, err := r.sealer.Seal(plain, coreContext(at))
	if err != nil {
		return nil, fmt.Errorf("write %s %s: %w", kind, made.ID(), err)
	}
	if isNew {
		err = r.coreEntities.Create(ctx, at, CoreEntity{sealed})
	} else {
		err = r.coreEntities.Put(ctx, at, CoreEntity{sealed}) // the lock makes us the one writer
	}
	return made, wrap(err, "write %s %s", kind, made.ID())
}

// lastingEntities removes what has ended of a control plane, and returns what is
// left. Until then it is only passed over: nobody has to wait for its end.
func (r *Registry) lastingEntities(ctx context.Context, cp ControlPlane) (*entity.Set, error) {
	set, _, err := r.CoreEntities(cp)
	if err != nil {
		return nil, err
	}
	ended := set.Ended(r.now().Unix())
	if len(ended) == 0 {
		return set, nil
	}
	for _, one := range ended {
		if err := r.removeCore(ctx, coreKey(cp, one.Kind, one.ID)); err != nil {
			return nil, fmt.Errorf("remove %s %s, which has ended: %w", one.Kind, one.ID, err)
		}
	}
	set, _, err = r.CoreEntities(cp)
	return set, err
}

// emptyControlPlane removes the core entities of a control plane.
func (r *Registry) emptyControlPlane(ctx context.Context, cp ControlPlane) error {
	for _, entry := range r.coreEntities.List(corePrefix(cp)) {
		if err := r.removeCore(ctx, entry.Key); err != nil {
			return err
		}
	}
	return nil
}
