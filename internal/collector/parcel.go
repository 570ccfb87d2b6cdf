package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/trailhook/trailhook/internal/broker"
)

// parcel is a group of lines of one origin.
type parcel struct {
	origin Origin
	lines  []byte // separated by newlines
}

// appendParcels makes lines of several origins durable, with as few writes as
// it can. After an error some of them may have been taken, as with Append.
func (in *Intake) appendParcels(ctx context.Context, parcels []parcel) error {
	for _, p := range parcels {
		defer in.arrivals.begin(p.origin.ReceivedAt)()
	}
	var msgs []*nats.Msg
	size := 0
	for i, p := range parcels {
		msg, err := p.message()
		if err != nil {
			return err
		}
		msgs = append(msgs, msg)
		size += len(p.lines)
		if i < len(parcels)-1 && len(msgs) < broker.MaxBatch && size+len(parcels[i+1].lines) <= publishBytes {
			continue
		}
		last, err := in.broker.Publish(ctx, msgs...)
		if err != nil {
			return fmt.Errorf("intake: %w", err)
		}
		in.announce(last)
		msgs, size = nil, 0
	}
	return nil
}

func (p parcel) message() (*nats.Msg, error) {
	header, err := json.Marshal(p.origin)
	if err != nil {
		return nil, fmt.Errorf("intake: %w", err)
	}
	msg := nats.NewMsg("intake." + strconv.FormatInt(p.origin.SourceID, 10))
	msg.Header.Set(originHeader, string(header))
	msg.Data = p.lines
	return msg, nil
}
