package sumo

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/trailhook/trailhook/internal/collector"
)

// shownStatistics is what a source has done with what was sent to it, since the
// server started.
type shownStatistics struct {
	SourceID       int64             `json:"sourceId"`
	CollectorID    int64             `json:"collectorId"`
	Since          time.Time         `json:"since"`
	Received       uint64            `json:"received"`
	Stored         uint64            `json:"stored"`
	Duplicates     uint64            `json:"duplicates"`
	Quarantined    uint64            `json:"quarantined"`
	Signatures     map[string]uint64 `json:"signatures"`
	Rejected       map[string]uint64 `json:"rejected"`
	LastReceivedAt *time.Time        `json:"lastReceivedAt,omitempty"`
	LastMinute     rates             `json:"lastMinute"`
	LastHour       rates             `json:"lastHour"`
	Minutes        *minutes          `json:"minutes,omitempty"` // of one source only
}

// rates are a second.
type rates struct {
	Received   float64 `json:"received"`
	Stored     float64 `json:"stored"`
	Duplicates float64 `json:"duplicates"`
	Invalid    float64 `json:"invalid"`
	Rejected   float64 `json:"rejected"`
}

// minutes are counts, one a minute, oldest first.
type minutes struct {
	From       time.Time `json:"from"`
	Received   []uint32  `json:"received"`
	Stored     []uint32  `json:"stored"`
	Duplicates []uint32  `json:"duplicates"`
	Invalid    []uint32  `json:"invalid"`
	Rejected   []uint32  `json:"rejected"`
}

func (a *API) showStatistics(s collector.Source) shownStatistics {
	counts := a.statistics.Of(s.ID)
	shown := shownStatistics{
		SourceID: s.ID, CollectorID: s.CollectorID, Since: a.statistics.Since(),
		Received: counts.Received, Stored: counts.Stored, Duplicates: counts.Duplicates, Quarantined: counts.Quarantined,
		Signatures: counts.Verdicts, Rejected: noneIfNil(counts.Rejected),
		LastMinute: rates(counts.LastMinute), LastHour: rates(counts.LastHour),
	}
	if !counts.LastAt.IsZero() {
		shown.LastReceivedAt = &counts.LastAt
	}
	return shown
}

func noneIfNil(counts map[string]uint64) map[string]uint64 {
	if counts == nil {
		return map[string]uint64{}
	}
	return counts
}

func (a *API) getStatistics(w http.ResponseWriter, r *http.Request) error {
	s, err := a.catalog.Source(pathID(r, "sid"))
	if err != nil {
		return err
	}
	shown := a.showStatistics(s)
	each := minutes(a.statistics.Minutes(s.ID))
	shown.Minutes = &each
	answer(w, http.StatusOK, shown)
	return nil
}

func (a *API) listStatistics(w http.ResponseWriter, r *http.Request) error {
	var all []collector.Source
	for _, c := range a.catalog.Collectors() {
		all = append(all, a.catalog.Sources(c.ID)...)
	}
	slices.SortFunc(all, func(a, b collector.Source) int { return cmp.Compare(a.ID, b.ID) })
	list, err := page(r, all)
	if err != nil {
		return err
	}
	shown := make([]shownStatistics, len(list))
	for i, s := range list {
		shown[i] = a.showStatistics(s)
	}
	answer(w, http.StatusOK, map[string]any{
		"sources": shown,
		"server":  map[string]any{"since": a.statistics.Since(), "rejected": noneIfNil(a.statistics.Server())},
	})
	return nil
}
