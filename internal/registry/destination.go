package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/outbound"
)

// Destination is where audit events can be sent: a SIEM's endpoint and how to
// speak to it. It belongs to the whole organization.
type Destination struct {
	ID                  string       `json:"id"`
	OrgID               string       `json:"org_id"`
	Name                string       `json:"name"`
	Endpoint            string       `json:"endpoint"`
	LogFormat           audit.Format `json:"log_format"`
	SkipSSLVerification bool         `json:"skip_ssl_verification"`
	Authorization       []byte       `json:"authorization"` // sealed; see Registry.Authorization
	CreatedAt           time.Time    `json:"created_at"`
	UpdatedAt           time.Time    `json:"updated_at"` // zero before any update
	// Inline is the region whose webhook alone this belongs to: see
	// [WebhookChange]. It is empty for what users made as a destination.
	Inline string `json:"inline,omitempty"`
}

// DestinationChange is what a PATCH may change; nil leaves a value as it is.
type DestinationChange struct {
	Name                *string
	Endpoint            *string
	Authorization       *string
	LogFormat           *audit.Format
	SkipSSLVerification *bool
}

// CreateDestination stores a new destination with the value that its requests
// will carry as Authorization header, which may be empty. An [InvalidError]
// says what cannot be.
func (r *Registry) CreateDestination(ctx context.Context, d Destination, authorization string) (Destination, error) {
	d.Inline = ""
	return r.createDestination(ctx, d, authorization)
}

func (r *Registry) createDestination(ctx context.Context, d Destination, authorization string) (Destination, error) {
	if err := r.checkDestination(d, authorization); err != nil {
		return Destination{}, err
	}
	d.ID = newID()
	d.CreatedAt, d.UpdatedAt = r.instant(), time.Time{}
	at, err := key(d.OrgID, d.ID)
	if err != nil {
		return Destination{}, err
	}
	if d.Authorization, err = r.sealer.Seal([]byte(authorization), sealContext(d)); err != nil {
		return Destination{}, fmt.Errorf("create destination %q: %w", d.Name, err)
	}
	if err := r.destinations.Create(ctx, at, d); err != nil {
		return Destination{}, fmt.Errorf("create destination %q: %w", d.Name, err)
	}
	return d, nil
}

// Destination returns one, an inline one too.
func (r *Registry) Destination(organization, id string) (Destination, error) {
	entry, err := find(r.destinations, organization, id)
	return entry.Value, err
}

// Destinations lists those that users made, oldest first.
func (r *Registry) Destinations(organization string) []Destination {
	list := slices.DeleteFunc(values(r.destinations.List(organization+".")), func(d Destination) bool {
		return d.Inline != ""
	})
	slices.SortStableFunc(list, func(a, b Destination) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// ListedDestination returns one of those that [Registry.Destinations] lists.
func (r *Registry) ListedDestination(organization, id string) (Destination, error) {
	d, err := r.Destination(organization, id)
	if err == nil && d.Inline != "" {
		return Destination{}, ErrNotFound
	}
	return d, err
}

// ChangeDestination changes a listed destination, for every webhook that sends
// to it. Of changes at the same moment all survive, unless two are of the same
// value. An [InvalidError] says what cannot be.
func (r *Registry) ChangeDestination(ctx context.Context, organization, id string, change DestinationChange) (Destination, error) {
	if _, err := r.ListedDestination(organization, id); err != nil {
		return Destination{}, err
	}
	return revise(ctx, r.destinations, organization+"."+id, func(d Destination) (Destination, error) {
		d = change.apply(d)
		authorization := ""
		set(&authorization, change.Authorization)
		if err := r.checkDestination(d, authorization); err != nil {
			return d, err
		}
		if change.Authorization != nil {
			var err error
			if d.Authorization, err = r.sealer.Seal([]byte(authorization), sealContext(d)); err != nil {
				return d, fmt.Errorf("change destination %q: %w", d.Name, err)
			}
		}
		d.UpdatedAt = r.instantAfter(d.UpdatedAt)
		return d, nil
	})
}

// apply returns the destination as it is to be, but for its authorization.
func (c DestinationChange) apply(d Destination) Destination {
	set(&d.Name, c.Name)
	set(&d.Endpoint, c.Endpoint)
	set(&d.LogFormat, c.LogFormat)
	set(&d.SkipSSLVerification, c.SkipSSLVerification)
	return d
}

// set takes over a value of a change, if it is given.
func set[T any](value *T, given *T) {
	if given != nil {
		*value = *given
	}
}

// DeleteDestination removes a listed one; [ErrInUse] while a webhook sends to it.
func (r *Registry) DeleteDestination(ctx context.Context, organization, id string) error {
	ctx, unlock, err := r.lockReferences(ctx, organization)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := r.ListedDestination(organization, id); err != nil {
		return err
	}
	for _, webhook := range r.webhooks.List(organization + ".") {
		if webhook.Value.DestinationID == id {
			return fmt.Errorf("destination %s of the webhook of %s: %w", id, webhook.Value.Scope(), ErrInUse)
		}
	}
	if _, err := remove(ctx, r.destinations, organization+"."+id); err != nil {
		return fmt.Errorf("delete destination %s: %w", id, err)
	}
	return nil
}

// Authorization opens the sealed value of the destination's header.
func (r *Registry) Authorization(d Destination) (string, error) {
	value, err := r.sealer.Open(d.Authorization, sealContext(d))
	if err != nil {
		return "", fmt.Errorf("destination %q: authorization: %w", d.Name, err)
	}
	return string(value), nil
}

// DestinationsChanged is closed at the next change of any destination.
func (r *Registry) DestinationsChanged() <-chan struct{} { return r.destinations.Changed() }

func (r *Registry) checkDestination(d Destination, authorization string) error {
	if strings.TrimSpace(d.Name) == "" {
		return &InvalidError{"name", "required", "a destination needs a name"}
	}
	if err := outbound.ValidateURL(d.Endpoint, r.allowHTTP); err != nil {
		return &InvalidError{"endpoint", "invalid", "endpoint " + err.Error()}
	}
	if _, err := audit.ParseFormat(string(d.LogFormat)); err != nil {
		return &InvalidError{"log_format", "enum", err.Error()}
	}
	if err := checkHeaderValue(authorization); err != nil {
		return &InvalidError{"authorization", "invalid", err.Error()}
	}
	return nil
}

// checkHeaderValue refuses what cannot be sent as the value of a header: the
// endpoint would never see it, and a line break could start a header of its own.
func checkHeaderValue(value string) error {
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return errors.New("a header value holds no line breaks or other control characters")
		}
	}
	return nil
}

func sealContext(d Destination) string { return "destination/" + d.ID + "/authorization" }
