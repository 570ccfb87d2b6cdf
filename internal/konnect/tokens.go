package konnect

import (
	"context"
	"net/http"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
)

type token struct {
	ID         string     `json:"id" format:"uuid"`
	UserID     string     `json:"user_id" format:"uuid"`
	Name       string     `json:"name"`
	State      string     `json:"state" enum:"ACTIVE,REVOKED,EXPIRED"`
	RevokedBy  *string    `json:"revoked_by" format:"uuid" nullable:"true"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	LastUsedAt *time.Time `json:"last_used_at" nullable:"true"`
	ExpiresAt  *time.Time `json:"expires_at" nullable:"true"`
	RevokedAt  *time.Time `json:"revoked_at" nullable:"true"`

	Secret string `json:"konnect_token,omitempty" doc:"The token, in the answer that makes it. It is not kept and cannot be shown again."`
}

func (a *API) showToken(t registry.Token) token {
	return token{
		ID: t.ID, UserID: t.UserID, Name: t.Name, State: string(a.Registry.TokenState(t)), RevokedBy: unlessZero(t.RevokedBy),
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		LastUsedAt: unlessZero(t.LastUsedAt), ExpiresAt: unlessZero(t.ExpiresAt), RevokedAt: unlessZero(t.RevokedAt),
	}
}

func unlessZero[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}

type tokenOutput struct{ Body token }

// tokenList has its numbers right under meta, unlike all other lists: so has
// Konnect's. All of a user's tokens are on its one page.
// tokenListMeta is flat, unlike that of every other list: so it is at Konnect.
type tokenListMeta struct {
	Number int `json:"number"`
	Size   int `json:"size"`
	Total  int `json:"total"`
}

type tokenList struct {
	Body struct {
		Data []token       `json:"data" nullable:"false"`
		Meta tokenListMeta `json:"meta"`
	}
}

type tokenPath struct {
	UserID  string `path:"userId"`
	TokenID string `path:"tokenId"`
}

type newTokenInput struct {
	UserID string `path:"userId"`
	Body   struct {
		Name       string     `json:"name" maxLength:"256" pattern:"^[\\p{L}\\p{N}][\\p{L}\\p{N} _\\-\\.']*[\\p{L}\\p{N}]$"`
		ExpiresAt  *time.Time `json:"expires_at,omitempty" doc:"Either this or ttl_seconds is given; at most a year ahead."`
		TTLSeconds *int       `json:"ttl_seconds,omitempty" minimum:"1" maximum:"31536000"`
	}
}

type tokenChange struct {
	UserID  string `path:"userId"`
	TokenID string `path:"tokenId"`
	Body    struct {
		Name *string `json:"name,omitempty" maxLength:"256" pattern:"^[\\p{L}\\p{N}][\\p{L}\\p{N} _\\-\\.']*[\\p{L}\\p{N}]$"`
	}
}

// tokenRoutes serves personal access tokens. The permission check lets users
// manage their own.
func (a *API) tokenRoutes() {
	const all, resource, tag = usersPath + "/{userId}/access-tokens", "users/{userId}/access-tokens", "Personal access tokens"
	const one, oneResource = all + "/{tokenId}", resource + "/{tokenId}"
	register(a, route{"list-user-access-tokens", http.MethodGet, all, "List a user's access tokens",
		registry.List, resource, http.StatusOK, tag}, a.listTokens)
	register(a, route{"create-user-access-token", http.MethodPost, all, "Create an access token of a user",
		registry.Create, resource, http.StatusCreated, tag}, a.createToken)
	register(a, route{"get-user-access-token", http.MethodGet, one, "Retrieve an access token of a user",
		registry.Retrieve, oneResource, http.StatusOK, tag}, a.getToken)
	register(a, route{"update-user-access-token", http.MethodPatch, one, "Rename an access token of a user",
		registry.Edit, oneResource, http.StatusOK, tag}, a.renameToken)
	register(a, route{"revoke-user-access-token", http.MethodPatch, one + "/revoke", "Revoke an access token of a user",
		registry.Edit, oneResource, http.StatusOK, tag}, a.revokeToken)
	register(a, route{"delete-user-access-token", http.MethodDelete, one, "Delete an access token of a user",
		registry.Delete, oneResource, http.StatusNoContent, tag}, a.deleteToken)
}

func (a *API) listTokens(ctx context.Context, in *userID) (*tokenList, error) {
	c := callOf(ctx)
	if _, err := a.Registry.User(c.user.OrgID, in.UserID); err != nil {
		return nil, err
	}
	list := a.Registry.Tokens(c.user.OrgID, in.UserID)
	out := &tokenList{}
	out.Body.Meta.Number, out.Body.Meta.Size, out.Body.Meta.Total = 1, len(list), len(list)
	out.Body.Data = make([]token, len(list))
	for i, t := range list {
		out.Body.Data[i] = a.showToken(t)
	}
	return out, nil
}

func (a *API) createToken(ctx context.Context, in *newTokenInput) (*tokenOutput, error) {
	c := callOf(ctx)
	u, err := a.Registry.User(c.user.OrgID, in.UserID)
	if err != nil {
		return nil, err
	}
	var end time.Time
	switch at, ttl := in.Body.ExpiresAt, in.Body.TTLSeconds; {
	case at == nil && ttl == nil:
		return nil, &registry.InvalidError{Field: "expires_at", Rule: "required", Reason: "either expires_at or ttl_seconds is required"}
	case at != nil && ttl != nil:
		return nil, &registry.InvalidError{Field: "ttl_seconds", Rule: "invalid", Reason: "expires_at and ttl_seconds exclude each other"}
	case ttl != nil:
		end = a.Registry.ExpiryIn(time.Duration(*ttl) * time.Second)
	default:
		if end, err = a.Registry.ExpiryAt(*at, 1); err != nil {
			return nil, err
		}
	}
	secret, kept, err := a.Registry.CreateToken(ctx, u, in.Body.Name, end)
	if err != nil {
		return nil, err
	}
	shown := a.showToken(kept)
	shown.Secret = secret
	return &tokenOutput{shown}, nil
}

func (a *API) getToken(ctx context.Context, in *tokenPath) (*tokenOutput, error) {
	t, err := a.Registry.Token(callOf(ctx).user.OrgID, in.UserID, in.TokenID)
	return a.tokenOutput(t, err)
}

func (a *API) renameToken(ctx context.Context, in *tokenChange) (*tokenOutput, error) {
	if in.Body.Name == nil {
		return a.getToken(ctx, &tokenPath{in.UserID, in.TokenID})
	}
	t, err := a.Registry.RenameToken(ctx, callOf(ctx).user.OrgID, in.UserID, in.TokenID, *in.Body.Name)
	return a.tokenOutput(t, err)
}

func (a *API) revokeToken(ctx context.Context, in *tokenPath) (*tokenOutput, error) {
	c := callOf(ctx)
	t, err := a.Registry.RevokeToken(ctx, c.user.OrgID, in.UserID, in.TokenID, c.user.ID)
	return a.tokenOutput(t, err)
}

func (a *API) deleteToken(ctx context.Context, in *tokenPath) (*struct{}, error) {
	return nil, a.Registry.DeleteToken(ctx, callOf(ctx).user.OrgID, in.UserID, in.TokenID)
}

// tokenOutput answers with a token, or passes the error on.
func (a *API) tokenOutput(t registry.Token, err error) (*tokenOutput, error) {
	if err != nil {
		return nil, err
	}
	return &tokenOutput{a.showToken(t)}, nil
}
