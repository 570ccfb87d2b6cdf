package konnect

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/delivery"
	"github.com/trailhook/trailhook/internal/registry"
)

const setAsidePath = "/trailhook/v1/set-aside"

// maxListedEvents is how many bytes of events one page shows.
const maxListedEvents = 8 << 20

// setAsideLine is an event that the region's endpoint refused while it took
// others.
type setAsideLine struct {
	ID       string          `json:"id"`
	Webhook  string          `json:"webhook_id" format:"uuid"`
	Position string          `json:"position" doc:"The event's place in the journal."`
	At       time.Time       `json:"set_aside_at"`
	Code     int             `json:"response_code"`
	Message  string          `json:"response_message"`
	Event    json.RawMessage `json:"event,omitempty" doc:"The event in the form of the pull API, unsigned. Where a page's events are too large together, the later ones are shown one by one only."`
}

func showSetAside(line delivery.SetAside) setAsideLine {
	return setAsideLine{
		ID: line.ID, Webhook: line.Webhook, Position: line.Position.String(),
		At: line.At, Code: line.Code, Message: line.Message,
	}
}

type setAsideOutput struct{ Body setAsideLine }

type setAsideList struct {
	Body struct {
		Data []setAsideLine `json:"data" nullable:"false"`
		Meta cursorMeta     `json:"meta"`
	}
}

type resentOutput struct {
	Body struct {
		Sent    int    `json:"sent" doc:"Lines that the endpoint took. They are no longer set aside."`
		Refused int    `json:"refused" doc:"Lines that the endpoint refused again."`
		Left    int    `json:"left" doc:"Lines that were not tried, or not answered: the endpoint failed, or the time of one call was over."`
		Code    int    `json:"last_response_code,omitempty"`
		Message string `json:"last_response_message,omitempty"`
	}
}

type setAsideID struct {
	ID string `path:"setAsideId"`
}

func (a *API) setAsideRoutes() {
	const one, all, tag = setAsidePath + "/{setAsideId}", "audit-logs/set-aside", "Lines set aside"
	register(a, route{"list-set-aside", http.MethodGet, setAsidePath, "List the lines that the region's endpoint refused",
		registry.List, all, http.StatusOK, tag}, a.listSetAside)
	register(a, route{"get-set-aside", http.MethodGet, one, "Retrieve a line",
		registry.Retrieve, all + "/{setAsideId}", http.StatusOK, tag}, a.getSetAside)
	register(a, route{"delete-set-aside", http.MethodDelete, one, "Give a line up",
		registry.Delete, all + "/{setAsideId}", http.StatusNoContent, tag}, a.deleteSetAside)
	register(a, route{"resend-set-aside", http.MethodPost, one + "/resend", "Send a line again",
		registry.Edit, all + "/{setAsideId}", http.StatusOK, tag}, a.resendSetAside)
	register(a, route{"resend-all-set-aside", http.MethodPost, setAsidePath + "/resend", "Send all lines again",
		registry.Edit, all, http.StatusOK, tag}, a.resendAllSetAside)
}

func (a *API) listSetAside(ctx context.Context, in *cursorPage) (*setAsideList, error) {
	return a.listSetAsideOf(ctx, callOf(ctx).scope(), *in, setAsidePath)
}

// listSetAsideOf and what follows is for the organization's lines and for portals'.
func (a *API) listSetAsideOf(ctx context.Context, s registry.Scope, in cursorPage, path string) (*setAsideList, error) {
	lines, err := a.Delivery.SetAside(ctx, s)
	if err != nil {
		return nil, err
	}
	page, meta, err := cut(callOf(ctx), lines, func(l delivery.SetAside) string { return l.ID }, in, path)
	if err != nil {
		return nil, err
	}
	out := &setAsideList{}
	out.Body.Meta = meta
	out.Body.Data = make([]setAsideLine, 0, len(page))
	shown := 0
	for _, l := range page {
		line := showSetAside(l)
		if shown < maxListedEvents {
			line, err = a.setAsideWithEvent(ctx, s, l.ID)
			if errors.Is(err, delivery.ErrNotSetAside) {
				continue // gone meanwhile
			}
			if err != nil {
				return nil, err
			}
			shown += len(line.Event)
		}
		out.Body.Data = append(out.Body.Data, line)
	}
	return out, nil
}

func (a *API) setAsideWithEvent(ctx context.Context, s registry.Scope, id string) (setAsideLine, error) {
	line, err := a.Delivery.SetAsideLine(ctx, s, id)
	if err != nil {
		return setAsideLine{}, err
	}
	shown := showSetAside(line)
	shown.Event = audit.AppendPull(nil, &line.Event)
	return shown, nil
}

func (a *API) getSetAside(ctx context.Context, in *setAsideID) (*setAsideOutput, error) {
	return a.getSetAsideOf(ctx, callOf(ctx).scope(), in.ID)
}

func (a *API) getSetAsideOf(ctx context.Context, s registry.Scope, id string) (*setAsideOutput, error) {
	line, err := a.setAsideWithEvent(ctx, s, id)
	if err != nil {
		return nil, a.setAsideProblem(ctx, err)
	}
	return &setAsideOutput{line}, nil
}

func (a *API) deleteSetAside(ctx context.Context, in *setAsideID) (*struct{}, error) {
	return nil, a.setAsideProblem(ctx, a.Delivery.DeleteSetAside(ctx, callOf(ctx).scope(), in.ID))
}

func (a *API) resendSetAside(ctx context.Context, in *setAsideID) (*resentOutput, error) {
	return a.resend(ctx, callOf(ctx).scope(), in.ID)
}

func (a *API) resendAllSetAside(ctx context.Context, _ *struct{}) (*resentOutput, error) {
	return a.resend(ctx, callOf(ctx).scope(), "")
}

func (a *API) resend(ctx context.Context, s registry.Scope, id string) (*resentOutput, error) {
	resent, err := a.Delivery.Resend(ctx, s, id)
	if err != nil {
		return nil, a.setAsideProblem(ctx, err)
	}
	out := &resentOutput{}
	out.Body.Sent, out.Body.Refused, out.Body.Left = resent.Sent, resent.Refused, resent.Left
	out.Body.Code, out.Body.Message = resent.Code, resent.Message
	return out, nil
}

func (a *API) setAsideProblem(ctx context.Context, err error) error {
	c := callOf(ctx)
	switch {
	case errors.Is(err, delivery.ErrNotSetAside):
		return c.problem(http.StatusNotFound, "Not found")
	case errors.Is(err, delivery.ErrNotEnabled):
		return c.problem(http.StatusConflict, "There is no enabled webhook to send to. Enable it, and send again")
	case errors.Is(err, delivery.ErrResending):
		return c.problem(http.StatusConflict, "These lines are being sent again already. Wait until that has ended")
	}
	return err
}
