package gateway

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/trailhook/trailhook/internal/entity"
)

// termination is the plugin request-termination: it answers instead of the
// upstream.
type termination struct {
	Status      int     `json:"status_code"`
	Message     string  `json:"message"`
	ContentType string  `json:"content_type"`
	Body        *string `json:"body"`
	Echo        bool    `json:"echo"`
	Trigger     string  `json:"trigger"` // a header or a query parameter; empty: always
}

func newTermination(d entity.Document) (*termination, error) {
	p := &termination{}
	return p, decode(d, p)
}

func (p *termination) access(x *exchange) bool {
	if p.Trigger != "" && len(x.r.Header.Values(p.Trigger)) == 0 && !x.r.URL.Query().Has(p.Trigger) {
		return true
	}
	switch {
	case p.Echo:
		x.echo(p.Status)
	case p.Body != nil:
		x.answerWith(p.Status, cmp.Or(p.ContentType, "application/json; charset=utf-8"), []byte(*p.Body))
	default:
		x.answer(p.Status, cmp.Or(p.Message, http.StatusText(p.Status)))
	}
	return false
}

// echo answers with the request, for who tries out routes.
func (x *exchange) echo(status int) {
	text, err := json.MarshalIndent(map[string]any{
		"request": map[string]any{
			"method": x.r.Method, "scheme": map[bool]string{true: "https", false: "http"}[x.secure], "host": x.r.Host,
			"path": x.r.URL.EscapedPath(), "query": x.query(), "headers": x.loggedHeaders(x.r.Header),
		},
		"matched_route": x.match.document,
	}, "", "  ")
	if err != nil {
		x.answer(http.StatusInternalServerError, "the request cannot be echoed")
		return
	}
	x.answerWith(status, "application/json; charset=utf-8", append(text, '\n'))
}
