package collector

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxOverrides is how many bytes the X-Sumo headers may have together.
	maxOverrides = 8 << 10

	retryAfter = "5" // seconds
)

// Receiver takes lines over HTTP: POST /receiver/v1/http/{code}, as an HTTP
// source of Sumo Logic does, and as Splunk's HTTP event collector does, whose
// token is the source's code.
//
// A source answers 200 when every line is durable; 400 for a body that cannot
// be decoded, 401 for an unknown code or a missing or wrong access key (without
// saying which), 405 for other methods, 413 beyond the limits (10 MiB as sent,
// 100 MiB decompressed, 1 MiB a line), 429 with Retry-After when the bodies
// being taken have all the memory that they may, in all of which nothing was
// taken; and 503 with Retry-After when the lines could not be made durable.
type Receiver struct {
	catalog   *Catalog
	intake    *Intake
	metrics   *Metrics
	logger    *slog.Logger
	admission *admission
	failing   atomic.Bool  // the last lines could not be made durable
	failedAt  atomic.Int64 // when they could not, in Unix nanoseconds
}

// NewReceiver makes a Receiver for the sources of the catalog.
func NewReceiver(catalog *Catalog, intake *Intake, metrics *Metrics, logger *slog.Logger) *Receiver {
	return &Receiver{
		catalog: catalog, intake: intake, metrics: metrics, logger: logger, admission: newAdmission(),
	}
}

// Routes registers the receiver's paths. The code may also come in the header
// X-Sumo-Token, with the path ending before it.
func (r *Receiver) Routes(mux *http.ServeMux) {
	mux.Handle("/receiver/v1/http/{code}", r)
	mux.Handle("/receiver/v1/http", r)
	r.hecRoutes(mux)
}

// rejection is an answer other than 200, with the metric's label for it.
type rejection struct {
	status  int
	reason  string
	message string
}

func (e *rejection) Error() string { return e.message }

// ServeHTTP implements [http.Handler] for the addresses of sources.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	source, err := r.receive(w, req)
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	rejected := r.reject(w, req, source, err)
	http.Error(w, rejected.message, rejected.status)
}

// reject says what to answer after an error, counts it for the source, and sets
// the headers that belong to the answer.
func (r *Receiver) reject(w http.ResponseWriter, req *http.Request, source int64, err error) *rejection {
	rejected, ok := errors.AsType[*rejection](err)
	switch {
	case ok:
	case errors.Is(err, errBusy):
		rejected = &rejection{http.StatusTooManyRequests, "busy", "too many bodies at once: send this one again later"}
	case errors.Is(err, errTooLarge):
		rejected = &rejection{http.StatusRequestEntityTooLarge, "too_large", err.Error()}
	default:
		rejected = r.unavailable(req, err)
	}
	r.metrics.refused(source, rejected.reason)
	switch rejected.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryAfter)
	}
	return rejected
}

func (r *Receiver) unavailable(req *http.Request, err error) *rejection {
	if req.Context().Err() != nil {
		return &rejection{http.StatusServiceUnavailable, "canceled", "the request was given up"}
	}
	r.failedAt.Store(time.Now().UnixNano())
	if !r.failing.Swap(true) {
		r.logger.Error("lines are refused: they cannot be made durable", "error", err)
	}
	message := "the lines could not be made durable: send all of them again later, what comes twice is stored once"
	return &rejection{http.StatusServiceUnavailable, "unavailable", message}
}

// receive takes a request's lines. It returns the source that is named, with an
// error too; else it is thisServer.
func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) (source int64, err error) {
	if req.Method != http.MethodPost {
		return thisServer, &rejection{http.StatusMethodNotAllowed, "method", "send lines with POST"}
	}
	origin, err := r.authorize(req)
	if err != nil {
		return origin.SourceID, err
	}
	if err := applyOverrides(&origin, req.Header); err != nil {
		return origin.SourceID, err
	}
	_, err = r.take(w, req, origin, splitLines)
	return origin.SourceID, err
}

