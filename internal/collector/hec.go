package collector

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// hecCode is a code of the answers of Splunk's HTTP event collector, as its
// REST reference lists them.
type hecCode int

const (
	hecSuccess              hecCode = 0
	hecTokenRequired        hecCode = 2
	hecInvalidAuthorization hecCode = 3
	hecInvalidToken         hecCode = 4
	hecNoData               hecCode = 5
	hecInvalidFormat        hecCode = 6
	hecServerBusy           hecCode = 9
	hecEventRequired        hecCode = 12
	hecEventBlank           hecCode = 13
	hecAckDisabled          hecCode = 14
	hecIndexedFields        hecCode = 15
	hecQueryToken           hecCode = 16
	hecHealthy              hecCode = 17
	hecUnhealthy            hecCode = 18
)

// answer is the status and the text that go with a code.
func (c hecCode) answer() (status int, text string) {
	switch c {
	case hecSuccess:
		return http.StatusOK, "Success"
	case hecTokenRequired:
		return http.StatusUnauthorized, "Token is required"
	case hecInvalidAuthorization:
		return http.StatusUnauthorized, "Invalid authorization"
	case hecInvalidToken:
		return http.StatusForbidden, "Invalid token"
	case hecNoData:
		return http.StatusBadRequest, "No data"
	case hecServerBusy:
		return http.StatusServiceUnavailable, "Server is busy"
	case hecEventRequired:
		return http.StatusBadRequest, "Event field is required"
	case hecEventBlank:
		return http.StatusBadRequest, "Event field cannot be blank"
	case hecAckDisabled:
		return http.StatusBadRequest, "ACK is disabled"
	case hecIndexedFields:
		return http.StatusBadRequest, "Error in handling indexed fields"
	case hecQueryToken:
		return http.StatusBadRequest, "Query string authorization is not enabled"
	case hecHealthy:
		return http.StatusOK, "HEC is healthy"
	case hecUnhealthy:
		return http.StatusServiceUnavailable, "HEC is unhealthy, queues are full"
	default:
		return http.StatusBadRequest, "Invalid data format"
	}
}

// hecError is an answer with a code, and the metric's label for it.
type hecError struct {
	code   hecCode
	reason string
}

func (e *hecError) Error() string {
	_, text := e.code.answer()
	return strings.ToLower(text)
}

// unhealthyTime is how long after lines could not be made durable the health
// check says so, unless some were taken since: a load balancer that keeps
// senders away must send them again, or nobody would ever find out.
const unhealthyTime = 10 * time.Second

// hecRoutes registers the paths of Splunk's HTTP event collector.
func (r *Receiver) hecRoutes(mux *http.ServeMux) {
	for _, path := range []string{"", "/event", "/event/1.0"} {
		mux.HandleFunc("/services/collector"+path, r.serveHEC(r.receiveEvents))
	}
	for _, path := range []string{"/raw", "/raw/1.0"} {
		mux.HandleFunc("/services/collector"+path, r.serveHEC(r.receiveRaw))
	}
	for _, path := range []string{"/health", "/health/1.0"} {
		mux.HandleFunc("/services/collector"+path, r.serveHealth)
	}
	mux.HandleFunc("/services/collector/ack", r.serveHEC(func(http.ResponseWriter, *http.Request) (int64, error) {
		return thisServer, &hecError{hecAckDisabled, "ack"} // a 200 says already that the lines are on disk
	}))
}

// serveHEC answers as Splunk does: 200 and code 0 when every event is durable.
func (r *Receiver) serveHEC(receive func(http.ResponseWriter, *http.Request) (source int64, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		var err error = &rejection{http.StatusMethodNotAllowed, "method", "send events with POST"}
		source := int64(thisServer)
		if req.Method == http.MethodPost {
			source, err = receive(w, req)
		}
		if err == nil {
			answerHEC(w, hecSuccess, http.StatusOK, nil)
			return
		}
		r.rejectHEC(w, req, source, err)
	}
}

