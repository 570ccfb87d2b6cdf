package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The platform's half of the tutorial, through the pages: a source, a
// destination, the webhook, a test, a replay, and what is refused.
func TestTheAuditLogSetupCanBeDoneInABrowser(t *testing.T) {
	p := serve(t, t.TempDir())
	b := openBrowser(t, p.siemURL)
	b.open("/signin?return=/audit-logs")
	b.fill("Token", p.token())
	b.click("Sign in with a personal access token")
	b.see("Three steps")
	b.accessible()
	b.click("Sign in with an access key")
	id, key := p.accessKey()
	b.fill("Access id", id)
	b.fill("Access key", key)
	b.click("Sign in with an access key")
	b.click("Make the source")
	b.see("takes lines now")
	b.click("Make it for the source Konnect")
	b.see("with an access key of its own")
	b.accessible()
	b.click("Turn the webhook on")
	b.see("The webhook is enabled")
	b.see("Webhook of the organization")
	b.accessible()

	b.click("Destinations")
	b.see("the organization's webhook")
	b.accessible()
	b.click("Konnect")
	b.see("It can be deleted once no webhook sends to it")
	b.accessible()
	b.click("Send a test event")
	b.see("Delivered.")
	b.look(360, true)
	b.accessible()
	b.look(1280, false)

	b.click("Replay")
	b.see("None was asked for yet")
	b.accessible()
	b.press("form.settings button")
	b.see("The replay is accepted")
	b.see("completed") // which the page learns by itself
	b.accessible()
	b.click("Lines set aside")
	b.see("No lines are set aside")
	b.accessible()
	b.click("Webhook")
	b.see("Everything is delivered")
	b.accessible()
	b.click("Disable")
	b.until(`document.querySelector("dialog[open]")`, "a dialog asks")
	b.accessible()
	b.click("Cancel")

	b.open("/audit-logs/destinations/new")
	b.fill("Name", "Nowhere")
	b.fill("Endpoint", "ftp://example.com/")
	b.expect("400 (Bad Request)") // the browser tells the status of the answer
	b.click("Make the destination")
	b.until(`document.activeElement.getAttribute("aria-invalid") === "true"`, "the field that is wrong has the focus")
	b.accessible()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	b.fill("Endpoint", gone.URL)
	b.click("Make the destination")
	b.see("The destination Nowhere is made")
	b.click("Send a test event")
	b.see("Not delivered")
	b.accessible()
}