// take reads the body, splits it and makes its lines durable, and returns how
// many there were. Where split returns an error with lines, these are taken
// all the same, and the error is returned.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, origin Origin, split func(io.Reader) (*grouper, error)) (int, error) {
	body, release, err := r.admission.read(w, req)
	defer release()
	if err != nil {
		return 0, err
	}
	if !r.admission.enter(req.Context().Done()) {
		return 0, req.Context().Err()
	}
	defer r.admission.leave()
	lines, free, splitErr := r.admission.lines(req.Header.Get("Content-Encoding"), body, split)
	defer free()
	if lines == nil {
		return 0, splitErr
	}
	origin.ReceivedAt = time.Now().UTC()
	if err := r.intake.Append(req.Context(), origin, lines.groups()); err != nil {
		return 0, err
	}
	if lines.lines > 0 && r.failing.Swap(false) {
		r.logger.Info("lines are taken again")
	}
	r.metrics.took(origin.SourceID, lines.lines, origin.ReceivedAt)
	return lines.lines, splitErr
}

// lines decodes a body and splits it. A body that cannot be decoded is the
// sender's mistake.
func (a *admission) lines(encoding string, body []byte, split func(io.Reader) (*grouper, error)) (lines *grouper, free func(), err error) {
	free, err = a.decode(encoding, body, func(decoded io.Reader) error {
		lines, err = split(decoded)
		return err
	})
	_, rejected := errors.AsType[*rejection](err)
	_, ofEvent := errors.AsType[*eventError](err)
	if err != nil && !rejected && !ofEvent && !errors.Is(err, errTooLarge) && !errors.Is(err, errBusy) {
		err = &rejection{http.StatusBadRequest, "undecodable", "the body cannot be decoded: " + err.Error()}
	}
	return lines, free, err
}

// authorize finds the source and checks the access key if it demands one. With
// an error, the origin has the source's id only, or thisServer.
func (r *Receiver) authorize(req *http.Request) (Origin, error) {
	code := req.PathValue("code")
	if code == "" {
		code = req.Header.Get("X-Sumo-Token")
	}
	source, collector, ok := r.catalog.SourceByCode(code)
	if ok && source.RequireAccessKey {
		ok = r.catalog.Authorized(req.Header.Get("Authorization"))
	}
	if !ok {
		return Origin{SourceID: source.ID}, &rejection{http.StatusUnauthorized, "unauthorized", "unknown source address, or missing or wrong access key"}
	}
	return source.origin(collector), nil
}

// applyOverrides takes over what the sender says of its lines in the headers
// that Sumo Logic defines.
func applyOverrides(origin *Origin, header http.Header) error {
	size := 0
	override := func(name string, value *string) {
		given := strings.TrimSpace(header.Get(name))
		size += len(given)
		if given != "" {
			*value = given
		}
	}
	var fields string
	override("X-Sumo-Name", &origin.Name)
	override("X-Sumo-Host", &origin.Host)
	override("X-Sumo-Category", &origin.Category)
	override("X-Sumo-Fields", &fields)
	if size > maxOverrides {
		return &rejection{http.StatusBadRequest, "header", fmt.Sprintf("the X-Sumo headers have more than %d bytes together", maxOverrides)}
	}
	applyFields(origin.Fields, fields)
	return nil
}

// applyFields reads "k=v,k=v". A piece without an equals sign belongs to the
// value before it: senders do not escape commas.
func applyFields(fields map[string]string, header string) {
	last := ""
	for piece := range strings.SplitSeq(header, ",") {
		name, value, pair := strings.Cut(piece, "=")
		name = strings.TrimSpace(name)
		switch {
		case pair && name != "":
			last = name
			fields[name] = strings.TrimSpace(value)
		case last != "":
			fields[last] += "," + piece
		}
	}
}
