package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"sync"
	"time"
)

const (
	sessionIdle = time.Hour      // after which a session that is not used is over
	sessionLife = 12 * time.Hour // after which any is, counted from the first sign-in
	maxSessions = 1000           // at a time
	maxOwn      = 20             // of one credential
	maxNotices  = 5              // that wait for a page to show them
)

// session is what the server knows of a browser that has signed in. But for what
// the sessions' lock guards it never changes: a sign-in makes another one.
type session struct {
	credentials [halfCount]credential
	began       time.Time
	ended       context.Context // done when the session is over
	end         context.CancelFunc

	used    time.Time
	streams int      // that are open
	notices []string // for the next page
}

// credential is what a person signed in to a half with.
type credential struct {
	authorization string // the header's value; empty: they did not sign in to this half
	name          string // of the person or the key, to be shown
}

// holds says whether the session can call the half's API.
func (s *session) holds(h half) bool {
	return s != nil && h >= 0 && s.credentials[h].authorization != ""
}

// sessions are kept in memory, by a hash of the id that the browser has: who
// reads the memory, or a dump of it, cannot take a session over.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	byID map[[sha256.Size]byte]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, byID: map[[sha256.Size]byte]*session{}}
}

// newSecret returns 256 random bits.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// find returns the session with the id and counts it as used, or nil.
func (s *sessions) find(id string) *session {
	key := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.byID[key]
	if !ok {
		return nil
	}
	if s.over(found) {
		s.remove(key)
		return nil
	}
	found.used = s.now()
	return found
}

func (s *sessions) over(one *session) bool {
	now := s.now()
	return now.Sub(one.began) >= sessionLife || one.streams == 0 && now.Sub(one.used) >= sessionIdle
}

// begin makes a session with a new id in place of the browser's old one, whose
// credential for the other half it keeps, with the old one's age.
func (s *sessions) begin(oldID string, h half, c credential) (id string) {
	old := s.find(oldID)
	s.mu.Lock()
	defer s.mu.Unlock()
	made := &session{began: s.now(), used: s.now()}
	if old != nil {
		made.credentials = old.credentials
		for other := range old.credentials {
			if half(other) != h && old.holds(half(other)) {
				made.began = old.began
			}
		}
	}
	made.credentials[h] = c
	s.remove(sha256.Sum256([]byte(oldID)))
	s.makeRoom(h, c)
	made.ended, made.end = context.WithCancel(context.Background())
	id = newSecret()
	s.byID[sha256.Sum256([]byte(id))] = made
	return id
}

// makeRoom removes what is over, and of too many sessions those that were not
// used for longest: of the credential, so that nobody drives others out, and of
// all.
func (s *sessions) makeRoom(h half, c credential) {
	type entry struct {
		key  [sha256.Size]byte
		used time.Time
	}
	var all, own []entry
	for key, one := range s.byID {
		if s.over(one) {
			s.remove(key)
			continue
		}
		all = append(all, entry{key, one.used})
		if one.credentials[h].authorization == c.authorization {
			own = append(own, entry{key, one.used})
		}
	}
	removeOldest := func(list []entry, most int) {
		if len(list) < most {
			return
		}
		slices.SortFunc(list, func(a, b entry) int { return a.used.Compare(b.used) })
		for _, e := range list[:len(list)-most+1] {
			s.remove(e.key)
		}
	}
	removeOldest(own, maxOwn)
	removeOldest(all, maxSessions)
}

// remove is called with the lock held. It ends the session's streams.
func (s *sessions) remove(key [sha256.Size]byte) {
	if one, ok := s.byID[key]; ok {
		one.end()
		delete(s.byID, key)
	}
}

// finish ends the session with the id.
func (s *sessions) finish(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(sha256.Sum256([]byte(id)))
}

func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.byID {
		s.remove(key)
	}
}

// note leaves a notice for the session's next page.
func (s *sessions) note(one *session, notice string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(one.notices) < maxNotices {
		one.notices = append(one.notices, notice)
	}
}

func (s *sessions) takeNotices(one *session) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	notices := one.notices
	one.notices = nil
	return notices
}

// stream returns a context for an answer that goes on until the session is over.
// While it does, the session counts as used.
func (s *sessions) stream(ctx context.Context, one *session) (_ context.Context, done func()) {
	s.mu.Lock()
	one.streams++
	left := sessionLife - s.now().Sub(one.began)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, left)
	stop := context.AfterFunc(one.ended, cancel)
	return ctx, func() {
		stop()
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		one.streams--
		one.used = s.now()
	}
}
