package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Make an access token of a system account, and the account if it is new."`
}

type tokenCreateCommand struct {
	SystemAccount string   `required:"" help:"Name of the system account." placeholder:"NAME"`
	Role          []string `help:"Role of a system account that is new, such as audit-events-writer. Can be repeated." placeholder:"ROLE"`
	Org           string   `help:"Id of the organization; it can be left out where there is only one." placeholder:"ID"`
	Expires       lifetime `help:"How long the token is good for: 30d, 12h. It does not expire unless this is given." placeholder:"TIME"`

	Data dataFlags `embed:""`
}

func (tokenCreateCommand) Help() string {
	return `The token is printed to standard output, once: it is not kept. The server must not be running, since the
command works on its data directory; it knows the token from its next start. On a cluster servers go on, and know
the token at once.

  trailhook token create --system-account billing --role audit-events-writer --expires 90d`
}

func (c *tokenCreateCommand) Run(ctx context.Context, s streams) error {
	r, closeAll, err := c.Data.openRegistry(ctx, s)
	if err != nil {
		return err
	}
	defer closeAll()
	organization, err := chooseOrganization(r, c.Org)
	if err != nil {
		return err
	}
	account, err := c.account(ctx, r, organization)
	if err != nil {
		return err
	}
	token, err := c.create(ctx, r, account)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, token)
	return err
}

// create makes the token under the account's name, with a number from the second on.
func (c *tokenCreateCommand) create(ctx context.Context, r *registry.Registry, account registry.SystemAccount) (string, error) {
	name := account.Name
	for n := 2; ; n++ {
		token, _, err := r.CreateSystemToken(ctx, account, name, c.Expires.from(time.Now()))
		if !errors.Is(err, registry.ErrNameTaken) {
			return token, err
		}
		name = fmt.Sprintf("%s %d", account.Name, n)
	}
}

// account finds the system account, or makes it. An account's roles are not
// changed in passing: that would change what its other tokens may do.
func (c *tokenCreateCommand) account(ctx context.Context, r *registry.Registry, organization string) (registry.SystemAccount, error) {
	wanted := slices.Compact(slices.Sorted(slices.Values(c.Role)))
	for _, account := range r.SystemAccounts(organization) {
		if account.Name != c.SystemAccount {
			continue
		}
		if has := assigned(account); len(wanted) > 0 && !slices.Equal(wanted, has) {
			return account, fmt.Errorf("system account %q exists and has the roles %v: leave --role out, or choose another name", account.Name, has)
		}
		return account, nil
	}
	if len(wanted) == 0 {
		return registry.SystemAccount{}, fmt.Errorf("there is no system account %q: give a --role to make it", c.SystemAccount)
	}
	roles := make([]registry.Role, len(wanted))
	for i, role := range wanted {
		roles[i] = registry.Role(role)
	}
	return r.CreateSystemAccount(ctx, registry.SystemAccount{OrgID: organization, Name: c.SystemAccount}, roles...)
}

// assigned says which roles the account has, in their order.
func assigned(account registry.SystemAccount) []string {
	roles := make([]string, len(account.Assignments))
	for i, assignment := range account.Assignments {
		roles[i] = assignment.String()
	}
	slices.Sort(roles)
	return roles
}

func chooseOrganization(r *registry.Registry, id string) (string, error) {
	organizations := r.Organizations()
	if id == "" && len(organizations) == 1 {
		return organizations[0].ID, nil
	}
	var known []string
	for _, organization := range organizations {
		if organization.ID == id {
			return id, nil
		}
		known = append(known, fmt.Sprintf("%s (%s)", organization.ID, organization.Name))
	}
	switch {
	case len(known) == 0:
		return "", fmt.Errorf("there is no organization yet: start the server once with trailhook serve")
	case id == "":
		return "", fmt.Errorf("choose an organization with --org: %s", strings.Join(known, ", "))
	}
	return "", fmt.Errorf("--org %s: there is none of this id, only %s", id, strings.Join(known, ", "))
}

// lifetime is a duration that may be given in days.
type lifetime time.Duration

// maxLifetime keeps a typing error from making a token for ever, and the end of
// its time within what can be counted.
const maxLifetime = 10 * 365 * 24 * time.Hour

// UnmarshalText reads 30d, or what [time.ParseDuration] does.
func (l *lifetime) UnmarshalText(text []byte) error {
	const day = 24 * time.Hour
	var d time.Duration
	number, inDays := strings.CutSuffix(string(text), "d")
	days, err := strconv.ParseUint(number, 10, 16)
	if inDays {
		d = time.Duration(days) * day
	} else {
		d, err = time.ParseDuration(string(text))
	}
	if err != nil || d <= 0 || d > maxLifetime {
		return fmt.Errorf("%q is no time such as 30d or 12h, up to 3650d", text)
	}
	*l = lifetime(d)
	return nil
}

// from is when a token of now ends; zero where it does not.
func (l lifetime) from(now time.Time) time.Time {
	if l == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(l)).UTC().Truncate(time.Second)
}
