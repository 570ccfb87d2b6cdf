package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/seal"
)

// Forwarding is how a source's lines are sent on to somewhere else.
type Forwarding struct {
	ID string // of the time during which the source forwards, whereto ever
	// Endpoint is an http or https URL to which lines are posted, or
	// tls://host:port or tcp://host:port, to which they are sent as syslog.
	Endpoint      string
	Authorization []byte `json:",omitempty"` // the header's value, sealed
	SkipTLSVerify bool   `json:",omitempty"`
	After         int64  // the ordinal in the store of the last record that is not sent
}

// HasAuthorization reports whether requests carry an Authorization header.
func (f *Forwarding) HasAuthorization() bool { return len(f.Authorization) > 0 }

// syslog reports whether lines leave as syslog, and to where.
func (f *Forwarding) syslog() (outbound.Target, bool) {
	scheme, address, _ := strings.Cut(f.Endpoint, "://")
	if scheme != "tcp" && scheme != "tls" {
		return outbound.Target{}, false
	}
	return outbound.Target{Address: address, TLS: scheme == "tls", SkipTLSVerify: f.SkipTLSVerify}, true
}

// equal reports whether lines would be sent alike.
func (f *Forwarding) equal(other *Forwarding) bool {
	return other != nil && f.ID == other.ID && f.Endpoint == other.Endpoint && f.SkipTLSVerify == other.SkipTLSVerify &&
		bytes.Equal(f.Authorization, other.Authorization)
}

// sealContext binds the authorization to its place.
func (f *Forwarding) sealContext() string { return "forwarding/" + f.ID + "/authorization" }

// ForwardingSetting is what a user asks for.
type ForwardingSetting struct {
	Endpoint      string
	Authorization *string // nil: as it was; empty: none
	SkipTLSVerify bool
}

// Prepare makes a source's Forwarding of what a user asks for and of what the
// source has, which is nil for one that does not forward. One that begins to
// forward does so with what is stored from now on; a change of the setting
// loses and repeats nothing. Errors: [ErrInvalid], or that the store cannot be
// read.
func (f *Forwarder) Prepare(ctx context.Context, stored *Forwarding, given ForwardingSetting) (*Forwarding, error) {
	if err := f.check(stored, given); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	made := &Forwarding{Endpoint: given.Endpoint, SkipTLSVerify: given.SkipTLSVerify}
	if stored != nil {
		made.ID, made.After, made.Authorization = stored.ID, stored.After, stored.Authorization
	} else {
		last, err := f.Store.Last(ctx)
		if err != nil {
			return nil, fmt.Errorf("begin to forward: %w", err)
		}
		made.ID, made.After = uuid.NewString(), last
	}
	if given.Authorization == nil {
		return made, nil
	}
	made.Authorization = nil
	if *given.Authorization == "" {
		return made, nil
	}
	var err error
	if made.Authorization, err = f.Sealer.Seal([]byte(*given.Authorization), made.sealContext()); err != nil {
		return nil, fmt.Errorf("begin to forward: %w", err)
	}
	return made, nil
}

func (f *Forwarder) check(stored *Forwarding, given ForwardingSetting) error {
	syslog, err := checkEndpoint(given.Endpoint, f.AllowHTTP)
	if err != nil {
		return fmt.Errorf("forwarding.endpoint %w", err)
	}
	kept := given.Authorization == nil && stored != nil && stored.HasAuthorization()
	switch {
	case kept && stored.Endpoint != given.Endpoint:
		return errors.New("forwarding.authorization must be given again for another endpoint, or be empty: a secret is not sent to where it was not meant for")
	case given.Authorization != nil && syslog && *given.Authorization != "":
		return errors.New("forwarding.authorization is for http endpoints: syslog has no place for it")
	case given.Authorization != nil && strings.ContainsFunc(*given.Authorization, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return errors.New("forwarding.authorization must not have line breaks or other control characters")
	}
	return nil
}

// checkEndpoint completes a sentence that begins with the endpoint's name.
func checkEndpoint(endpoint string, allowHTTP bool) (syslog bool, err error) {
	scheme, address, _ := strings.Cut(endpoint, "://")
	if scheme != "tcp" && scheme != "tls" {
		if scheme != "http" && scheme != "https" {
			return false, errors.New("must begin with https://, tls:// or tcp://")
		}
		return false, outbound.ValidateURL(endpoint, allowHTTP)
	}
	target, err := url.Parse(endpoint)
	if err != nil || target.Host != address || target.Hostname() == "" || target.Port() == "" {
		return true, fmt.Errorf("must be of the form %s://host:port", scheme)
	}
	// As a URL of HTTP, so that ports are judged alike.
	return true, outbound.ValidateURL("https://"+address, false)
}

// Reseal seals the authorizations of all forwards anew with seal, unless
// sealed, which may have fewer keys, opens them as they are; old opens what there
// is. It returns how many it sealed. No server may run on the data meanwhile.
func (c *Catalog) Reseal(ctx context.Context, old, with, sealed *seal.Sealer) (n int, err error) {
	for _, entry := range c.sources.List("") {
		source := entry.Value
		if source.Forwarding == nil || !source.Forwarding.HasAuthorization() {
			continue
		}
		forwarding := *source.Forwarding // values of a bucket are shared
		if _, err := sealed.Open(forwarding.Authorization, forwarding.sealContext()); err == nil {
			continue
		}
		plain, err := old.Open(forwarding.Authorization, forwarding.sealContext())
		if err == nil {
			forwarding.Authorization, err = with.Seal(plain, forwarding.sealContext())
		}
		if err == nil {
			source.Forwarding = &forwarding
			err = c.sources.Update(ctx, entry.Key, source, entry.Revision)
		}
		if err != nil {
			return n, fmt.Errorf("seal the authorization of what source %q forwards anew: %w", source.Name, err)
		}
		n++
	}
	return n, nil
}
