package console_test

import (
	"regexp"
	"testing"
	"time"
)

var (
	shownToken = regexp.MustCompile(`kpat_[A-Za-z0-9_]+`)
	tokenInRow = regexp.MustCompile(`name="id" value="([^"]+)"`)
)

func TestATokenIsMadeShownOnceAndRevoked(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	page := c.get("/tokens", 200)
	says(t, page, "<h1>Tokens</h1>", "Your tokens", "active", "Make the token")
	page, at := c.post("/tokens", fields("token_name", "terraform", "lifetime", "30"), "/tokens", 200)
	secret := shownToken.FindString(page)
	if secret == "" || at != "/tokens" {
		t.Fatalf("%s shows no token: %s", at, page)
	}
	says(t, page, "The token terraform is made", "shown this once only", time.Now().UTC().AddDate(0, 0, 30).Format("2006-01-02"))
	other := o.clerk(secret) // it signs in
	page = other.get("/tokens", 200)
	says(t, page, "terraform")
	lacks(t, page, secret)

	id := ""
	for _, token := range o.api("GET", "/v3/users/"+o.me()+"/access-tokens", nil)["data"].([]any) {
		if one := token.(map[string]any); one["name"] == "terraform" {
			id = one["id"].(string)
		}
	}
	page, at = c.post("/tokens/revoke", fields("id", id), "/tokens", 200)
	says(t, page, "The token is revoked", "revoked</span>", "Delete the token terraform?")
	if at != "/tokens" {
		t.Errorf("it leads to %s", at)
	}
	says(t, other.get("/tokens", 200), "is not valid any more", "Sign in")
	page, _ = c.post("/tokens/delete", fields("id", id), "/tokens", 200)
	lacks(t, page, "terraform</td>", "Delete the token terraform?")
}

func TestATokenThatCannotBeSaysWhyAtItsField(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	for _, test := range []struct {
		name, lifetime, until string
		want                  string
	}{
		{"", "30", "", "letter or a digit"},
		{"-", "30", "", "letter or a digit"},
		{"ci", "30", "2001-01-01", "Must be in the future."},
		{"ci", "30", "2999-01-01", "Must be at most 1 year(s) ahead."},
		{"ci", "30", "tomorrow", "Write the day as"},
		{"ci", "", "", "Choose how long"},
		{"ci", "99999999999999999999", "", "Choose how long"},
	} {
		page, _ := c.post("/tokens", fields("token_name", test.name, "lifetime", test.lifetime, "until", test.until), "/tokens", 400)
		says(t, page, test.want, `aria-invalid="true" aria-describedby="about-`, `name="token_name" type="text" value="`+test.name+`"`)
		lacks(t, page, "kpat_")
	}
}

func TestWhoHasNoRoleStillManagesTheirOwnTokens(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.lowly())
	says(t, c.get("/tokens", 200), "<td>low")
	page, _ := c.post("/tokens", fields("token_name", "mine", "lifetime", "7"), "/tokens", 200)
	says(t, page, "The token mine is made")
	says(t, c.get("/people", 403), "You may not do this", "Ask who administers this server")
}

func TestASystemAccountIsToldWhoMakesItsTokens(t *testing.T) {
	o := openOffice(t)
	account := "/v3/system-accounts/" + o.api("POST", "/v3/system-accounts", map[string]any{"name": "robot", "description": ""})["id"].(string)
	o.api("POST", account+"/assigned-roles", map[string]any{"entity_type_name": "Control Planes", "role_name": "Admin", "entity_id": "*", "entity_region": "*"})
	token := o.api("POST", account+"/access-tokens", map[string]any{"name": "robot", "expires_at": time.Now().Add(time.Hour).Format(time.RFC3339)})["token"].(string)
	c := o.clerk(token)
	says(t, c.get("/tokens", 200), "You are signed in as a system account")
	says(t, c.get("/control-planes", 200), "Make the first control plane")
}

func TestAFormOfAnotherSiteChangesNothing(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	plane := "/control-planes/" + o.api("POST", "/v2/control-planes", map[string]any{"name": "keep"})["id"].(string)
	portal := "/portals/" + o.api("POST", "/v3/portals", map[string]any{"name": "keep"})["id"].(string)
	person := "/people/users/" + o.me()
	for _, path := range []string{
		"/tokens", "/tokens/revoke", "/tokens/delete",
		"/people/users", person, person + "/delete", person + "/roles", person + "/roles/remove", person + "/tokens", person + "/tokens/revoke", person + "/tokens/delete",
		"/people/system-accounts",
		"/control-planes", plane, plane + "/delete",
		"/portals", portal, portal + "/delete", portal + "/developers", portal + "/developers/x", portal + "/developers/x/status", portal + "/developers/x/delete",
	} {
		page, _ := c.do("POST", path, fields("name", "forged", "csrf", "x"), 403)
		says(t, page, "This form was not accepted")
	}
	says(t, c.get(plane, 200), "keep")
	says(t, c.get(portal, 200), "keep")
	lacks(t, c.get("/control-planes", 200), "forged")
}
