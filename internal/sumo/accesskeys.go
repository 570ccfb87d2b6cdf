package sumo

import (
	"cmp"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/collector"
)

// shownKey is an access key in answers. Key is there at creation only. Role is
// ours; Sumo Logic's keys have their user's.
type shownKey struct {
	ID          string         `json:"id"`
	Label       string         `json:"label"`
	Role        collector.Role `json:"role"`
	CORSHeaders []string       `json:"corsHeaders"`
	Disabled    bool           `json:"disabled"`
	CreatedAt   string         `json:"createdAt"`
	Key         string         `json:"key,omitempty"`
}

func showKey(k collector.AccessKey, secret string) shownKey {
	return shownKey{
		ID: k.ID, Label: k.Label, Role: k.Role, CORSHeaders: []string{}, Disabled: k.Disabled,
		CreatedAt: k.CreatedAt.Format(time.RFC3339Nano), Key: secret,
	}
}

func (a *API) createAccessKey(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Label       string         `json:"label"`
		Role        collector.Role `json:"role"`
		CORSHeaders []string       `json:"corsHeaders"`
	}
	if err := readBody(w, r, &given); err != nil {
		return err
	}
	if err := checkCORS(given.CORSHeaders); err != nil {
		return err
	}
	created, secret, err := a.catalog.CreateAccessKey(r.Context(), given.Label, cmp.Or(given.Role, collector.Administrator))
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, showKey(created, secret)) // 200, not 201: as Sumo Logic
	return nil
}

func (a *API) listAccessKeys(w http.ResponseWriter, r *http.Request) error {
	list, err := page(r, a.catalog.AccessKeys())
	if err != nil {
		return err
	}
	shown := make([]shownKey, len(list))
	for i, k := range list {
		shown[i] = showKey(k, "")
	}
	answer(w, http.StatusOK, map[string]any{"data": shown})
	return nil
}

// updateAccessKey changes the label, the role and the state, each if it is given.
func (a *API) updateAccessKey(w http.ResponseWriter, r *http.Request) error {
	k, err := a.catalog.AccessKey(r.PathValue("id"))
	if err != nil {
		return err
	}
	var given struct {
		Label       *string         `json:"label"`
		Role        *collector.Role `json:"role"`
		Disabled    *bool           `json:"disabled"`
		CORSHeaders []string        `json:"corsHeaders"`
	}
	if err := readBody(w, r, &given); err != nil {
		return err
	}
	if err := checkCORS(given.CORSHeaders); err != nil {
		return err
	}
	if given.Label != nil {
		k.Label = *given.Label
	}
	if given.Role != nil {
		k.Role = *given.Role
	}
	if given.Disabled != nil {
		k.Disabled = *given.Disabled
	}
	updated, err := a.catalog.UpdateAccessKey(r.Context(), k)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, showKey(updated, ""))
	return nil
}

func (a *API) deleteAccessKey(w http.ResponseWriter, r *http.Request) error {
	k, err := a.catalog.AccessKey(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := a.catalog.DeleteAccessKey(r.Context(), k); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkCORS refuses what would let web pages of other origins use the key.
func checkCORS(headers []string) error {
	if len(headers) > 0 {
		return badRequest("corsHeaders are not supported: leave them empty")
	}
	return nil
}