func (r *Receiver) rejectHEC(w http.ResponseWriter, req *http.Request, source int64, err error) {
	if rejected, ok := errors.AsType[*hecError](err); ok {
		status, _ := rejected.code.answer()
		r.metrics.refused(source, rejected.reason)
		answerHEC(w, rejected.code, status, nil)
		return
	}
	if bad, ok := errors.AsType[*eventError](err); ok {
		status, _ := bad.code.answer()
		r.metrics.refused(source, "event")
		answerHEC(w, bad.code, status, &bad.number)
		return
	}
	rejected := r.reject(w, req, source, err)
	switch rejected.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		// Splunk's own senders know 503 and code 9, and not all of them 429.
		answerHEC(w, hecServerBusy, http.StatusServiceUnavailable, nil)
	default:
		answerHEC(w, hecInvalidFormat, rejected.status, nil)
	}
}

func answerHEC(w http.ResponseWriter, code hecCode, status int, event *int) {
	_, text := code.answer()
	body, _ := json.Marshal(struct { // numbers and strings can always be written
		Text  string  `json:"text"`
		Code  hecCode `json:"code"`
		Event *int    `json:"invalid-event-number,omitempty"`
	}{text, code, event})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

// receiveEvents takes envelopes, each of which is a line.
func (r *Receiver) receiveEvents(w http.ResponseWriter, req *http.Request) (source int64, err error) {
	return r.receiveHEC(w, req, true, splitEvents)
}

// receiveRaw takes lines of any kind.
func (r *Receiver) receiveRaw(w http.ResponseWriter, req *http.Request) (source int64, err error) {
	return r.receiveHEC(w, req, false, splitLines)
}

func (r *Receiver) receiveHEC(w http.ResponseWriter, req *http.Request, envelopes bool, split func(io.Reader) (*grouper, error)) (source int64, err error) {
	origin, err := r.authorizeHEC(req)
	if err != nil {
		return origin.SourceID, err
	}
	origin.HEC = envelopes
	query := req.URL.Query()
	for name, value := range map[string]*string{"host": &origin.Host, "source": &origin.Name, "sourcetype": &origin.Category} {
		if given := query.Get(name); given != "" {
			*value = given
		}
	}
	if index := query.Get("index"); index != "" {
		origin.Fields["index"] = index
	}
	taken, err := r.take(w, req, origin, split)
	if err == nil && taken == 0 {
		return origin.SourceID, &hecError{hecNoData, "no_data"}
	}
	return origin.SourceID, err
}

// serveHealth answers without a token, as Splunk does.
func (r *Receiver) serveHealth(w http.ResponseWriter, req *http.Request) {
	code := hecHealthy
	failed := time.Unix(0, r.failedAt.Load())
	if r.failing.Load() && time.Since(failed) < unhealthyTime {
		code = hecUnhealthy
	}
	status, _ := code.answer()
	answerHEC(w, code, status, nil)
}

// authorizeHEC finds the source by the token, which is its code: "Splunk CODE",
// or HTTP Basic with the code as the password and any user. Where the source
// demands an access key besides, it is that user, or follows the code after a
// colon: "Splunk CODE:KEY".
func (r *Receiver) authorizeHEC(req *http.Request) (Origin, error) {
	header := strings.TrimSpace(req.Header.Get("Authorization"))
	if header == "" && req.URL.Query().Has("token") {
		return Origin{}, &hecError{hecQueryToken, "unauthorized"}
	}
	if header == "" {
		return Origin{}, &hecError{hecTokenRequired, "unauthorized"}
	}
	code, accessKey, ok := hecToken(header)
	if !ok {
		return Origin{}, &hecError{hecInvalidAuthorization, "unauthorized"}
	}
	source, collector, ok := r.catalog.SourceByCode(code)
	if ok && source.RequireAccessKey {
		ok = r.catalog.Authorized(accessKey)
	}
	if !ok {
		return Origin{SourceID: source.ID}, &hecError{hecInvalidToken, "unauthorized"}
	}
	return source.origin(collector), nil
}

func hecToken(header string) (code, accessKey string, ok bool) {
	scheme, credentials, two := strings.Cut(header, " ")
	credentials = strings.TrimSpace(credentials)
	switch {
	case !two || credentials == "":
		return "", "", false
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.DecodeString(credentials)
		user, password, pair := strings.Cut(string(decoded), ":")
		return password, user, err == nil && pair
	case strings.EqualFold(scheme, "Splunk"), strings.EqualFold(scheme, "Bearer"):
		code, accessKey, _ = strings.Cut(credentials, ":")
		return code, accessKey, true
	}
	return "", "", false
}
