package quickstart

import (
	"context"
	"regexp"
	"strings"
)

// Exports are what a shell is told, in the words of Konnect's script.
type Exports struct {
	Token              string
	TokenInEnvironment bool // the shell has it in KONNECT_TOKEN
	API                string
	Proxy              string
	DeckAddress        string // where decK finds the API; empty: nowhere
}

// String is a script for sh, one export a line.
func (e Exports) String() string {
	token := quote(e.Token)
	if e.TokenInEnvironment && plain.MatchString(e.Token) {
		token = "$KONNECT_TOKEN"
	}
	lines := []string{
		"export DECK_KONNECT_TOKEN=" + token,
		"export DECK_KONNECT_CONTROL_PLANE_NAME=" + Name,
		"export KONNECT_CONTROL_PLANE_URL=" + bareOrQuoted(e.API),
		"export KONNECT_PROXY_URL=" + quote(e.Proxy),
	}
	if e.DeckAddress != "" {
		lines = append(lines, "export DECK_KONNECT_ADDR="+bareOrQuoted(e.DeckAddress))
	}
	return strings.Join(lines, "\n") + "\n"
}

// plain is text that sh takes as it is, wherever it stands.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./-]+$`)

func bareOrQuoted(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return quote(text)
}

// quote makes one word of any text, for sh.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func (r *run) exports(ctx context.Context) Exports {
	e := Exports{Token: r.to.Token, TokenInEnvironment: r.TokenInEnvironment && r.to.Token == r.Token, API: r.to.URL, Proxy: r.Proxy}
	if r.Deck {
		e.DeckAddress = r.deckAddress(ctx)
	}
	if r.to.CA != "" {
		r.say("Clients have to trust the server's authority:\n  export CURL_CA_BUNDLE=%s", bareOrQuoted(r.to.CA))
		if e.DeckAddress != "" {
			r.say("  export SSL_CERT_FILE=%s", bareOrQuoted(r.to.CA))
		}
	}
	return e
}
