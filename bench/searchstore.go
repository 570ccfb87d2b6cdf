package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse"
	"github.com/trailhook/trailhook/internal/search/duckdb"
)

const (
	searchOrgs       = 200
	searchPrincipals = 50 // of each
	searchSpan       = 30 * 24 * time.Hour
	searchBatch      = 5000 // records of an insert, as the indexer makes them
)

// history is what is searched: signed events, in the order of their times, evenly
// over [searchSpan]. Organizations and principals follow Zipf's law: the first
// organization has about a quarter of all events.
type history struct {
	signer *audit.Signer
	begin  time.Time
	events int

	orgs       [searchOrgs]string
	principals [searchOrgs][searchPrincipals]string
	requests   []request
}

// request is a kind of call, with how often it comes.
type request struct {
	method, resource, action, path string
	weight                         int
}

func newHistory(signer *audit.Signer, events int) *history {
	h := &history{signer: signer, events: events, begin: time.Now().UTC().Truncate(time.Millisecond).Add(-searchSpan)}
	for o := range h.orgs {
		h.orgs[o] = identifier(o, 0)
		for p := range h.principals[o] {
			h.principals[o][p] = identifier(o, p+1)
		}
	}
	for _, r := range []request{
		{http.MethodGet, "control-planes", "list", "/v2/control-planes", 30},
		{http.MethodGet, "control-planes", "retrieve", "/v2/control-planes/6f2d1a4e", 20},
		{http.MethodGet, "services", "list", "/v2/control-planes/6f2d1a4e/core-entities/services", 15},
		{http.MethodPost, "routes", "create", "/v2/control-planes/6f2d1a4e/core-entities/routes", 8},
		{http.MethodPut, "plugins", "edit", "/v2/control-planes/6f2d1a4e/core-entities/plugins/9b1c", 6},
		{http.MethodGet, "portals", "list", "/v3/portals", 10},
		{http.MethodPatch, "portals", "edit", "/v3/portals/17c0", 4},
		{http.MethodGet, "audit-logs", "retrieve", "/v3/audit-log-webhook", 3},
		{http.MethodPost, "tokens", "create", "/v2/users/me/tokens", 2},
		{http.MethodDelete, "services", "delete", "/v2/control-planes/6f2d1a4e/core-entities/services/11", 2},
	} {
		for range r.weight {
			h.requests = append(h.requests, r)
		}
	}
	return h
}

// identifier looks like a UUID and is the same in every run.
func identifier(a, b int) string {
	h := sha256.Sum256(fmt.Append(nil, a, b))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// traceOf returns the trace id of an event, which no other has.
func traceOf(n int) uint64 { return (uint64(n)*0x9E3779B97F4A7C15)>>1 | 1 }

// event makes the nth event: an authentication or an authorization, as calls of the
// API leave both, or now and then an access.
func (h *history) event(n int, random *rand.Rand, skew *skew) audit.Event {
	org := int(skew.orgs.Uint64())
	call := h.requests[random.IntN(len(h.requests))]
	e := audit.Event{
		Kind: audit.Authorization, Time: h.timeOf(n), Product: audit.ProductKonnect,
		OrgID: h.orgs[org], PrincipalID: h.principals[org][skew.principals.Uint64()],
		Source: fmt.Sprintf("203.0.%d.%d", org%32, random.IntN(250)), TraceID: traceOf(n),
		UserAgent: [...]string{"terraform-provider-konnect/2.7.1", "kongctl/0.9.2", "curl/8.7.1", "Mozilla/5.0 (X11; Linux x86_64)", "decK/1.43.0"}[random.IntN(5)],
	}
	switch kind := random.IntN(20); {
	case kind < 9:
		e.Service, e.Resource, e.Action, e.Granted = "konnect", call.resource, call.action, random.IntN(50) > 0
	case kind < 18:
		e.Kind, e.AuthType, e.Outcome, e.Request = audit.Authentication, audit.AuthPAT, audit.OutcomeSuccess, call.path
		if random.IntN(40) == 0 {
			e.Outcome = audit.OutcomeInvalid
		}
	default:
		e.Kind, e.Method, e.Status, e.Request = audit.Access, call.method, http.StatusOK, call.path
		if random.IntN(30) == 0 {
			e.Status = http.StatusForbidden
		}
	}
	return e
}

// timeOf returns the time of an event; those after the last are of now.
func (h *history) timeOf(n int) time.Time {
	if n >= h.events {
		return time.Now().UTC().Truncate(time.Millisecond)
	}
	return h.begin.Add(time.Duration(float64(n) / float64(h.events) * float64(searchSpan))).Truncate(time.Millisecond)
}

// skew draws organizations and principals.
type skew struct{ orgs, principals *rand.Zipf }

// randomFor returns what makes the events from the nth on, the same in every run.
func randomFor(n int) (*rand.Rand, *skew) {
	random := rand.New(rand.NewPCG(7, uint64(n)))
	return random, &skew{orgs: rand.NewZipf(random, 1.2, 1, searchOrgs-1), principals: rand.NewZipf(random, 1.3, 1, searchPrincipals-1)}
}

// records makes records as the indexer makes them of lines whose signatures are
// good.
func (h *history) records(from int, sourceID string) []search.Record {
	random, skew := randomFor(from)
	records := make([]search.Record, min(searchBatch, h.events-from))
	for i := range records {
		e := h.event(from+i, random, skew)
		line := h.signer.AppendLine(nil, audit.CEF, &e)
		identity := sha256.Sum256(line)
		records[i] = search.Record{
			Time: e.Time, Receipt: e.Time.Add(400 * time.Millisecond), Timed: true, SourceID: sourceID, Collector: "bench", Source: "Konnect",
			Category: "audit", Raw: string(line), Identity: [16]byte(identity[:16]), Signature: audit.Valid.String(), KeyID: h.signer.KeyID(),
			Fields: search.EventFields(make([]search.Field, 0, 24), &e),
		}
	}
	return records
}

// store puts all of it into the store of a server that does not run, not by its
// intake, which takes longer, but by the same inserts.
func (h *history) store(ctx context.Context, dir, sourceID string, address *clickhouse.Address) error {
	store, err := openSearchStore(ctx, dir, address)
	if err != nil {
		return err
	}
	position, err := store.Position(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for made := range h.batches(ctx, sourceID) {
		position++
		if _, err := store.Insert(ctx, <-made, position); err != nil {
			return err
		}
	}
	return store.Close()
}

// batches makes records on two processors, ahead of who takes them.
func (h *history) batches(ctx context.Context, sourceID string) <-chan chan []search.Record {
	batches := make(chan chan []search.Record, 2)
	go func() {
		defer close(batches)
		for from := 0; from < h.events; from += searchBatch {
			made := make(chan []search.Record, 1)
			select {
			case batches <- made:
			case <-ctx.Done():
				return
			}
			go func() { made <- h.records(from, sourceID) }()
		}
	}()
	return batches
}

func openSearchStore(ctx context.Context, dir string, address *clickhouse.Address) (search.Store, error) {
	logger := slog.New(slog.DiscardHandler)
	if address != nil {
		return clickhouse.Open(ctx, address, logger)
	}
	return duckdb.Open(ctx, filepath.Join(dir, "search.duckdb"), logger)
}
