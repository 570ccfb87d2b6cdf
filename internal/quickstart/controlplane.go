package quickstart

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
)

// label is that of a control plane that quickstart has made; its value is the
// mark in the state of who has.
const label = "trailhook-quickstart"

type controlPlane struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

func (r *run) call(ctx context.Context, method, path string, body, result any) error {
	return r.Call(ctx, r.to, method, path, body, result)
}

// findControlPlane finds the control plane, or makes it.
func (r *run) findControlPlane(ctx context.Context) (controlPlane, error) {
	plane, found, err := r.controlPlane(ctx)
	if err != nil {
		return plane, err
	}
	if found {
		r.say("The control plane %s is there: %s", Name, plane.ID)
		return plane, nil
	}
	if r.state.Mark == "" {
		r.state.Mark = newMark()
		if err := r.state.save(); err != nil {
			return plane, err
		}
	}
	err = r.call(ctx, http.MethodPost, "/v2/control-planes", map[string]any{
		"name": Name, "description": "Made by trailhook quickstart", "labels": map[string]string{label: r.state.Mark},
	}, &plane)
	if err != nil {
		return plane, fmt.Errorf("make the control plane %s: %w", Name, err)
	}
	r.say("The control plane %s was made: %s", Name, plane.ID)
	return plane, nil
}

func (r *run) controlPlane(ctx context.Context) (plane controlPlane, found bool, err error) {
	var list struct{ Data []controlPlane }
	err = r.call(ctx, http.MethodGet, "/v2/control-planes?"+url.Values{"filter[name][eq]": {Name}}.Encode(), nil, &list)
	if err != nil || len(list.Data) == 0 {
		return plane, false, err
	}
	return list.Data[0], true, nil
}

// deleteControlPlane deletes the control plane with all that is in it, if it is
// the one that was made.
func (r *run) deleteControlPlane(ctx context.Context) error {
	plane, found, err := r.controlPlane(ctx)
	switch {
	case err != nil:
		return err
	case !found:
		return nil
	case plane.Labels[label] != r.state.Mark:
		r.say("The control plane %s (%s) stays: it has not this quickstart's label.", Name, plane.ID)
		return nil
	}
	if err := r.call(ctx, http.MethodDelete, "/v2/control-planes/"+plane.ID, nil, nil); err != nil {
		return fmt.Errorf("delete the control plane %s: %w", Name, err)
	}
	r.say("The control plane %s (%s) was deleted.", Name, plane.ID)
	return nil
}

func newMark() string {
	var bytes [12]byte
	_, _ = rand.Read(bytes[:]) // it never fails
	return hex.EncodeToString(bytes[:])
}
