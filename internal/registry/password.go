package registry

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"github.com/trailhook/trailhook/internal/broker"
)

// The cost of one hash: OWASP's least for Argon2id, some 40 ms of a core.
const (
	passwordPasses  = 2
	passwordMemory  = 19 << 10 // KiB
	passwordThreads = 1
	passwordSalt    = 16 // bytes
	passwordLength  = 32 // bytes
)

// hashesAtOnce bounds the memory and the processors that hashing takes, however
// many want to log in.
const hashesAtOnce = 4

// password is what is kept of one: its Argon2id hash (RFC 9106), and how that was
// made. The zero password is none: nothing matches it.
type password struct {
	Passes  uint32 `json:"passes"`
	Memory  uint32 `json:"memory"` // KiB
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
	Hash    []byte `json:"hash"`
}

// hasher hashes passwords, a few at a time.
type hasher struct{ places *semaphore.Weighted }

func newHasher() hasher {
	return hasher{semaphore.NewWeighted(int64(min(runtime.GOMAXPROCS(0), hashesAtOnce)))}
}

// hash makes what is kept of the text.
func (h hasher) hash(ctx context.Context, text string) (password, error) {
	p := password{Passes: passwordPasses, Memory: passwordMemory, Threads: passwordThreads, Salt: make([]byte, passwordSalt)}
	rand.Read(p.Salt) // never fails
	var err error
	p.Hash, err = h.derive(ctx, text, p)
	return p, err
}

// matches reports whether the text is the password. It takes as long when there
// is none.
func (h hasher) matches(ctx context.Context, text string, kept password) (bool, error) {
	none := len(kept.Hash) == 0
	if none {
		kept = password{Passes: passwordPasses, Memory: passwordMemory, Threads: passwordThreads,
			Salt: make([]byte, passwordSalt), Hash: make([]byte, passwordLength)}
	}
	hash, err := h.derive(ctx, text, kept)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(hash, kept.Hash) == 1 && !none, nil
}

func (h hasher) derive(ctx context.Context, text string, p password) ([]byte, error) {
	if err := h.places.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("%w: too many passwords are being checked: %w", broker.ErrUnavailable, err)
	}
	defer h.places.Release(1)
	return argon2.IDKey([]byte(text), p.Salt, p.Passes, p.Memory, p.Threads, passwordLength), nil
}
