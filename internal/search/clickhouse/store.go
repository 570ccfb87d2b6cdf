// Package clickhouse keeps searchable records in a database of ClickHouse, by its
// native protocol: version 18.16, which Debian has, and newer ones.
//
// # What is there, and what is not
//
// ClickHouse has no transactions: what several statements write appears, and
// survives, in parts. So rows are not there because they are in the table. The last
// row of the table intake says up to which ordinal they are, and up to which
// position of the intake these reach; it is written after the rows, in one piece.
// An insert that fails, or a process that ends in the middle of one, leaves rows
// behind that nobody sees: their ordinals are never given again, the ranges of
// them, called voids, are kept in the same row, and rows in them are deleted at
// the next start. It does not matter when such rows come to the table: an insert
// whose connection is lost may still be under way in the server.
//
// A line that is stored already is found by its identity before it is inserted:
// one that says its time at this time, by the order of the table, and one that does
// not in a table of such identities, untimed, that is in their order. What that
// costs does not grow with the store, and reads need not look for copies.
//
// One process writes to a database at a time: it notes a session of its own when
// it opens the store, and one whose session was replaced can insert no more.
//
// The text of a query never becomes part of a statement but as hexadecimal
// digits, and searches may change nothing.
//
// What is not ASCII is kept folded too (see [search.Fold]): engines fold letters
// differently from version to version.
//
// When Insert returns the rows are with the server. A server from version 21.1 on
// is told to sync them to its disk; an older one writes them to its disk when its
// system does, and can lose them if its power fails. A cluster relies on its
// replicas.
package clickhouse

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"

	"github.com/trailhook/trailhook/internal/search"
)

// searchConnections is how many statements of searches are under way at most.
const searchConnections = 16

// Store is a [search.Store] in a database of ClickHouse.
type Store struct {
	tables  tables
	logger  *slog.Logger
	session string

	pageSize  int // of a search, at first
	maxGroups int // of an answer

	inserting sync.Mutex  // held by Insert, and by Expire while it drops days
	writing   *connection // of Insert and Expire
	reading   *connection
	attempted int64 // the last ordinal that was given to a row; guarded by inserting

	stateMu sync.Mutex
	state   state

	newestMu sync.Mutex
	newest   map[string]int64 // the last ordinal of each source; nil until somebody asks

	views    views
	expiring sync.Mutex // held by Expire
}

var _ search.Store = (*Store)(nil)

// Open opens the store at the address, and makes its tables if the database has
// none. The database must exist.
func Open(ctx context.Context, address *Address, logger *slog.Logger) (*Store, error) {
	s := &Store{logger: logger, pageSize: pageSize, maxGroups: maxGroups, session: rand.Text()}
	if err := s.open(ctx, address); err != nil {
		s.Close()
		return nil, fmt.Errorf("open search store %s: %w", address, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, address *Address) error {
	writing, version, err := address.connect(ctx, 2, writeTimeout)
	if err != nil {
		return err
	}
	s.writing = writing
	if !atLeast(version, oldestMajor, oldestMinor) {
		return fmt.Errorf("the server has version %s: %d.%d or newer is needed", version.Version, oldestMajor, oldestMinor)
	}
	s.tables = tables{
		database: address.options.Auth.Database, cluster: address.cluster, modern: atLeast(version, modernMajor, modernMinor),
	}
	if s.reading, _, err = address.connect(ctx, searchConnections, 0); err != nil {
		return err
	}
	if err := s.prepareSchema(ctx); err != nil {
		return err
	}
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	s.logger.DebugContext(ctx, "search store opened", "address", address.String(), "server", version.Version.String(), "last_ordinal", s.attempted)
	return nil
}

// Position implements [search.Store].
func (s *Store) Position(context.Context) (uint64, error) { return s.current().position, nil }

// Close waits for an Insert under way and ends the connections.
func (s *Store) Close() error {
	s.inserting.Lock()
	defer s.inserting.Unlock()
	for _, c := range []*connection{s.writing, s.reading} {
		if c == nil {
			continue
		}
		if err := c.conn.Close(); err != nil {
			return fmt.Errorf("close search store: %w", err)
		}
	}
	return nil
}
