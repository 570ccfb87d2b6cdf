package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// signIn opens the console for both halves.
func (b *browser) signInToBoth(p *process) {
	b.t.Helper()
	b.open("/signin?return=/")
	id, key := p.accessKey()
	b.fill("Access id", id)
	b.fill("Access key", key)
	b.click("Sign in with an access key")
	b.see("Run")
	b.open("/signin?return=/audit-logs")
	b.fill("Token", p.token())
	b.click("Sign in with a personal access token")
	b.see("Audit log setup")
}

// openRow opens the first row of the results.
func (b *browser) openRow() {
	b.t.Helper()
	b.until(`(row => row && (row.open || (row.querySelector("summary").click(), false)))(document.querySelector("#results [data-row] details"))`, "a row is open")
}

// The tutorial by hand, with nothing but a browser, and one call of the API to
// have something to see.
func TestTheTutorialCanBeWalkedInABrowser(t *testing.T) {
	p := serve(t, t.TempDir())
	b := openBrowser(t, p.siemURL)
	b.open("/")
	b.see("Access key")
	b.accessible()
	b.signInToBoth(p)
	b.screenshot("console-first-steps")
	b.click("Make the source")
	b.see("takes lines now")
	b.click("Make it for the source Konnect")
	b.see("with an access key of its own")
	b.click("Turn the webhook on")
	b.see("The webhook is enabled")

	// The line arrives in the live tail.
	b.open("/tail?query=name%3DAuthz.control-planes")
	b.until(`document.querySelector("[data-state]").innerText.includes("live")`, "the tail is live")
	b.accessible()
	resp, body, err := p.api(t.Context(), "GET", "/v2/control-planes", "")
	must(t, 200, resp, body, err)
	b.until(`document.querySelectorAll("[data-rows] li").length === 1`, "the line is in the tail")
	b.accessible()
	b.screenshot("console-tail")

	// It is found, opened, and its signature is seen to be valid.
	b.click("Search the last hour")
	b.until(`document.querySelectorAll("#results [data-row]").length === 1`, "the line is found")
	b.openRow()
	b.see("All of this trace")
	shown := ask[string](b, `document.body.innerText`)
	for _, want := range []string{"valid", "Authz.control-planes", "action=list", "CEF:0|KongInc|Konnect", "Konnect"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the opened row does not show %s:\n%s", want, shown)
		}
	}
	b.accessible()
	b.screenshot("console-search")
	b.click("Only with this action")
	b.until(`new URLSearchParams(location.search).get("query").includes("action=list")`, "the address has the narrower query")
	b.openRow()
	b.click("All of this trace")
	b.until(`new URLSearchParams(location.search).get("query").includes("trace_id")`, "the query asks for the trace")

	// What is wrong in a query is shown at its place, and a table has its bars.
	b.open("/?query=" + "name%3Da+%7C+cuont")
	b.see("column 10")
	b.accessible()
	b.open("/?query=*+%7C+count+by+name+%7C+sort+by+_count")
	b.see("Authz.control-planes")
	b.accessible()
	b.screenshot("console-table")
	b.look(360, true)
	b.accessible()
	b.open("/?query=*")
	b.until(`document.querySelector("#results [data-row]")`, "there are rows on a phone")
	b.accessible()
	b.look(640, false) // 1280 px, enlarged to 200 %
	b.accessible()
	b.look(1280, true)
	b.accessible()
	b.screenshot("console-search-dark")

	// It works without a pointer.
	b.do(chromedp.KeyEvent("?"))
	b.until(`document.querySelector("dialog[open]")`, "the shortcuts are shown")
	b.accessible()
	b.do(chromedp.KeyEvent("\x1b"))
	b.until(`!document.querySelector("dialog[open]")`, "the shortcuts are gone")
	b.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("\r"))
	b.until(`document.querySelector("#results [data-row] details").open`, "a row is opened by the keyboard")
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "query"`, "the query has the focus")

	// What was delivered is delivered again.
	b.look(1280, false)
	b.open("/audit-logs")
	b.see("Everything is delivered")
	b.screenshot("console-webhook")
	b.click("Replay")
	b.press("form.settings button")
	b.see("completed")

	b.click("Signed in as")
	b.click("Sign out")
	b.until(`location.pathname === "/signin"`, "nobody is signed in")
	b.open("/")
	b.see("Access key")
}
