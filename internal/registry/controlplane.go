package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trailhook/trailhook/internal/broker"
)

// ControlPlane is a gateway's control plane. It lives in one region.
type ControlPlane struct {
	ID           string            `json:"id"`
	OrgID        string            `json:"org_id"`
	Region       string            `json:"region"`
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	Labels       map[string]string `json:"labels"`
	ClusterType  string            `json:"cluster_type"`
	AuthType     string            `json:"auth_type"`
	CloudGateway bool              `json:"cloud_gateway"`
	ProxyURLs    []ProxyURL        `json:"proxy_urls"`
	CreatedAt    time.Time         `json:"created_at"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

// ControlPlaneChange is what a PATCH may change; nil leaves a value as it is.
// Labels and ProxyURLs replace what was there: nil keeps it, empty removes it.
type ControlPlaneChange struct {
	Name        *string
	Description *string
	AuthType    *string
	Labels      map[string]string
	ProxyURLs   []ProxyURL
}

// ProxyURL is an address at which a control plane's data planes take traffic.
type ProxyURL struct {
	Host     string `json:"host" maxLength:"120"`
	Port     int    `json:"port" minimum:"1" maximum:"65535"`
	Protocol string `json:"protocol" maxLength:"32"`
}

// CreateControlPlane stores a new control plane under an id of ours;
// [ErrNameTaken] when its region has one of the name, an [InvalidError] when
// one of its labels cannot be.
func (r *Registry) CreateControlPlane(ctx context.Context, cp ControlPlane) (ControlPlane, error) {
	if err := checkLabels(cp.Labels); err != nil {
		return ControlPlane{}, err
	}
	cp.ID = newID()
	cp.CreatedAt = r.instant()
	cp.UpdatedAt = cp.CreatedAt
	at, err := key(cp.OrgID, cp.ID)
	if err != nil {
		return ControlPlane{}, err
	}
	release, err := r.claimControlPlane(ctx, cp)
	if err != nil {
		return ControlPlane{}, err
	}
	// Well within the claim's lease: who is slower than that has lost the name.
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.controlPlanes.Create(writing, at, cp); err != nil {
		release(err)
		return ControlPlane{}, fmt.Errorf("create control plane %q: %w", cp.Name, err)
	}
	return cp, nil
}

// claimControlPlane takes the control plane's name for it. release is given the
// error of what the name was taken for: unless that may have been done all the
// same, the name is free again.
func (r *Registry) claimControlPlane(ctx context.Context, cp ControlPlane) (release func(error), err error) {
	free, err := r.claimName(ctx, nameKey(cp), cp.ID, func(id string) bool {
		other, err := r.ControlPlane(cp.OrgID, cp.Region, id)
		return err == nil && other.Name == cp.Name
	})
	if err != nil {
		return nil, fmt.Errorf("control plane %q: %w", cp.Name, err)
	}
	return func(err error) {
		if !errors.Is(err, broker.ErrUnavailable) { // else the claim's lease decides
			free()
		}
	}, nil
}

// ControlPlane returns one.
func (r *Registry) ControlPlane(organization, region, id string) (ControlPlane, error) {
	entry, err := find(r.controlPlanes, organization, id)
	if err == nil && entry.Value.Region != region {
		err = ErrNotFound
	}
	return entry.Value, err
}

// ControlPlanes lists those of a region, oldest first.
func (r *Registry) ControlPlanes(organization, region string) []ControlPlane {
	list := slices.DeleteFunc(values(r.controlPlanes.List(organization+".")), func(cp ControlPlane) bool {
		return cp.Region != region
	})
	slices.SortStableFunc(list, func(a, b ControlPlane) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}

// ChangeControlPlane changes one; [ErrNameTaken] when another of its region has
// the new name, an [InvalidError] when one of the labels cannot be. Of changes
// at the same moment all survive, unless two are of the same value.
func (r *Registry) ChangeControlPlane(ctx context.Context, organization, region, id string, change ControlPlaneChange) (ControlPlane, error) {
	if err := checkLabels(change.Labels); err != nil {
		return ControlPlane{}, err
	}
	if _, err := r.ControlPlane(organization, region, id); err != nil {
		return ControlPlane{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	release := func(error) {}
	claimed := ""
	var had ControlPlane
	changed, err := revise(ctx, r.controlPlanes, organization+"."+id, func(cp ControlPlane) (_ ControlPlane, err error) {
		had = cp
		cp = change.apply(cp)
		cp.UpdatedAt = r.instantAfter(had.UpdatedAt)
		if cp.Name != had.Name && cp.Name != claimed {
			if release, err = r.claimControlPlane(ctx, cp); err != nil {
				release = func(error) {}
				return cp, err
			}
			claimed = cp.Name
		}
		return cp, nil
	})
	if err != nil {
		release(err)
		return ControlPlane{}, fmt.Errorf("change control plane %s: %w", id, err)
	}
	if had.Name != changed.Name {
		r.releaseName(ctx, nameKey(had), had.ID)
	}
	return changed, nil
}

func (c ControlPlaneChange) apply(cp ControlPlane) ControlPlane {
	set(&cp.Name, c.Name)
	set(&cp.Description, c.Description)
	set(&cp.AuthType, c.AuthType)
	if c.Labels != nil {
		cp.Labels = c.Labels
	}
	if c.ProxyURLs != nil {
		cp.ProxyURLs = c.ProxyURLs
	}
	return cp
}

// DeleteControlPlane removes one with its core entities and frees its name.
func (r *Registry) DeleteControlPlane(ctx context.Context, organization, region, id string) error {
	ctx, unlock, err := r.lockReferences(ctx, organization)
	if err != nil {
		return err
	}
	defer unlock()
	cp, err := r.ControlPlane(organization, region, id)
	if err != nil {
		return err
	}
	// It goes last: after a failure in between it is there to be deleted again.
	if err := r.emptyControlPlane(ctx, cp); err != nil {
		return fmt.Errorf("delete control plane %s: %w", id, err)
	}
	removed, err := remove(ctx, r.controlPlanes, organization+"."+id)
	if err != nil {
		return fmt.Errorf("delete control plane %s: %w", id, err)
	}
	r.releaseName(ctx, nameKey(removed), removed.ID)
	return nil
}

func nameKey(cp ControlPlane) string {
	sum := sha256.Sum256([]byte(cp.Name))
	return cp.OrgID + "." + cp.Region + ".control-plane." + hex.EncodeToString(sum[:])
}
