package delivery

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/journal"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/registry"
)

// maxTrialAnswer is how many bytes of an endpoint's answer a trial shows.
const maxTrialAnswer = 1 << 10

// Trial is how a test delivery went.
type Trial struct {
	Delivered bool // the endpoint answered 2xx
	Phases    outbound.Trace
	Status    int // of the answer; 0: there was none
	// Answer is the beginning of the answer's body when the endpoint did not
	// take the event: text of one line. It is empty when the body holds the
	// destination's authorization, which nobody may read.
	Answer string
}

// Try sends one event to the destination by the way that deliveries take: the
// same encoding, headers, client and guard. It is sent once, whatever the
// answer, and no webhook's status or cursor knows of it. The journal does not
// hold the event either, so that neither a webhook nor a replay sends it.
//
// An error says that nothing could be sent: [registry.ErrNotFound], or secrets
// that cannot be opened.
func (m *Manager) Try(ctx context.Context, destination registry.Destination, event audit.Event) (Trial, error) {
	authorization, err := m.Registry.Authorization(destination)
	if err != nil {
		return Trial{}, err
	}
	request, _, err := m.request(registry.Webhook{OrgID: destination.OrgID, DestinationID: destination.ID}, []journal.Entry{{Event: event}})
	if err != nil {
		return Trial{}, err
	}
	trace, response, err := m.Client.Trace(ctx, request)
	trial := Trial{Phases: trace, Status: response.Status}
	if err != nil {
		return trial, nil // the last phase says why
	}
	trial.Delivered = response.Status >= 200 && response.Status <= 299
	if !trial.Delivered {
		trial.Answer = excerpt(response.Body, authorization)
	}
	return trial, nil
}

// excerpt is the beginning of an answer, for showing. Some receivers put what
// they were sent into their answers: one with the secret is not shown at all.
func excerpt(body []byte, authorization string) string {
	text := string(body)
	if !utf8.Valid(body) || slices.ContainsFunc(spellings(authorization), func(secret string) bool {
		return strings.Contains(text, secret)
	}) {
		return ""
	}
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)), " ")
	if len(text) <= maxTrialAnswer {
		return text
	}
	const ellipsis = "…"
	end := maxTrialAnswer - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// spellings are the forms in which an answer could hold the secret: all of the
// header, what follows the scheme, the password within, and each as JSON, URLs
// and base64 write it.
func spellings(authorization string) []string {
	secrets := []string{authorization}
	if _, credentials, found := strings.Cut(authorization, " "); found {
		credentials = strings.TrimSpace(credentials)
		secrets = append(secrets, credentials)
		if basic, err := base64.StdEncoding.DecodeString(credentials); err == nil {
			_, password, _ := strings.Cut(string(basic), ":")
			secrets = append(secrets, string(basic), password)
		}
	}
	var forms []string
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted, _ := json.Marshal(secret)
		forms = append(forms, secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), url.PathEscape(secret),
			base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)))
	}
	return forms
}
