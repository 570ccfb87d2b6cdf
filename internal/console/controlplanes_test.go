package console_test

import (
	"fmt"
	"testing"
)

func TestAControlPlaneIsMadeChangedAndDeleted(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	says(t, c.get("/control-planes", 200), "There are no control planes here yet", "Make the first control plane")
	page, _ := c.post("/control-planes", fields("name", "edge", "description", "at the border", "labels", "env: prod\nteam = core", "cluster_type", "CLUSTER_TYPE_SERVERLESS"), "/control-planes/new", 200)
	says(t, page, "The control plane edge is made.", "at the border", "Serverless</td>",
		`href="/control-planes?label=env%3Aprod" title="Only with this label">env: prod</a>`, "team: core")
	id := o.api("GET", "/v2/control-planes", nil)["data"].([]any)[0].(map[string]any)["id"].(string)
	at := "/control-planes/" + id
	says(t, c.get(at, 200), "env: prod\nteam: core</textarea>", "<code>"+id+"</code>", "Delete the control plane edge?")
	page, _ = c.post(at, fields("name", "edge two", "description", "", "labels", "env: test"), at, 200)
	says(t, page, "The changes are saved.", "edge two", "env: test</textarea>")
	page, _ = c.post(at+"/delete", fields("title", "edge two"), at, 200)
	says(t, page, "The control plane edge two is deleted.", "There are no control planes here yet")
	c.get(at, 404)
}

func TestAControlPlaneThatCannotBeSaysWhyAtItsField(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	for _, test := range []struct{ name, labels, want string }{
		{"", "", "This is required."},
		{"x", "nonsense", "Line 1 is no label: write its name"},
		{"x", "a: 1\n\na: 2", "Line 3 has the label a again"},
		{"x", "a: not a value", "Label a: a label&#39;s value has 1 to 63"},
		{"x", ": b", "Line 1 is no label"},
		{hostile, "<b>: x", "label&#39;s name has 1 to 63"},
	} {
		page, _ := c.post("/control-planes", fields("name", test.name, "labels", test.labels), "/control-planes/new", 400)
		says(t, page, test.want, `aria-invalid="true"`)
		lacks(t, page, "<script>alert")
	}
	at := "/control-planes/" + o.api("POST", "/v2/control-planes", map[string]any{"name": "kept"})["id"].(string)
	page, _ := c.post(at, fields("name", ""), at, 400)
	says(t, page, "This is required.", "Gateway</dd>")
	o.api("POST", "/v2/control-planes", map[string]any{"name": "taken"})
	page, _ = c.post(at, fields("name", "taken"), at, 409)
	says(t, page, "Another object has this name already.", `value="taken"`)
}

func TestControlPlanesAreFoundSortedAndPaged(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	for i := range 26 {
		o.api("POST", "/v2/control-planes", map[string]any{"name": fmt.Sprintf("plane-%02d", i), "labels": map[string]string{"half": fmt.Sprint(i % 2)}})
	}
	page := c.get("/control-planes?sort=name+desc", 200)
	says(t, page, "plane-25", "Page 1 of 2, 26 in all", `aria-sort="descending"><a href="/control-planes?sort=name">Name <span class="order" aria-hidden="true">↓</span></a>`, `href="/control-planes?page=2&amp;sort=name&#43;desc" rel="next"`)
	lacks(t, page, "plane-00")
	page = c.get("/control-planes?label=half:1&name=plane-0", 200)
	says(t, page, "plane-01", "plane-09", `value="half:1"`, "Show all")
	lacks(t, page, "plane-02", "plane-11")
	says(t, c.get("/control-planes?type=CLUSTER_TYPE_SERVERLESS", 200), "Nothing found")
	says(t, c.get("/control-planes?sort=colour", 400), "Something in this is not right", "must be one of name, created_at, updated_at")
}

func TestARegionHasControlPlanesAndPortalsOfItsOwn(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	page, at := c.post("/control-planes?region=eu", fields("name", "only in eu"), "/control-planes/new?region=eu", 200)
	says(t, page, "only in eu", `<option value="eu" selected>`)
	if at != "/control-planes?region=eu" {
		t.Errorf("it leads to %s", at)
	}
	lacks(t, c.get("/control-planes", 200), "only in eu")
	page, at = c.post("/portals?region=eu", fields("name", "eu portal", "default_api_visibility", "private", "default_page_visibility", "private"), "/portals/new?region=eu", 200)
	says(t, page, "The portal eu portal is made.", "Portals of eu")
	lacks(t, c.get("/portals", 200), "eu portal")
	says(t, c.get("/portals?region=eu", 200), "eu portal", `href="`+at+`"`)
}

func TestWhoMayOnlyLookIsOfferedNoChange(t *testing.T) {
	o := openOffice(t)
	at := "/control-planes/" + o.api("POST", "/v2/control-planes", map[string]any{"name": "seen", "labels": map[string]string{"a": "b"}})["id"].(string)
	c := o.clerk(o.lowly([2]string{"Control Planes", "Viewer"}))
	page := c.get("/control-planes", 200)
	says(t, page, "seen")
	lacks(t, page, "New control plane")
	page = c.get(at, 200)
	says(t, page, "seen", "a: b", "Your role lets you look at this control plane, but not change it.")
	lacks(t, page, "Delete the control plane", ">Save<")
	page, _ = c.post(at, fields("name", "changed"), at, 403)
	says(t, page, "You may not do this", "Ask who administers this server for a role")
	page, _ = c.post(at+"/delete", fields(), at, 403)
	says(t, page, "You may not do this")
	says(t, c.get("/portals", 403), "You may not do this")
	says(t, c.get("/activity", 403), "You may not do this")
}

func TestNothingOfAControlPlaneIsEverMarkup(t *testing.T) {
	o := openOffice(t)
	c := o.clerk(o.s.Token)
	at := "/control-planes/" + o.api("POST", "/v2/control-planes", map[string]any{"name": hostile, "description": hostile})["id"].(string)
	inert(t, c.get(at, 200))
	inert(t, c.get("/control-planes", 200))
	for _, parameter := range []string{"name", "label", "type", "sort", "region"} {
		page, _ := c.do("GET", "/control-planes?"+fields(parameter, hostile).Encode(), nil, map[string]int{"sort": 400}[parameter]+map[bool]int{true: 200}[parameter != "sort"])
		lacks(t, page, "<script>alert", "<img")
	}
}
