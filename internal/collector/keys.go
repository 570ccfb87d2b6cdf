package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/outbound"
)

const (
	// keysTimeout bounds one fetch, keysMaxBody its answer in bytes.
	keysTimeout = 5 * time.Second
	keysMaxBody = 1 << 20
	// keysPause is the least time between two fetches of one URL; while none
	// has succeeded, the pause doubles from keysFirstPause to it.
	keysPause      = time.Minute
	keysFirstPause = time.Second
	// keysMaxAge is when a set is fetched anew although its keys fit, so that
	// a key that was withdrawn does not count for ever.
	keysMaxAge = time.Hour
	// keysPatience is how long the first lines of a URL wait for its keys.
	keysPatience = 5 * time.Second
)

// Keys verifies lines with the key sets of the sources, which it fetches by
// URL and keeps. Key sets are fetched at first use, when no key fits, and
// after an hour, but never more often than once a minute for each URL: a
// signer publishes a new key before it signs with it. Until the first fetch
// has succeeded it is tried again after 1 s, doubling up to a minute.
//
// A verdict is stored with its line and not revised. So that a restart of the
// key server does not leave "unknown key" behind, the first lines wait up to
// 5 s for the first successful fetch; after that, lines get "unknown key"
// until a fetch succeeds.
type Keys struct {
	fetch      func(ctx context.Context, url string) ([]byte, error)
	defaultURL string
	logger     *slog.Logger

	mu   sync.Mutex
	sets map[string]*cachedKeys
}

type cachedKeys struct {
	mu        sync.Mutex
	set       *audit.KeySet // nil until a fetch succeeded
	fitted    string        // id of the key that fitted last
	fetchedAt time.Time     // when it did
	next      time.Time     // no fetch before
	pause     time.Duration // between the last two fetches
	patience  time.Time     // until when lines wait for the first set; zero before the first line
	failing   bool
}

// NewKeys makes Keys that fetch through client. defaultURL is the JWKS of
// sources that name none; with neither, signed lines get "unknown key".
func NewKeys(client *outbound.Client, defaultURL string, logger *slog.Logger) *Keys {
	return &Keys{
		fetch: func(ctx context.Context, url string) ([]byte, error) {
			return fetchKeys(ctx, client, url)
		},
		defaultURL: defaultURL,
		logger:     logger,
		sets:       map[string]*cachedKeys{},
	}
}

// Verify says what [audit.KeySet.VerifyAll] does of lines, by the keys of the URL,
// or of the default one when it is empty. The only error is ctx's own.
func (k *Keys) Verify(ctx context.Context, url string, lines [][]byte) ([]audit.Verification, error) {
	if url == "" {
		url = k.defaultURL
	}
	if url == "" {
		var none *audit.KeySet
		return none.VerifyAll(lines, ""), nil
	}
	c := k.cached(url)
	c.mu.Lock()
	defer c.mu.Unlock()
	verdicts := c.set.VerifyAll(lines, c.fitted)
	if unsettled := c.unsettled(lines, verdicts); len(unsettled) > 0 {
		before := c.set
		if err := k.refresh(ctx, url, c); err != nil {
			return nil, err
		}
		if c.set != before {
			c.verifyAgain(lines, verdicts, unsettled)
		}
	}
	for i := range verdicts {
		if verdicts[i].Verdict == audit.Valid {
			c.fitted = verdicts[i].KeyID
		}
	}
	return verdicts, nil
}

// unsettled returns the places of the lines on which other keys may have another
// verdict: those that none fitted, and all that are signed if the keys are old.
func (c *cachedKeys) unsettled(lines [][]byte, verdicts []audit.Verification) (places []int) {
	old := time.Since(c.fetchedAt) >= keysMaxAge
	for i := range verdicts {
		switch verdicts[i].Verdict {
		case audit.Valid:
			if !old {
				continue
			}
		case audit.Invalid:
			if _, _, wellFormed := audit.SignedPart(lines[i]); !wellFormed {
				continue
			}
		case audit.Unsigned:
			continue
		}
		places = append(places, i)
	}
	return places
}

func (c *cachedKeys) verifyAgain(lines [][]byte, verdicts []audit.Verification, places []int) {
	some := make([][]byte, len(places))
	for i, place := range places {
		some[i] = lines[place]
	}
	for i, verdict := range c.set.VerifyAll(some, c.fitted) {
		verdicts[places[i]] = verdict
	}
}

func (k *Keys) cached(url string) *cachedKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.sets[url]
	if !ok {
		c = &cachedKeys{}
		k.sets[url] = c
	}
	return c
}

// refresh fetches the key set if its time has come. While there is none and
// the patience lasts, it waits for the time to come.
func (k *Keys) refresh(ctx context.Context, url string, c *cachedKeys) error {
	if c.patience.IsZero() {
		c.patience = time.Now().Add(keysPatience)
	}
	for {
		pause := time.Until(c.next)
		if pause > 0 && (c.set != nil || c.next.After(c.patience)) {
			return nil
		}
		if pause > 0 {
			wait(ctx, time.After(pause))
		}
		if ctx.Err() == nil {
			k.fetchOnce(ctx, url, c)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("fetch keys: %w", ctx.Err())
		}
		if c.set != nil || time.Now().After(c.patience) {
			return nil
		}
	}
}

func (k *Keys) fetchOnce(ctx context.Context, url string, c *cachedKeys) {
	started := time.Now()
	set, err := k.fetchSet(ctx, url)
	switch {
	case ctx.Err() != nil:
		return
	case err == nil:
		c.set, c.fetchedAt = set, started
		c.pause = keysPause
	case c.set != nil:
		c.pause = keysPause
	default:
		c.pause = min(max(2*c.pause, keysFirstPause), keysPause)
	}
	c.next = started.Add(c.pause)
	k.log(url, c, err)
}

func (k *Keys) fetchSet(ctx context.Context, url string) (*audit.KeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	document, err := k.fetch(ctx, url)
	if err != nil {
		return nil, err
	}
	set, err := audit.ParseJWKS(document)
	if err != nil {
		return nil, err
	}
	if set.Len() == 0 {
		return nil, errors.New("the key set holds no Ed25519 key")
	}
	return set, nil
}

// log tells of failures at the change of state only.
func (k *Keys) log(url string, c *cachedKeys, err error) {
	switch {
	case err != nil && !c.failing:
		k.logger.Warn("signing keys cannot be fetched; lines are verified with the keys known so far", "url", url, "error", err)
	case err == nil && c.failing:
		k.logger.Info("signing keys are fetched again", "url", url)
	}
	c.failing = err != nil
}

func fetchKeys(ctx context.Context, client *outbound.Client, url string) ([]byte, error) {
	if document, ok := inlineKeys(url); ok {
		return document, nil
	}
	response, err := client.Get(ctx, outbound.Request{
		URL: url, MaxBody: keysMaxBody, Header: http.Header{"Accept": {"application/jwk-set+json, application/json"}},
	})
	if err != nil {
		return nil, err
	}
	if response.Status != http.StatusOK {
		return nil, fmt.Errorf("the answer has status %d", response.Status)
	}
	return response.Body, nil
}
