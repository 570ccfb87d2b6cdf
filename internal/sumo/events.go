package sumo

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// tailSendTime is after how long a reader who takes nothing is gone.
const tailSendTime = 30 * time.Second

// eventWriter writes server-sent events.
type eventWriter struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	object     lineWriter
	at         place
}

func newEventWriter(w http.ResponseWriter, at place) *eventWriter {
	o := &eventWriter{w: w, at: at, connection: http.NewResponseController(w)}
	o.object = lineWriter{w: w, begun: true}
	return o
}

// begin takes the limits off that other calls have, and tells the reader that from
// here on nothing is missed.
func (o *eventWriter) begin() error {
	err := errors.Join(o.connection.SetReadDeadline(time.Time{}), o.connection.SetWriteDeadline(time.Time{}))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	o.w.Header().Set("Content-Type", "text/event-stream")
	o.w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	o.w.WriteHeader(http.StatusOK)
	return o.send(func() error {
		_, err := fmt.Fprintf(o.w, "id: %s\n: tailing\n\n", o.at)
		return err
	})
}

func (o *eventWriter) comment(text string) error {
	return o.send(func() error {
		_, err := fmt.Fprintf(o.w, ": %s\n\n", text)
		return err
	})
}

func (o *eventWriter) messages(messages []search.Record, dropped int) error {
	return o.send(func() error {
		for i := range messages {
			if err := o.message(&messages[i]); err != nil {
				return err
			}
		}
		if dropped > 0 {
			_, err := fmt.Fprintf(o.w, "event: dropped\ndata: {\"count\":%d}\n\n", dropped)
			return err
		}
		return nil
	})
}

func (o *eventWriter) message(r *search.Record) error {
	if next := o.at.after(r); next != o.at {
		o.at = next
		if _, err := fmt.Fprintf(o.w, "id: %s\n", next); err != nil {
			return err
		}
	}
	return o.event("", recordFields(r))
}

func (o *eventWriter) gap() error {
	return o.send(func() error {
		return o.event("gap", []field{{"reason", "more was stored meanwhile than is sent: the older messages are left out"}})
	})
}

func (o *eventWriter) end(reason string) {
	o.send(func() error { return o.event("end", []field{{"reason", reason}}) })
}

// event writes one event. A JSON object has no line feed but the one at its end.
func (o *eventWriter) event(name string, fields []field) error {
	if name != "" {
		if _, err := fmt.Fprintf(o.w, "event: %s\n", name); err != nil {
			return err
		}
	}
	if _, err := o.w.Write([]byte("data: ")); err != nil {
		return err
	}
	if err := o.object.write(fields); err != nil {
		return err
	}
	_, err := o.w.Write([]byte("\n"))
	return err
}

// send has the reader take what write writes, within a time.
func (o *eventWriter) send(write func() error) error {
	o.connection.SetWriteDeadline(time.Now().Add(tailSendTime))
	defer o.connection.SetWriteDeadline(time.Time{})
	if err := write(); err != nil {
		return err
	}
	return o.connection.Flush()
}
