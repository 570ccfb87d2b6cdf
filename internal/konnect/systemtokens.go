package konnect

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/registry"
)

type systemToken struct {
	ID         string     `json:"id" format:"uuid"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty" doc:"Left out where it does not."`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"Left out before the first use."`
	Secret     string     `json:"token,omitempty" doc:"The token, in the answer that makes it. It is not kept and cannot be shown again."`
}

func showSystemToken(t registry.Token) systemToken {
	return systemToken{
		ID: t.ID, Name: t.Name, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		ExpiresAt: unlessZero(t.ExpiresAt), LastUsedAt: unlessZero(t.LastUsedAt),
	}
}

type systemTokenOutput struct{ Body systemToken }

type systemTokenList struct {
	Body struct {
		Data []systemToken `json:"data" nullable:"false"`
		Meta numberedMeta  `json:"meta"`
	}
}

type systemTokensQuery struct {
	AccountID string `path:"accountId"`
	NumberedPage
	Name         string `query:"filter[name][eq]"`
	NameContains string `query:"filter[name][contains]"`
}

// Resolve implements [huma.Resolver].
func (*systemTokensQuery) Resolve(ctx huma.Context) []error {
	return knownFilters(ctx, "filter[name][eq]", "filter[name][contains]")
}

type systemTokenPath struct {
	AccountID string `path:"accountId"`
	TokenID   string `path:"tokenId"`
}

type newSystemTokenInput struct {
	AccountID string `path:"accountId"`
	Body      struct {
		Name      string    `json:"name" minLength:"1" maxLength:"256"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

type systemTokenChange struct {
	AccountID string `path:"accountId"`
	TokenID   string `path:"tokenId"`
	Body      struct {
		Name string `json:"name" minLength:"1" maxLength:"256"`
	}
}

func (a *API) systemTokenRoutes() {
	const all, resource, tag = systemAccountsPath + "/{accountId}/access-tokens", "system-accounts/{accountId}/access-tokens", "System accounts"
	const one, oneResource = all + "/{tokenId}", resource + "/{tokenId}"
	register(a, route{"list-system-account-access-tokens", http.MethodGet, all, "List a system account's access tokens",
		registry.List, resource, http.StatusOK, tag}, a.listSystemTokens)
	register(a, route{"create-system-account-access-token", http.MethodPost, all, "Create an access token of a system account",
		registry.Create, resource, http.StatusCreated, tag}, a.createSystemToken)
	register(a, route{"get-system-account-access-token", http.MethodGet, one, "Retrieve an access token of a system account",
		registry.Retrieve, oneResource, http.StatusOK, tag}, a.getSystemToken)
	register(a, route{"update-system-account-access-token", http.MethodPatch, one, "Rename an access token of a system account",
		registry.Edit, oneResource, http.StatusOK, tag}, a.renameSystemToken)
	register(a, route{"delete-system-account-access-token", http.MethodDelete, one, "Delete an access token of a system account",
		registry.Delete, oneResource, http.StatusNoContent, tag}, a.deleteSystemToken)
}

func (a *API) listSystemTokens(ctx context.Context, in *systemTokensQuery) (*systemTokenList, error) {
	organization := callOf(ctx).user.OrgID
	if _, err := a.Registry.SystemAccount(organization, in.AccountID); err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(a.Registry.Tokens(organization, in.AccountID),
		func(t registry.Token) bool { return !matches(t.Name, in.Name, in.NameContains) })
	page, meta := cutNumbered(list, in.NumberedPage)
	out := &systemTokenList{}
	out.Body.Meta = meta
	out.Body.Data = make([]systemToken, len(page))
	for i, t := range page {
		out.Body.Data[i] = showSystemToken(t)
	}
	return out, nil
}

func (a *API) createSystemToken(ctx context.Context, in *newSystemTokenInput) (*systemTokenOutput, error) {
	account, err := a.Registry.SystemAccount(callOf(ctx).user.OrgID, in.AccountID)
	if err != nil {
		return nil, err
	}
	end, err := a.Registry.ExpiryAt(in.Body.ExpiresAt, 10)
	if err != nil {
		return nil, err
	}
	secret, kept, err := a.Registry.CreateSystemToken(ctx, account, in.Body.Name, end)
	if err != nil {
		return nil, err
	}
	shown := showSystemToken(kept)
	shown.Secret = secret
	return &systemTokenOutput{shown}, nil
}

func (a *API) getSystemToken(ctx context.Context, in *systemTokenPath) (*systemTokenOutput, error) {
	t, err := a.Registry.Token(callOf(ctx).user.OrgID, in.AccountID, in.TokenID)
	if err != nil {
		return nil, err
	}
	return &systemTokenOutput{showSystemToken(t)}, nil
}

func (a *API) renameSystemToken(ctx context.Context, in *systemTokenChange) (*systemTokenOutput, error) {
	t, err := a.Registry.RenameToken(ctx, callOf(ctx).user.OrgID, in.AccountID, in.TokenID, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &systemTokenOutput{showSystemToken(t)}, nil
}

func (a *API) deleteSystemToken(ctx context.Context, in *systemTokenPath) (*struct{}, error) {
	return nil, a.Registry.DeleteToken(ctx, callOf(ctx).user.OrgID, in.AccountID, in.TokenID)
}
