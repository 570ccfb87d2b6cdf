package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

func tailRoutes() []route {
	return []route{
		{"GET /tail", siem, showTail},
		{"GET /tail/events", siem, tailEvents},
	}
}

// tailView is the page that follows lines as they come in.
type tailView struct {
	Query  string
	Events string // address of the stream
	Search string // address of the same query over what is there
}

func showTail(v *visit) error {
	query := strings.TrimSpace(v.query("query"))
	return v.show("tail", tailView{
		Query:  query,
		Events: "/tail/events?" + url.Values{"query": {orAll(query)}}.Encode(),
		Search: asked{Query: query, From: "-1h"}.at("/"),
	})
}

func orAll(query string) string {
	if query == "" {
		return "*"
	}
	return query
}

// tailEvents passes the API's stream on, until the browser goes away or the session
// is over. A refusal comes as an event: the browser tells scripts of a stream that
// failed only that it did.
func tailEvents(v *visit) error {
	ctx, done := v.console.sessions.stream(v.ctx(), v.session)
	defer done()
	request, err := v.request(ctx, call{half: siemHalf, path: "/trailhook/v1/tail", query: url.Values{"query": {v.query("query")}}})
	if err != nil {
		return err
	}
	stream := &passage{ResponseWriter: v.w}
	v.console.halves[siemHalf].ServeHTTP(stream, request)
	if stream.refused == nil {
		return nil
	}
	refused := newAPIError(call{half: siemHalf, path: "/trailhook/v1/tail"}, answer{status: stream.refused.status, body: stream.refused.body.Bytes()})
	p := refused.problem()
	text, err := json.Marshal(map[string]any{
		"title": p.Title, "what": p.What, "try": p.Try,
		"again": refused.Status == http.StatusTooManyRequests || refused.Status >= http.StatusInternalServerError,
	})
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/event-stream")
	_, err = fmt.Fprintf(v.w, "event: refused\ndata: %s\n\n", text)
	return err
}
