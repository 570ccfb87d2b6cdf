package collector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

var (
	// ErrNameTaken says that another collector, or another source of the same
	// collector, has the name. Sumo Logic refuses both.
	ErrNameTaken = errors.New("the name is in use")
	// ErrInvalid is wrapped by what is wrong with an object that was given.
	ErrInvalid = errors.New("invalid")
)

// maxName is the longest name of a collector, a source or an access key, in
// bytes (Sumo Logic's limit for names is 128 characters).
const maxName = 128

// Collector is a group of sources, called "hosted collector" by Sumo Logic.
type Collector struct {
	ID       int64
	Name     string
	Category string            // of sources that have none
	Fields   map[string]string // given to every record of its sources
	// Echo holds settings of clients that change nothing here; they are given
	// back as they came, because Terraform compares them.
	Echo      map[string]json.RawMessage
	CreatedAt time.Time
	Revision  uint64 `json:"-"` // for optimistic concurrency: what was read
}

// Catalog holds the collectors, sources and access keys. Reads come from
// memory; a write is durable when it returns. All methods may be called
// concurrently.
//
// Names are kept unique, and an administrator kept, by a lock in this process,
// which suffices for the embedded broker: its data directory has one process at
// a time.
type Catalog struct {
	changing   sync.Mutex // held while what concerns several objects is checked and one is written
	collectors *broker.Bucket[Collector]
	sources    *broker.Bucket[Source]
	keys       *broker.Bucket[AccessKey]
	counters   *broker.Bucket[int64]
	lastLines  *broker.Bucket[time.Time] // when each source received its last line; see Statistics
}

// OpenCatalog makes the buckets of the catalog when they are missing and
// returns when all of it is in memory.
func OpenCatalog(ctx context.Context, b *broker.Broker) (*Catalog, error) {
	c := &Catalog{}
	var err error
	if c.collectors, err = broker.OpenBucket[Collector](ctx, b, "siem-collectors"); err != nil {
		return nil, err
	}
	if c.sources, err = broker.OpenBucket[Source](ctx, b, "siem-sources"); err != nil {
		c.Close()
		return nil, err
	}
	if c.keys, err = broker.OpenBucket[AccessKey](ctx, b, "siem-access-keys"); err != nil {
		c.Close()
		return nil, err
	}
	if c.counters, err = broker.OpenBucket[int64](ctx, b, "siem-counters"); err != nil {
		c.Close()
		return nil, err
	}
	if c.lastLines, err = broker.OpenBucket[time.Time](ctx, b, "siem-last-lines"); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the watches of the catalog. Close it before the broker.
func (c *Catalog) Close() {
	if c.collectors != nil {
		c.collectors.Close()
	}
	if c.sources != nil {
		c.sources.Close()
	}
	if c.keys != nil {
		c.keys.Close()
	}
	if c.counters != nil {
		c.counters.Close()
	}
	if c.lastLines != nil {
		c.lastLines.Close()
	}
}

// CreateCollector stores a new collector and returns it with its id. Errors:
// [ErrInvalid], [ErrNameTaken], [broker.ErrUnavailable].
func (c *Catalog) CreateCollector(ctx context.Context, collector Collector) (Collector, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if err := c.checkCollector(collector); err != nil {
		return Collector{}, err
	}
	id, err := c.nextID(ctx)
	if err != nil {
		return Collector{}, err
	}
	collector.ID = id
	collector.CreatedAt = time.Now().UTC()
	if err := c.collectors.Create(ctx, key(id), collector); err != nil {
		return Collector{}, fmt.Errorf("create collector %q: %w", collector.Name, err)
	}
	return c.Collector(id)
}

// Collector returns one collector, or [broker.ErrNotFound].
func (c *Catalog) Collector(id int64) (Collector, error) {
	entry, err := c.collectors.Get(key(id))
	return withCollectorRevision(entry), err
}

// Collectors returns all collectors, oldest first.
func (c *Catalog) Collectors() []Collector {
	var list []Collector
	for _, entry := range c.collectors.List("") {
		list = append(list, withCollectorRevision(entry))
	}
	slices.SortFunc(list, func(a, b Collector) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// UpdateCollector replaces the collector that was read at collector.Revision
// and returns what is stored. Errors: those of CreateCollector, and
// [broker.ErrConflict] when another has written it since.
func (c *Catalog) UpdateCollector(ctx context.Context, collector Collector) (Collector, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if err := c.checkCollector(collector); err != nil {
		return Collector{}, err
	}
	if err := c.collectors.Update(ctx, key(collector.ID), collector, collector.Revision); err != nil {
		return Collector{}, fmt.Errorf("update collector %q: %w", collector.Name, err)
	}
	return c.Collector(collector.ID)
}

// DeleteCollector removes the collector that was read at the revision, and
// its sources with it: they refuse what is sent to them from then on.
func (c *Catalog) DeleteCollector(ctx context.Context, id int64, revision uint64) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	// The collector goes first: a conflict must leave its sources in place,
	// and a source without a collector takes nothing.
	if err := c.collectors.Delete(ctx, key(id), revision); err != nil {
		return fmt.Errorf("delete collector %d: %w", id, err)
	}
	for _, source := range c.Sources(id) {
		if err := c.sources.Delete(ctx, key(source.ID), source.Revision); err != nil {
			return fmt.Errorf("delete source %d of collector %d: %w", source.ID, id, err)
		}
	}
	return nil
}

func (c *Catalog) checkCollector(collector Collector) error {
	if err := checkName("name", collector.Name); err != nil {
		return err
	}
	if strings.EqualFold(collector.Name, ownCollector) {
		return fmt.Errorf("%w: the name %q is kept for what this server makes itself", ErrInvalid, collector.Name)
	}
	for _, other := range c.Collectors() {
		if other.Name == collector.Name && other.ID != collector.ID {
			return fmt.Errorf("collector %q: %w", collector.Name, ErrNameTaken)
		}
	}
	return nil
}

func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: %s must not be empty", ErrInvalid, what)
	case len(name) > maxName:
		return fmt.Errorf("%w: %s must have at most %d bytes", ErrInvalid, what, maxName)
	}
	return nil
}

// nextID counts up a number that is stored, so that no id is ever given
// twice: what a deleted source has stored keeps its id. Terraform's provider
// for Sumo Logic wants ids to be integers.
func (c *Catalog) nextID(ctx context.Context) (int64, error) {
	const counter = "id"
	for {
		entry, err := c.counters.Get(counter)
		if errors.Is(err, broker.ErrNotFound) {
			err = c.counters.Create(ctx, counter, 1)
		} else {
			err = c.counters.Update(ctx, counter, entry.Value+1, entry.Revision)
		}
		if err == nil {
			return entry.Value + 1, nil
		}
		if !errors.Is(err, broker.ErrConflict) {
			return 0, fmt.Errorf("take a new id: %w", err)
		}
	}
}

func key(id int64) string { return strconv.FormatInt(id, 10) }

// parseKey returns the id that a key was made of, and 0, which nothing has, for
// what is no key.
func parseKey(key string) int64 {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func withCollectorRevision(entry broker.Entry[Collector]) Collector {
	entry.Value.Revision = entry.Revision
	return entry.Value
}
