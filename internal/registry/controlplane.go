package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
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
	release, err := r.claimName(ctx, nameKey(cp), cp.ID, func(id string) bool {
		other, err := r.ControlPlane(cp.OrgID, cp.Region, id)
		return err == nil && other.Name == cp.Name
	})
	if err != nil {
		return ControlPlane{}, fmt.Errorf("control plane %q: %w", cp.Name, err)
	}
	// Well within the claim's lease: who is slower than that has lost the name.
	writing, cancel := context.WithTimeout(ctx, claimLease/2)
	defer cancel()
	if err := r.controlPlanes.Create(writing, at, cp); err != nil {
		release()
		return ControlPlane{}, fmt.Errorf("create control plane %q: %w", cp.Name, err)
	}
	return cp, nil
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

// DeleteControlPlane removes one and frees its name.
func (r *Registry) DeleteControlPlane(ctx context.Context, organization, region, id string) error {
	entry, err := find(r.controlPlanes, organization, id)
	if err != nil {
		return err
	}
	if entry.Value.Region != region {
		return ErrNotFound
	}
	if err := r.controlPlanes.Delete(ctx, entry.Key, entry.Revision); err != nil {
		return fmt.Errorf("delete control plane %s: %w", id, err)
	}
	if claim, err := r.names.Get(nameKey(entry.Value)); err == nil && claim.Value.ID == id {
		// If this fails the claim stays, of a control plane that is gone: the
		// next who wants the name takes it over.
		_ = r.names.Delete(ctx, claim.Key, claim.Revision)
	}
	return nil
}

func nameKey(cp ControlPlane) string {
	sum := sha256.Sum256([]byte(cp.Name))
	return cp.OrgID + "." + cp.Region + ".control-plane." + hex.EncodeToString(sum[:])
}
