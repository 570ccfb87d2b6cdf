package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/search"
)

const (
	// insertLines and insertBytes bound one insert: large enough that the
	// commit's cost is shared, small enough that the lines are found soon.
	insertLines = 5000
	insertBytes = 4 << 20
)

// batch is what one insert stores: the records of messages of the intake, up to
// and including the last; none with a last of 0 if there were no messages.
type batch struct {
	records []search.Record
	last    uint64
}

// prepare reads the next messages from the intake, verifies and parses them.
func (x *Indexer) prepare(ctx context.Context, from uint64) (batch, error) {
	messages, err := x.intake.read(ctx, from)
	if err != nil || len(messages) == 0 {
		return batch{}, err
	}
	messages = messages[:insertable(messages)]
	p := newPreparing(messages)
	if err := p.verify(ctx, x.keys); err != nil {
		return batch{}, err
	}
	return batch{records: p.parse(), last: messages[len(messages)-1].Sequence}, nil
}

// insertable returns how many of the messages have about insertLines lines
// together: at least one.
func insertable(messages []broker.Message) int {
	lines := 0
	for i, m := range messages {
		lines += 1 + bytes.Count(m.Data, newline)
		if i > 0 && lines > insertLines {
			return i
		}
	}
	return len(messages)
}

// preparing is a batch in the making: lines, each with its origin, and what is
// known of them.
type preparing struct {
	lines   [][]byte
	origins []*messageOrigin
	records []search.Record
}

// messageOrigin is that of all lines of a message.
type messageOrigin struct {
	Origin
	problem string // why it could not be read
}

func newPreparing(messages []broker.Message) *preparing {
	n := len(messages)
	for _, m := range messages {
		n += bytes.Count(m.Data, newline)
	}
	p := &preparing{lines: make([][]byte, 0, n), origins: make([]*messageOrigin, 0, n), records: make([]search.Record, n)}
	for _, m := range messages {
		origin := readOrigin(m)
		for line := range bytes.SplitSeq(m.Data, newline) {
			p.lines = append(p.lines, line)
			p.origins = append(p.origins, origin)
		}
	}
	return p
}

// readOrigin returns the origin of a message. If it cannot be read, what is known
// all the same, so that the lines are kept.
func readOrigin(m broker.Message) *messageOrigin {
	var o messageOrigin
	if err := json.Unmarshal([]byte(m.Header.Get(originHeader)), &o.Origin); err != nil {
		o.Origin = Origin{ReceivedAt: m.Stored}
		o.problem = fmt.Errorf("intake message %d has no readable origin: %w", m.Sequence, err).Error()
	}
	return &o
}

// verify sets the verdicts, of all lines with the same keys together.
func (p *preparing) verify(ctx context.Context, keys *Keys) error {
	places := map[string][]int{}
	for i, o := range p.origins {
		places[o.JWKSURL] = append(places[o.JWKSURL], i)
	}
	for url, places := range places {
		lines := make([][]byte, len(places))
		for i, place := range places {
			lines[i] = p.origins[place].payload(p.lines[place])
		}
		verdicts, err := keys.Verify(ctx, url, lines)
		if err != nil {
			return err
		}
		for i, place := range places {
			p.records[place].Signature, p.records[place].KeyID = verdicts[i].Verdict.String(), verdicts[i].KeyID
		}
	}
	return nil
}

// parse makes the records, on all processors.
func (p *preparing) parse() []search.Record {
	workers := runtime.GOMAXPROCS(0)
	share := (len(p.lines) + workers - 1) / workers
	var parsing sync.WaitGroup
	for from := 0; from < len(p.lines); from += share {
		parsing.Go(func() {
			for i := from; i < min(from+share, len(p.lines)); i++ {
				p.parseLine(i)
			}
		})
	}
	parsing.Wait()
	return p.records
}

func (p *preparing) parseLine(i int) {
	record := newRecord(p.origins[i].Origin, p.lines[i])
	record.Signature, record.KeyID = p.records[i].Signature, p.records[i].KeyID
	p.origins[i].Quarantine.apply(&record)
	if problem := p.origins[i].problem; problem != "" {
		record.ParseError = problem
	}
	p.records[i] = record
}
