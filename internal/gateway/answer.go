package gateway

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// answer answers with a message in Kong's form.
func (x *exchange) answer(status int, message string) {
	text, _ := json.Marshal(struct {
		Message string `json:"message"`
		ID      string `json:"request_id"`
	}{message, x.id}) // of strings: it cannot fail
	x.answerWith(status, "application/json; charset=utf-8", append(text, '\n'))
}

// answerWith answers in the gateway's own name, once that is recorded.
func (x *exchange) answerWith(status int, contentType string, body []byte) {
	if err := x.record(status); err != nil {
		x.answerUnrecorded()
		return
	}
	x.write(status, contentType, body)
}

// answerUnrecorded says that nothing can be recorded now, which itself is not.
func (x *exchange) answerUnrecorded() {
	x.recorded = true
	x.headers.Set("Retry-After", "5")
	x.answer(http.StatusServiceUnavailable, "The audit journal cannot take events now, and nothing passes unrecorded")
}

func (x *exchange) write(status int, contentType string, body []byte) {
	x.status = status
	header := x.w.Header()
	maps.Copy(header, x.headers)
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Server", "trailhook/"+x.gateway.Version)
	header["X-Kong-Request-Id"] = []string{x.id}
	if status != http.StatusNoContent && status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // a client that is gone is told nothing
	}
}
