package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// gap is how many ordinals are left out at an opening: more than the process
	// before can have given to rows without having said so.
	gap = 1 << 36

	// maxVoids is how many voids are kept: when so many have come after one, no
	// insert of it is under way any more.
	maxVoids = 64

	// writeTimeout is how long the server may take to answer a write.
	writeTimeout = 30 * time.Second
)

// state is what the last row of the table intake says.
type state struct {
	session  string
	position uint64
	last     int64 // the last ordinal that is there
	voids    []void
	content  content
}

// void is a range of ordinals, both ends included, whose rows are not there.
type void struct{ from, to int64 }

// skip makes a void of the ordinals after the last, up to and including one.
func (s *state) skip(to int64) {
	if to <= s.last {
		return
	}
	s.voids = slices.Clone(s.voids)
	if n := len(s.voids); n > 0 && s.voids[n-1].to == s.last {
		s.voids[n-1].to = to
	} else {
		s.voids = append(s.voids, void{s.last + 1, to})
	}
	s.voids = s.voids[max(0, len(s.voids)-maxVoids):]
	s.last = to
}

// condition says in SQL which rows are there.
func (s *state) condition() string {
	condition := fmt.Sprintf(`"ordinal" <= %d`, s.last)
	if len(s.voids) > 0 {
		condition += ` AND NOT (` + s.inVoids() + `)`
	}
	return condition
}

func (s *state) inVoids() string {
	ranges := make([]string, len(s.voids))
	for i, v := range s.voids {
		ranges[i] = fmt.Sprintf(`"ordinal" BETWEEN %d AND %d`, v.from, v.to)
	}
	return strings.Join(ranges, ` OR `)
}

// current is what searches see.
func (s *Store) current() state {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	return s.state
}

func (s *Store) setState(to state) {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	s.state = to
}

// readState reads what the intake's last row says.
func (s *Store) readState(ctx context.Context) (state, error) {
	var found state
	var last uint64
	var from, to []int64
	targets := []any{&found.session, &found.position, &last, &from, &to}
	for _, set := range found.content.sets() {
		targets = append(targets, (*uint64)(set))
	}
	err := queryOne(ctx, s.writing.conn,
		`SELECT "session", "position", "last", "void_from", "void_to"`+columnList(contentColumns(), "")+` FROM intake ORDER BY "last" DESC LIMIT 1`, targets...)
	if err == nil && len(from) != len(to) {
		err = fmt.Errorf("%d voids begin and %d end", len(from), len(to))
	}
	if err != nil {
		return state{}, fmt.Errorf("read the intake's position: %w", err)
	}
	found.last = int64(last)
	for i := range from {
		found.voids = append(found.voids, void{from[i], to[i]})
	}
	return found, nil
}

// commit writes what is there from now on. One that has begun is finished.
func (s *Store) commit(ctx context.Context, to state) error {
	ctx = context.WithoutCancel(ctx)
	var from, until []int64
	for _, v := range to.voids {
		from, until = append(from, v.from), append(until, v.to)
	}
	row := []any{uint8(0), s.session, to.position, uint64(to.last), from, until}
	for _, set := range to.content.sets() {
		row = append(row, uint64(*set))
	}
	columns := append([]string{"one", "session", "position", "last", "void_from", "void_to"}, contentColumns()...)
	err := s.writing.insert(ctx, "intake", columns, [][]any{row})
	if err != nil {
		return fmt.Errorf("set the intake's position: %w", err)
	}
	s.setState(to)
	return nil
}

// takeOver makes this process the one that writes: with a session of its own, and
// with ordinals that no row of another has. Rows that others left without having
// said that they are there are deleted, and so is what they had begun to delete.
func (s *Store) takeOver(ctx context.Context) error {
	found, err := s.readState(ctx)
	if err != nil {
		return err
	}
	if found.session != "" {
		found.skip(found.last + gap)
	}
	found.session = s.session
	if err := s.commit(ctx, found); err != nil {
		return err
	}
	s.attempted = found.last
	if len(found.voids) == 0 {
		return nil
	}
	for _, table := range []string{"records", "untimed"} {
		var rows uint64
		if err := queryOne(ctx, s.writing.conn, `SELECT count() FROM `+table+` WHERE `+found.inVoids(), &rows); err != nil {
			return fmt.Errorf("look for what an earlier process left: %w", err)
		}
		if rows == 0 {
			continue
		}
		s.logger.InfoContext(ctx, "records of inserts that failed are deleted", "table", table, "records", rows)
		if err := s.delete(ctx, table, found.inVoids()); err != nil {
			return fmt.Errorf("delete what an earlier process left: %w", err)
		}
	}
	return s.waitForDeletions(ctx)
}
