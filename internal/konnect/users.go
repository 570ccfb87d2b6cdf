package konnect

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/registry"
)

const usersPath = "/v3/users"

type user struct {
	ID            string    `json:"id" format:"uuid"`
	Email         string    `json:"email" format:"email" maxLength:"250"`
	FullName      string    `json:"full_name" maxLength:"250"`
	PreferredName string    `json:"preferred_name" maxLength:"250"`
	Active        bool      `json:"active"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`

	InferredRegion string `json:"inferred_region,omitempty" doc:"The region of the call, in what tells callers of themselves."`
}

func showUser(u registry.User) user {
	return user{
		ID: u.ID, Email: u.Email, FullName: u.FullName, PreferredName: u.PreferredName,
		Active: u.Active, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

type userOutput struct{ Body user }

type userList struct {
	Body struct {
		Data []user       `json:"data" nullable:"false"`
		Meta numberedMeta `json:"meta"`
	}
}

type usersQuery struct {
	NumberedPage
	ID               string `query:"filter[id][eq]"`
	Email            string `query:"filter[email][eq]"`
	EmailContains    string `query:"filter[email][contains]"`
	FullName         string `query:"filter[full_name][eq]"`
	FullNameContains string `query:"filter[full_name][contains]"`
	Active           string `query:"filter[active]" enum:"true,false"`
}

// Resolve implements [huma.Resolver].
func (*usersQuery) Resolve(ctx huma.Context) []error {
	return knownFilters(ctx, "filter[id][eq]", "filter[email][eq]", "filter[email][contains]",
		"filter[full_name][eq]", "filter[full_name][contains]", "filter[active]")
}

func (q *usersQuery) pass(u registry.User) bool {
	return matches(u.ID, q.ID, "") && matches(u.Email, q.Email, q.EmailContains) &&
		matches(u.FullName, q.FullName, q.FullNameContains) && says(u.Active, q.Active)
}

type userID struct {
	UserID string `path:"userId"`
}

type userChange struct {
	UserID string `path:"userId"`
	Body   struct {
		FullName      *string `json:"full_name,omitempty" minLength:"1" maxLength:"250"`
		PreferredName *string `json:"preferred_name,omitempty" maxLength:"250"`
		Active        *bool   `json:"active,omitempty"`
	}
}

type newUser struct {
	Body struct {
		Email         string `json:"email" format:"email" maxLength:"250"`
		FullName      string `json:"full_name" minLength:"1" maxLength:"250"`
		PreferredName string `json:"preferred_name,omitempty" maxLength:"250"`
	}
}

// userRoutes serves the people of an organization. Konnect invites by e-mail;
// here a user is made by an admin, who makes their first token too.
func (a *API) userRoutes() {
	const one, resource, tag = usersPath + "/{userId}", "users/{userId}", "Users"
	register(a, route{"get-users-me", http.MethodGet, usersPath + "/me", "Retrieve the calling user",
		registry.Retrieve, "users/me", http.StatusOK, tag}, a.getMe)
	register(a, route{"list-users", http.MethodGet, usersPath, "List the users",
		registry.List, "users", http.StatusOK, tag}, a.listUsers)
	register(a, route{"create-user", http.MethodPost, "/trailhook/v1/users", "Create a user",
		registry.Create, "users", http.StatusCreated, tag}, a.createUser)
	register(a, route{"get-user", http.MethodGet, one, "Retrieve a user",
		registry.Retrieve, resource, http.StatusOK, tag}, a.getUser)
	register(a, route{"update-user", http.MethodPatch, one, "Change a user",
		registry.Edit, resource, http.StatusOK, tag}, a.changeUser)
	register(a, route{"delete-user", http.MethodDelete, one, "Delete a user and their tokens",
		registry.Delete, resource, http.StatusNoContent, tag}, a.deleteUser)
}

func (a *API) getMe(ctx context.Context, _ *struct{}) (*userOutput, error) {
	c := callOf(ctx)
	u, err := a.Registry.User(c.user.OrgID, c.user.ID)
	if err != nil {
		return nil, err
	}
	me := showUser(u)
	me.InferredRegion = c.region
	return &userOutput{me}, nil
}

func (a *API) listUsers(ctx context.Context, in *usersQuery) (*userList, error) {
	list := slices.DeleteFunc(a.Registry.Users(callOf(ctx).user.OrgID), func(u registry.User) bool { return !in.pass(u) })
	page, meta := cutNumbered(list, in.NumberedPage)
	out := &userList{}
	out.Body.Meta = meta
	out.Body.Data = make([]user, len(page))
	for i, u := range page {
		out.Body.Data[i] = showUser(u)
	}
	return out, nil
}

func (a *API) createUser(ctx context.Context, in *newUser) (*userOutput, error) {
	u, err := a.Registry.CreateUser(ctx, registry.User{
		OrgID: callOf(ctx).user.OrgID, Email: in.Body.Email, FullName: in.Body.FullName, PreferredName: in.Body.PreferredName,
	})
	if err != nil {
		return nil, err
	}
	return &userOutput{showUser(u)}, nil
}

func (a *API) getUser(ctx context.Context, in *userID) (*userOutput, error) {
	u, err := a.Registry.User(callOf(ctx).user.OrgID, in.UserID)
	if err != nil {
		return nil, err
	}
	return &userOutput{showUser(u)}, nil
}

func (a *API) changeUser(ctx context.Context, in *userChange) (*userOutput, error) {
	u, err := a.Registry.ChangeUser(ctx, callOf(ctx).user.OrgID, in.UserID, registry.UserChange{
		FullName: in.Body.FullName, PreferredName: in.Body.PreferredName, Active: in.Body.Active,
	})
	if err != nil {
		return nil, err
	}
	return &userOutput{showUser(u)}, nil
}

func (a *API) deleteUser(ctx context.Context, in *userID) (*struct{}, error) {
	return nil, a.Registry.DeleteUser(ctx, callOf(ctx).user.OrgID, in.UserID)
}
