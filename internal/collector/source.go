package collector

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// Source is an HTTP source: an address of its own to which lines are posted.
// With Syslog it takes syslog messages besides.
type Source struct {
	ID          int64
	CollectorID int64
	Name        string
	Category    string
	Host        string
	Fields      map[string]string // given to every record
	Code        string            // the secret part of its address: 192 random bits
	// RequireAccessKey demands an access key in the Authorization header on
	// top of the code.
	RequireAccessKey bool
	// JWKSURL and JWKS say which keys sign its lines: a key set at an address,
	// or the set itself, as [ParseJWKS] gives it. With neither it is the
	// server's default.
	JWKSURL       string
	JWKS          json.RawMessage `json:",omitempty"`
	Quarantine    Quarantine
	RetentionDays int                        // how long its lines are kept; 0: the server's default
	Forwarding    *Forwarding                `json:",omitempty"`
	Syslog        *SyslogFrom                `json:",omitempty"` // nil: no syslog
	Echo          map[string]json.RawMessage // as in Collector
	CreatedAt     time.Time
	Revision      uint64 `json:"-"` // as in Collector
}

// MaxRetentionDays is the longest retention that a source may have.
const MaxRetentionDays = 3650

// CreateSource stores a new source with an id and a code of its own and
// returns it. Errors: [ErrInvalid], [ErrNameTaken], [broker.ErrNotFound] for
// its collector, [broker.ErrUnavailable].
func (c *Catalog) CreateSource(ctx context.Context, source Source) (Source, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if err := c.checkSource(source); err != nil {
		return Source{}, err
	}
	id, err := c.nextID(ctx)
	if err != nil {
		return Source{}, err
	}
	source.ID = id
	source.Code = newCode(id)
	source.CreatedAt = time.Now().UTC()
	if err := c.sources.Create(ctx, key(id), source); err != nil {
		return Source{}, fmt.Errorf("create source %q: %w", source.Name, err)
	}
	return c.Source(id)
}

// Source returns one source, or [broker.ErrNotFound].
func (c *Catalog) Source(id int64) (Source, error) {
	entry, err := c.sources.Get(key(id))
	return withSourceRevision(entry), err
}

// Sources returns the sources of one collector, oldest first.
func (c *Catalog) Sources(collectorID int64) []Source {
	var list []Source
	for _, entry := range c.sources.List("") {
		if entry.Value.CollectorID == collectorID {
			list = append(list, withSourceRevision(entry))
		}
	}
	slices.SortFunc(list, func(a, b Source) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// UpdateSource replaces the source that was read at source.Revision and
// returns what is stored. Its code and its collector stay. Errors: those of
// CreateSource, and [broker.ErrConflict] when another has written it since.
func (c *Catalog) UpdateSource(ctx context.Context, source Source) (Source, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	stored, err := c.Source(source.ID)
	if err != nil {
		return Source{}, err
	}
	source.Code, source.CollectorID, source.CreatedAt = stored.Code, stored.CollectorID, stored.CreatedAt
	if err := c.checkSource(source); err != nil {
		return Source{}, err
	}
	if err := c.sources.Update(ctx, key(source.ID), source, source.Revision); err != nil {
		return Source{}, fmt.Errorf("update source %q: %w", source.Name, err)
	}
	return c.Source(source.ID)
}

// DeleteSource removes the source that was read at the revision. What it has
// received stays.
func (c *Catalog) DeleteSource(ctx context.Context, id int64, revision uint64) error {
	if err := c.sources.Delete(ctx, key(id), revision); err != nil {
		return fmt.Errorf("delete source %d: %w", id, err)
	}
	return nil
}

// SourceByCode finds the source whose address holds the code, and its
// collector. How long it takes tells nothing about the codes there are.
func (c *Catalog) SourceByCode(code string) (Source, Collector, bool) {
	source, _ := c.Source(idOfCode(code)) // the zero Source has no code, which fits none
	given, stored := sha256.Sum256([]byte(code)), sha256.Sum256([]byte(source.Code))
	if subtle.ConstantTimeCompare(given[:], stored[:]) != 1 || code == "" {
		return Source{}, Collector{}, false
	}
	collector, err := c.Collector(source.CollectorID)
	if err != nil {
		return Source{}, Collector{}, false
	}
	return source, collector, true
}

// RetentionDays is how many days the records with a source's id are kept, those
// of its quarantine too; 0 is the server's default, which also counts for what
// deleted sources have left.
func (c *Catalog) RetentionDays(sourceID string) int {
	id, err := strconv.ParseInt(strings.TrimSuffix(sourceID, quarantineID), 10, 64)
	if err != nil {
		return 0
	}
	source, _ := c.Source(id) // the zero Source has the default
	return source.RetentionDays
}

// origin is where the lines of the source come from that are received now.
func (s *Source) origin(collector Collector) Origin {
	origin := Origin{
		SourceID:   s.ID,
		Collector:  collector.Name,
		Source:     s.Name,
		Category:   cmp.Or(s.Category, collector.Category),
		Host:       s.Host,
		Fields:     map[string]string{},
		JWKSURL:    s.keysURL(),
		Quarantine: s.Quarantine,
	}
	maps.Copy(origin.Fields, collector.Fields)
	maps.Copy(origin.Fields, s.Fields)
	return origin
}

func (c *Catalog) checkSource(source Source) error {
	if err := checkName("name", source.Name); err != nil {
		return err
	}
	if err := source.Syslog.check(); err != nil {
		return err
	}
	if reservedName(source.Name) {
		return fmt.Errorf("%w: the name %q is kept for what this server makes itself", ErrInvalid, source.Name)
	}
	if source.RetentionDays < 0 || source.RetentionDays > MaxRetentionDays {
		return fmt.Errorf("%w: retentionDays must be a number from 0 to %d", ErrInvalid, MaxRetentionDays)
	}
	if _, err := c.Collector(source.CollectorID); err != nil {
		return err
	}
	for _, other := range c.Sources(source.CollectorID) {
		if other.Name == source.Name && other.ID != source.ID {
			return fmt.Errorf("source %q: %w", source.Name, ErrNameTaken)
		}
	}
	return nil
}

// codeRandom is how many bytes of a code are random. The source's id follows
// them, so that a code is looked up without an index; it is no secret.
const codeRandom = 24

func newCode(id int64) string {
	code := make([]byte, codeRandom, codeRandom+8)
	rand.Read(code) // never fails
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(code, uint64(id)))
}

// idOfCode returns the source id in a code, and 0, which no source has, for
// what is not a code.
func idOfCode(code string) int64 {
	const length = (codeRandom + 8 + 2) / 3 * 4
	if len(code) > length {
		return 0
	}
	data, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil || len(data) != codeRandom+8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(data[codeRandom:]))
}

func withSourceRevision(entry broker.Entry[Source]) Source {
	entry.Value.Revision = entry.Revision
	return entry.Value
}
