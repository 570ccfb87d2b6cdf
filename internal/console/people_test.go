package console_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestAPersonIsAddedGivenARoleAndATokenAndDeleted(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	plane := o.api("POST", "/v2/control-planes", map[string]any{"name": "edge"})["id"].(string)
	says(t, c.get("/people", 200), "<h1>People</h1>", "Add a person")
	page, at := c.post("/people/users", fields("email", "ann@example.com", "full_name", "Ann O'Nym", "preferred_name", "Ann"), "/people/users/new", 200)
	if !strings.HasPrefix(at, "/people/users/") {
		t.Fatalf("it leads to %s: %s", at, page)
	}
	says(t, page, "Ann O&#39;Nym is added", "ann@example.com", "No roles.", "There are no tokens.", "without it they cannot sign in")

	page, _ = c.post(at+"/roles", fields("role", "Control Planes/Viewer", "entity_id", plane, "entity_region", "us"), at, 200)
	says(t, page, "The role Control Planes: Viewer is given.", "<td>Control Planes: Viewer</td><td>edge</td><td>us</td>")
	page, _ = c.post(at+"/roles", fields("role", "Control Planes/Viewer", "entity_id", plane, "entity_region", "us"), at, 409)
	says(t, page, "The role is assigned already.", `<option value="Control Planes/Viewer" selected>`)
	page, _ = c.post(at+"/roles", fields("role", "Control Planes/Viewer", "entity_id", "nonsense", "entity_region", "eu"), at, 400)
	says(t, page, `name="entity_id" value="nonsense"`, `aria-invalid="true" aria-describedby="about-entity"`)
	page, _ = c.post(at+"/roles/remove", fields("id", tokenInRow.FindStringSubmatch(page)[1], "title", "Control Planes: Viewer"), at, 200)
	says(t, page, "The role Control Planes: Viewer is taken away.", "No roles.")

	page, _ = c.post(at+"/tokens", fields("token_name", "first", "lifetime", "7"), at, 200)
	secret := shownToken.FindString(page)
	says(t, page, "The token first is made", "Ann O&#39;Nym", `href="`+at+`"`)
	ann := o.clerk(secret)
	says(t, ann.get("/tokens", 200), "<td>first")

	page, _ = c.post(at, fields("full_name", "Ann Other", "preferred_name", ""), at, 200) // without the tick: not active
	says(t, page, "The changes are saved.", "Ann Other", "disabled")
	says(t, ann.get("/tokens", 200), "Sign in")
	page, _ = c.post(at, fields("full_name", "", "active", "1"), at, 400)
	says(t, page, "This is required.", `aria-invalid="true" aria-describedby="about-full_name"`, "ann@example.com")

	page, end := c.post(at+"/delete", fields("title", "Ann Other"), at, 200)
	says(t, page, "Ann Other is deleted")
	lacks(t, page, "ann@example.com")
	if end != "/people" {
		t.Errorf("it leads to %s", end)
	}
	says(t, c.get(at, 404), "There is no such thing")
}

func TestTheLastAdminStays(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	at := "/people/users/" + o.me()
	page, _ := c.post(at+"/delete", fields("title", "x"), at, 409)
	says(t, page, "would be left without an admin", "Organizations: Admin", `<span class="badge plain">you</span>`)
	role := o.api("GET", "/v3/users/"+o.me()+"/assigned-roles", nil)["data"].([]any)[0].(map[string]any)["id"].(string)
	page, _ = c.post(at+"/roles/remove", fields("id", role), at, 409)
	says(t, page, "would be left without an admin")
}

func TestPeopleAreFoundByWhatTheFilterSaysPageByPage(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	for i := range 27 {
		o.api("POST", "/trailhook/v1/users", map[string]any{"email": fmt.Sprintf("bee%02d@example.com", i), "full_name": fmt.Sprintf("Bee %02d", i)})
	}
	page := c.get("/people?email=BEE", 200)
	says(t, page, "Page 1 of 2, 27 in all", `href="/people?email=BEE&amp;page=2"`, "Bee 00")
	lacks(t, page, "Bee 26")
	says(t, c.get("/people?email=bee&page=2", 200), "Bee 26", `href="/people?email=bee" rel="prev"`)
	says(t, c.get("/people?email=bee&page=99", 200), "Bee 26", "Page 2 of 2")
	says(t, c.get("/people?name=Bee+07", 200), "bee07@example.com")
	says(t, c.get("/people?name=nobody", 200), "Nobody found")
	says(t, c.get("/people?email=bee&state=false", 200), "Nobody found")
}

func TestASystemAccountHasRolesAndTokensOfItsOwn(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	says(t, c.get("/people/system-accounts", 200), "There are no system accounts yet", "Make the first system account")
	page, at := c.post("/people/system-accounts", fields("name", "ci", "description", "for the pipeline"), "/people/system-accounts/new", 200)
	says(t, page, "ci is added. Give it a role", "for the pipeline", "the system account can do nothing")
	page, _ = c.post(at+"/roles", fields("role", "Audit Events/Writer", "entity_region", "*"), at, 200)
	says(t, page, "<td>Audit Events: Writer</td><td>all</td><td>all regions</td>")
	page, _ = c.post(at+"/tokens", fields("token_name", "build", "lifetime", "1826"), at, 200)
	says(t, page, "The token build is made", "spat_")
	page = c.get(at, 200)
	says(t, page, "build</td>", "Delete the token build?")
	lacks(t, page, "spat_")
	token := o.api("GET", "/v3"+strings.TrimPrefix(at, "/people")+"/access-tokens", nil)["data"].([]any)[0].(map[string]any)["id"].(string)
	page, _ = c.post(at+"/tokens/delete", fields("id", token), at, 200)
	says(t, page, "The token is deleted", "There are no tokens.")
	page, _ = c.post(at, fields("name", "ci two", "description", "x"), at, 200)
	says(t, page, "The changes are saved.", "ci two")
	page, _ = c.post("/people/system-accounts", fields("name", ""), "/people/system-accounts/new", 400)
	says(t, page, "This is required.")
	page, end := c.post(at+"/delete", fields("title", "ci two"), at, 200)
	says(t, page, "ci two is deleted", "There are no system accounts yet")
	if end != "/people/system-accounts" {
		t.Errorf("it leads to %s", end)
	}
}

func TestNothingOfAPersonIsEverMarkup(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	_, at := c.post("/people/users", fields("email", "h@example.com", "full_name", hostile, "preferred_name", hostile), "/people/users/new", 200)
	inert(t, c.get(at, 200))
	inert(t, c.get("/people", 200))
	inert(t, c.get("/people?name="+"%22%3E%3Cscript%3Ealert(1)%3C/script%3E", 200))
	_, at = c.post("/people/system-accounts", fields("name", hostile, "description", hostile), "/people/system-accounts/new", 200)
	inert(t, c.get(at, 200))
	inert(t, c.get("/people/system-accounts", 200))
	page, _ := c.post(at+"/tokens", fields("token_name", hostile, "lifetime", "7"), at, 200)
	inert(t, page)
	inert(t, c.get(at, 200))
	c.get("/people/users/"+url.PathEscape(hostile), 404)
	inert(t, c.get("/activity?kind=all", 200))
}
