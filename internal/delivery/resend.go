package delivery

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// resendTime is how long one call sends lines again: its caller waits.
const resendTime = 20 * time.Second

var (
	// ErrNotEnabled says that nothing is sent now: there is no webhook, or it is
	// disabled.
	ErrNotEnabled = errors.New("there is no enabled webhook")
	// ErrResending says that another call sends the scope's lines again.
	ErrResending = errors.New("lines are being sent again already")
)

// Resent is what became of lines that were sent again.
type Resent struct {
	Sent    int // taken by the endpoint, and no longer set aside
	Refused int // still set aside
	Left    int // not tried: the endpoint failed, or the time was over
	Code    int // of the last answer; 0: there was none
	Message string
}

// Resend sends a line that was set aside once more, or all of them when the id
// is empty, to the webhook's destination as it is configured now: each in a
// request of its own, one attempt. What is taken is no longer set aside. It ends
// at the first answer that is not about the line, and after some seconds: then
// lines are left.
//
// A line that was taken, but could not be deleted, will be sent again, as the
// same bytes.
func (m *Manager) Resend(ctx context.Context, s registry.Scope, id string) (Resent, error) {
	stream := journal.Stream(s)
	var (
		lines []SetAside
		err   error
	)
	if id == "" {
		lines, err = m.asides.list(ctx, stream, 0, MaxSetAside, false)
	} else {
		var line SetAside
		line, err = m.asides.get(ctx, stream, id)
		lines = []SetAside{line}
	}
	if err != nil {
		return Resent{}, err
	}
	hook, err := m.Registry.Webhook(s)
	if errors.Is(err, registry.ErrNotFound) || err == nil && !hook.Enabled {
		return Resent{}, ErrNotEnabled
	}
	if err != nil {
		return Resent{}, err
	}
	if _, busy := m.resending.LoadOrStore(stream, true); busy {
		return Resent{}, ErrResending
	}
	defer m.resending.Delete(stream)
	return m.resend(ctx, hook, lines)
}

func (m *Manager) resend(ctx context.Context, hook registry.Webhook, lines []SetAside) (r Resent, err error) {
	until := time.Now().Add(resendTime)
	for i, line := range lines {
		r.Left = len(lines) - i
		if i > 0 && time.Now().After(until) {
			return r, nil
		}
		line, err := m.asides.get(ctx, streamOf(hook), line.ID)
		if errors.Is(err, ErrNotSetAside) {
			continue // deleted meanwhile
		}
		if err != nil {
			return r, err
		}
		v, err := m.resendOne(ctx, hook, line)
		if err != nil {
			return r, err
		}
		r.Code, r.Message = v.code, v.message
		switch {
		case v.taken():
			if err := m.asides.remove(ctx, line.ID); err != nil {
				return r, err
			}
			r.Sent++
		case v.content():
			r.Refused++
		default:
			return r, nil
		}
	}
	r.Left = 0
	return r, nil
}

func (m *Manager) resendOne(ctx context.Context, hook registry.Webhook, line SetAside) (verdict, error) {
	request, _, err := m.request(hook, []journal.Entry{{Position: line.Position, Stored: line.Stored, Event: line.Event}})
	if err != nil {
		return verdict{}, err
	}
	response, err := m.Client.Post(ctx, request)
	code, message := outbound.Describe(response, err)
	m.metrics.attempted(outbound.Attempt{Status: response.Status, Err: err})
	m.loggerOf(hook.Scope()).Info("a line that was set aside was sent again",
		"line", line.ID, "position", strconv.FormatUint(uint64(line.Position), 10),
		"code", code, "message", message)
	return verdict{code: code, message: message}, nil
}
