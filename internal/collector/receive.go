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
	// maxCompressed is the longest body that is taken, in bytes as it is sent.
	maxCompressed = 10 << 20
	// maxDecoding is how many bodies are held decompressed at once; the others
	// wait, compressed. It also keeps below the engine's limit of 50 atomic
	// batches under way in one stream.
	maxDecoding = 8
	// maxOverrides is how many bytes the X-Sumo headers may have together.
	maxOverrides = 8 << 10

	retryAfter = "5" // seconds
)

// Receiver takes lines over HTTP: POST /receiver/v1/http/{code}, as an HTTP
// source of Sumo Logic does.
//
// It answers 200 when every line is durable; 400 for a body that cannot be
// decoded, 401 for an unknown code or a missing or wrong access key (without
// saying which), 405 for other methods, 413 beyond the limits (10 MiB as sent,
// 100 MiB decompressed, 1 MiB a line), in all of which nothing was taken; and
// 503 with Retry-After when the lines could not be made durable.
type Receiver struct {
	catalog  *Catalog
	intake   *Intake
	metrics  *Metrics
	logger   *slog.Logger
	decoding chan struct{}
	failing  atomic.Bool // the last lines could not be made durable
}

// NewReceiver makes a Receiver for the sources of the catalog.
func NewReceiver(catalog *Catalog, intake *Intake, metrics *Metrics, logger *slog.Logger) *Receiver {
	return &Receiver{
		catalog: catalog, intake: intake, metrics: metrics, logger: logger,
		decoding: make(chan struct{}, maxDecoding),
	}
}

// Routes registers the receiver's paths. The code may also come in the header
// X-Sumo-Token, with the path ending before it.
func (r *Receiver) Routes(mux *http.ServeMux) {
	mux.Handle("/receiver/v1/http/{code}", r)
	mux.Handle("/receiver/v1/http", r)
}

// rejection is an answer other than 200, with the metric's label for it.
type rejection struct {
	status  int
	reason  string
	message string
}

func (e *rejection) Error() string { return e.message }

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	err := r.receive(w, req)
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	rejected, ok := errors.AsType[*rejection](err)
	if !ok {
		rejected = r.unavailable(req, err)
	}
	r.metrics.rejected.WithLabelValues(rejected.reason).Inc()
	switch rejected.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	http.Error(w, rejected.message, rejected.status)
}

func (r *Receiver) unavailable(req *http.Request, err error) *rejection {
	if req.Context().Err() != nil {
		return &rejection{http.StatusServiceUnavailable, "canceled", "the request was given up"}
	}
	if !r.failing.Swap(true) {
		r.logger.Error("lines are refused: they cannot be made durable", "error", err)
	}
	message := "the lines could not be made durable: send all of them again later, what comes twice is stored once"
	return &rejection{http.StatusServiceUnavailable, "unavailable", message}
}

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) error {
	if req.Method != http.MethodPost {
		return &rejection{http.StatusMethodNotAllowed, "method", "send lines with POST"}
	}
	origin, err := r.authorize(req)
	if err != nil {
		return err
	}
	if err := applyOverrides(&origin, req.Header); err != nil {
		return err
	}
	body, err := readBody(w, req)
	if err != nil {
		return err
	}
	select {
	case r.decoding <- struct{}{}:
		defer func() { <-r.decoding }()
	case <-req.Context().Done():
		return req.Context().Err()
	}
	groups, lines, err := decodeLines(req.Header.Get("Content-Encoding"), body)
	if err != nil {
		return err
	}
	origin.ReceivedAt = time.Now().UTC()
	if err := r.intake.Append(req.Context(), origin, groups); err != nil {
		return err
	}
	if r.failing.Swap(false) {
		r.logger.Info("lines are taken again")
	}
	r.metrics.received.Add(float64(lines))
	return nil
}

// authorize finds the source and checks the access key if it demands one.
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
		return Origin{}, &rejection{http.StatusUnauthorized, "unauthorized", "unknown source address, or missing or wrong access key"}
	}
	origin := Origin{
		SourceID:  source.ID,
		Collector: collector.Name,
		Source:    source.Name,
		Category:  source.Category,
		Host:      source.Host,
		Fields:    map[string]string{},
		JWKSURL:   source.JWKSURL,
	}
	if origin.Category == "" {
		origin.Category = collector.Category
	}
	for _, fields := range []map[string]string{collector.Fields, source.Fields} {
		for name, value := range fields {
			origin.Fields[name] = value
		}
	}
	return origin, nil
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

func readBody(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxCompressed))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &rejection{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body has more than %d bytes: send smaller ones", maxCompressed)}
	}
	if err != nil {
		return nil, &rejection{http.StatusBadRequest, "incomplete", "the body ended early"}
	}
	return body, nil
}

func decodeLines(encoding string, body []byte) (groups [][]byte, lines int, err error) {
	decoded, err := decodeBody(encoding, body)
	if err == nil {
		defer decoded.Close()
		groups, lines, err = splitLines(decoded)
	}
	switch {
	case errors.Is(err, errTooLarge):
		return nil, 0, &rejection{http.StatusRequestEntityTooLarge, "too_large", err.Error()}
	case err != nil:
		return nil, 0, &rejection{http.StatusBadRequest, "undecodable", "the body cannot be decoded: " + err.Error()}
	}
	return groups, lines, nil
}
