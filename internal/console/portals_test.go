package console_test

import "testing"

// portalForm is what a browser sends of a new portal.
func portalForm(name string, more ...string) []string {
	return append([]string{"name", name, "display_name", "", "description", "", "labels", "",
		"default_api_visibility", "private", "default_page_visibility", "public", "authentication_enabled", "1"}, more...)
}

func TestAPortalIsMadeChangedAndDeletedWithItsDevelopers(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	says(t, c.get("/portals", 200), "There are no portals here yet")
	page, at := c.post("/portals", fields(portalForm("dev", "labels", "env: prod")...), "/portals/new", 200)
	says(t, page, "The portal dev is made.", "no webhook", "There are no developers yet.", `name="display_name" type="text" value="dev"`, "env: prod</textarea>",
		`name="authentication_enabled" type="checkbox" value="1" checked`, `<option value="public" selected>Everybody`)
	page, _ = c.post(at, fields(portalForm("dev", "display_name", "For developers", "rbac_enabled", "1")...), at, 200)
	says(t, page, "The changes are saved.", "For developers", `name="rbac_enabled" type="checkbox" value="1" checked`)
	lacks(t, page, "env: prod</textarea>")

	page, _ = c.post(at+"/developers", fields("email", "dee@example.com", "full_name", "Dee Veloper", "password", "correct horse", "status", "pending"), at+"/developers/new", 200)
	says(t, page, "Dee Veloper is added", "dee@example.com", `<span class="badge doubt">pending</span>`, "Approve", "Reject", "so is its developer", "Its developers (1) are deleted with it.")
	lacks(t, page, "correct horse")
	dee := "/v3" + at + "/developers/" + o.api("GET", "/v3"+at+"/developers", nil)["data"].([]any)[0].(map[string]any)["id"].(string)
	page, _ = c.post(dee[3:]+"/status", fields("status", "approved"), at, 200)
	says(t, page, "Dee Veloper is approved now.", "Revoke the access of Dee Veloper?")
	page, _ = c.post(dee[3:], fields("full_name", "Dee Two", "status", "revoked", "password", ""), dee[3:], 200)
	says(t, page, "The changes are saved.", "Dee Two", `<option value="revoked" selected>`)
	page, _ = c.post(dee[3:], fields("full_name", "Dee Two", "status", "approved", "password", "short"), dee[3:], 400)
	says(t, page, "Must not be shorter than 8", `aria-invalid="true" aria-describedby="about-password"`)
	lacks(t, page, `value="short"`)

	page, _ = c.post(at+"/delete", fields("force", "false"), at, 409)
	says(t, page, "The portal has developers.", "Dee Two")
	page, end := c.post(at+"/delete", fields("force", "true", "title", "dev"), at, 200)
	says(t, page, "The portal dev is deleted.", "There are no portals here yet")
	if end != "/portals" {
		t.Errorf("it leads to %s", end)
	}
	c.get(at, 404)
	c.get(dee[3:], 404)
}

func TestADeveloperIsDeleted(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	at := "/portals/" + o.api("POST", "/v3/portals", map[string]any{"name": "p"})["id"].(string)
	one := at + "/developers/" + o.api("POST", "/v3"+at+"/developers", map[string]any{"email": "dee@example.com", "full_name": hostile})["id"].(string)
	inert(t, c.get(at, 200))
	inert(t, c.get(one, 200))
	page, end := c.post(one+"/delete", fields("title", "Dee"), one, 200)
	says(t, page, "Dee is deleted.", "There are no developers yet.")
	if end != at {
		t.Errorf("it leads to %s", end)
	}
}

func TestAPortalOrADeveloperThatCannotBeSaysWhyAtItsField(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	page, _ := c.post("/portals", fields(portalForm("")...), "/portals/new", 400)
	says(t, page, "This is required.", `aria-invalid="true" aria-describedby="about-name"`)
	page, _ = c.post("/portals", fields(portalForm(hostile, "labels", "x", "description", hostile)...), "/portals/new", 400)
	says(t, page, "Line 1 is no label")
	inert(t, page)
	page, _ = c.post("/portals", fields(portalForm("p", "default_api_visibility", "some")...), "/portals/new", 400)
	says(t, page, "Must be one of public, private")
	_, at := c.post("/portals", fields(portalForm("p")...), "/portals/new", 200)
	page, _ = c.post(at, fields(portalForm("", "description", "still here")...), at, 400)
	says(t, page, "This is required.", "still here", "There are no developers yet.")
	page, _ = c.post(at+"/developers", fields("email", "nobody", "full_name", "", "status", "approved", "password", "long enough"), at+"/developers/new", 400)
	says(t, page, `aria-describedby="about-full_name"`, "Write it once more")
	lacks(t, page, "long enough")
	c.get("/portals/nothing", 404)
	c.get("/portals/nothing/developers/new", 404)
}
