package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// pictured keeps pictures of a page, wide and narrow, light and dark, in the
// directory that TRAILHOOK_SCREENSHOTS names, and looks at each for what keeps
// people out.
func (b *browser) pictured(name string) {
	b.t.Helper()
	directory := os.Getenv("TRAILHOOK_SCREENSHOTS")
	for _, view := range []struct {
		name  string
		width int64
		dark  bool
	}{{"narrow-dark", 360, true}, {"wide-light", 1280, false}} {
		b.look(view.width, view.dark)
		b.accessible()
		if directory == "" {
			continue
		}
		picture, err := chromedp.Run(context.WithoutCancel(b.ctx), chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(directory, name+"-"+view.name+".png"), picture, 0o600)
		}
		if err != nil {
			b.fatalf("%v", err)
		}
	}
}

// An admin sets a team up through the pages: control planes, a portal with a
// developer, a person with a role and a token, and looks at what was done.
func TestAnAdminSetsATeamUpInABrowser(t *testing.T) {
	p := serve(t, t.TempDir())
	b := openBrowser(t, p.siemURL)
	b.expect("Failed to load resource") // the forms that are refused here
	b.open("/signin?return=/control-planes")
	b.fill("Token", p.token())
	b.click("Sign in with a personal access token")

	b.see("There are no control planes here yet")
	b.click("Make the first control plane")
	b.see("What it is")
	b.fill("Name", "edge")
	b.fill("Labels", "env: not a value")
	b.click("Make the control plane")
	b.see("Label env: a label's value has 1 to 63")
	b.until(`document.activeElement.name === "labels"`, "the field that is wrong has the focus")
	b.pictured("control-plane-refused")
	b.fill("Labels", "env: prod")
	b.click("Make the control plane")
	b.see("The control plane edge is made.")
	b.click("env: prod")
	b.until(`location.search === "?label=env%3Aprod"`, "the address holds the filter")
	b.pictured("control-planes")
	b.click("edge")
	b.see("Settings")

	b.click("Portals")
	b.click("Make the first portal")
	b.see("Who sees what is new")
	b.fill("Name", "developers")
	b.pictured("portal-new")
	b.click("Make the portal")
	b.see("The portal developers is made.")
	b.click("Add a developer")
	b.fill("E-mail", "dee@example.com")
	b.fill("Full name", "Dee Veloper")
	b.fill("Password", "correct horse")
	b.fill("State", "pending")
	b.pictured("developer-new")
	b.click("Add the developer")
	b.see("Dee Veloper is added as a developer.")
	b.pictured("portal")
	b.click("Approve Dee Veloper")
	b.see("Dee Veloper is approved now.")

	b.click("People")
	b.pictured("people")
	b.click("Add a person")
	b.fill("E-mail", "ann@example.com")
	b.fill("Full name", "Ann Onym")
	b.click("Add the person")
	b.see("Ann Onym is added.")
	b.fill("Role", "Control Planes/Viewer")
	b.click("Give the role")
	b.see("The role Control Planes: Viewer is given.")
	b.fill("Token name", "first")
	b.click("Make the token")
	b.see("The token first is made")
	b.pictured("token-made")
	annsToken := ask[string](b, `document.querySelector("[data-copy] pre").textContent`)
	if !strings.HasPrefix(annsToken, "kpat_") || strings.Contains(b.path(), annsToken) {
		t.Errorf("the token is %q, at %s", annsToken, b.path())
	}
	b.click("I have copied it")
	b.see("Ann Onym")
	b.pictured("person")
	b.click("Delete the person")
	b.see("Delete Ann Onym?")
	b.click("Cancel")

	b.click("Tokens")
	b.see("Your tokens")
	b.pictured("tokens")
	b.click("Activity")
	b.see("POST /v2/control-planes")
	b.pictured("activity")

	// Who may only look is offered nothing else.
	b.click("Signed in as Admin")
	b.click("Sign out")
	b.see("With a personal access token")
	b.open("/signin?return=/control-planes")
	b.fill("Token", annsToken)
	b.click("Sign in with a personal access token")
	b.see("edge")
	b.until(`!document.body.innerText.includes("New control plane")`, "no form is offered that would be refused")
	b.click("People")
	b.see("You may not do this")
}
