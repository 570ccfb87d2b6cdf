package konnect

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/registry"
)

const systemAccountsPath = "/v3/system-accounts"

type systemAccount struct {
	ID          string    `json:"id" format:"uuid"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	// Terraform shows a change that never ends when it sent null and is told false.
	KonnectManaged *bool `json:"konnect_managed,omitempty" doc:"As the account was made with; left out if that did not say."`
}

func showSystemAccount(s registry.SystemAccount) systemAccount {
	return systemAccount{
		ID: s.ID, Name: s.Name, Description: s.Description,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, KonnectManaged: s.KonnectManaged,
	}
}

type systemAccountOutput struct{ Body systemAccount }

type systemAccountList struct {
	Body struct {
		Data []systemAccount `json:"data" nullable:"false"`
		Meta numberedMeta    `json:"meta"`
	}
}

type systemAccountsQuery struct {
	NumberedPage
	Name                string `query:"filter[name][eq]"`
	NameContains        string `query:"filter[name][contains]"`
	Description         string `query:"filter[description][eq]"`
	DescriptionContains string `query:"filter[description][contains]"`
	KonnectManaged      string `query:"filter[konnect_managed]" enum:"true,false"`
}

// Resolve implements [huma.Resolver].
func (*systemAccountsQuery) Resolve(ctx huma.Context) []error {
	return knownFilters(ctx, "filter[name][eq]", "filter[name][contains]",
		"filter[description][eq]", "filter[description][contains]", "filter[konnect_managed]")
}

func (q *systemAccountsQuery) pass(s registry.SystemAccount) bool {
	managed := s.KonnectManaged != nil && *s.KonnectManaged
	return matches(s.Name, q.Name, q.NameContains) &&
		matches(s.Description, q.Description, q.DescriptionContains) && says(managed, q.KonnectManaged)
}

type systemAccountID struct {
	AccountID string `path:"accountId"`
}

type newSystemAccount struct {
	Body struct {
		Name           string `json:"name" minLength:"1" maxLength:"256"`
		Description    string `json:"description" maxLength:"2048"`
		KonnectManaged *bool  `json:"konnect_managed,omitempty" nullable:"true"`
	}
}

type systemAccountChange struct {
	AccountID string `path:"accountId"`
	Body      struct {
		Name        *string `json:"name,omitempty" minLength:"1" maxLength:"256"`
		Description *string `json:"description,omitempty" maxLength:"2048"`
	}
}

func (a *API) systemAccountRoutes() {
	const one, resource, tag = systemAccountsPath + "/{accountId}", "system-accounts/{accountId}", "System accounts"
	register(a, route{"list-system-accounts", http.MethodGet, systemAccountsPath, "List the system accounts",
		registry.List, "system-accounts", http.StatusOK, tag}, a.listSystemAccounts)
	register(a, route{"create-system-account", http.MethodPost, systemAccountsPath, "Create a system account",
		registry.Create, "system-accounts", http.StatusCreated, tag}, a.createSystemAccount)
	register(a, route{"get-system-account", http.MethodGet, one, "Retrieve a system account",
		registry.Retrieve, resource, http.StatusOK, tag}, a.getSystemAccount)
	register(a, route{"update-system-account", http.MethodPatch, one, "Change a system account",
		registry.Edit, resource, http.StatusOK, tag}, a.changeSystemAccount)
	register(a, route{"delete-system-account", http.MethodDelete, one, "Delete a system account and its tokens",
		registry.Delete, resource, http.StatusNoContent, tag}, a.deleteSystemAccount)
}

func (a *API) listSystemAccounts(ctx context.Context, in *systemAccountsQuery) (*systemAccountList, error) {
	list := slices.DeleteFunc(a.Registry.SystemAccounts(callOf(ctx).user.OrgID),
		func(s registry.SystemAccount) bool { return !in.pass(s) })
	page, meta := cutNumbered(list, in.NumberedPage)
	out := &systemAccountList{}
	out.Body.Meta = meta
	out.Body.Data = make([]systemAccount, len(page))
	for i, s := range page {
		out.Body.Data[i] = showSystemAccount(s)
	}
	return out, nil
}

func (a *API) createSystemAccount(ctx context.Context, in *newSystemAccount) (*systemAccountOutput, error) {
	s, err := a.Registry.CreateSystemAccount(ctx, registry.SystemAccount{
		OrgID: callOf(ctx).user.OrgID, Name: in.Body.Name, Description: in.Body.Description, KonnectManaged: in.Body.KonnectManaged,
	})
	if err != nil {
		return nil, err
	}
	return &systemAccountOutput{showSystemAccount(s)}, nil
}

func (a *API) getSystemAccount(ctx context.Context, in *systemAccountID) (*systemAccountOutput, error) {
	s, err := a.Registry.SystemAccount(callOf(ctx).user.OrgID, in.AccountID)
	if err != nil {
		return nil, err
	}
	return &systemAccountOutput{showSystemAccount(s)}, nil
}

func (a *API) changeSystemAccount(ctx context.Context, in *systemAccountChange) (*systemAccountOutput, error) {
	s, err := a.Registry.ChangeSystemAccount(ctx, callOf(ctx).user.OrgID, in.AccountID,
		registry.SystemAccountChange{Name: in.Body.Name, Description: in.Body.Description})
	if err != nil {
		return nil, err
	}
	return &systemAccountOutput{showSystemAccount(s)}, nil
}

func (a *API) deleteSystemAccount(ctx context.Context, in *systemAccountID) (*struct{}, error) {
	return nil, a.Registry.DeleteSystemAccount(ctx, callOf(ctx).user.OrgID, in.AccountID)
}
