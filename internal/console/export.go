package console

import (
	"net/http"
	"strconv"
)

func exportRoutes() []route {
	return []route{{"GET /export", siem, export}}
}

// formats are those that results can be exported in, and the names of the files.
func formats() map[string]string {
	return map[string]string{"csv": "csv", "ndjson": "ndjson", "parquet": "parquet"}
}

// export passes the search API's answer on as a file, as it comes.
func export(v *visit) error {
	format := v.query("format")
	suffix, ok := formats()[format]
	if !ok {
		return v.redirect(v.asked().at("/"), "Choose a format to export: CSV, NDJSON or Parquet.")
	}
	parameters := v.asked().parameters()
	parameters.Set("format", format)
	parameters.Set("limit", strconv.Itoa(maxSkip))
	ctx, done := v.console.sessions.stream(v.ctx(), v.session)
	defer done()
	request, err := v.request(ctx, call{half: siemHalf, path: "/trailhook/v1/search", query: parameters})
	if err != nil {
		return err
	}
	file := &passage{ResponseWriter: v.w, name: "trailhook-" + v.console.now().UTC().Format("20060102-150405") + "." + suffix}
	v.console.halves[siemHalf].ServeHTTP(file, request)
	if file.refused != nil {
		return newAPIError(call{half: siemHalf, path: "/trailhook/v1/search"}, answer{status: file.refused.status, body: file.refused.body.Bytes()})
	}
	return nil
}

// passage is a ResponseWriter that passes an answer on, as a file if it has a
// name, and keeps a refusal back for the page to show.
type passage struct {
	http.ResponseWriter
	name    string
	began   bool
	own     http.Header
	refused *capture
}

// Header is one of the answer's own until it is known that it is no refusal.
func (d *passage) Header() http.Header {
	if d.began && d.refused == nil {
		return d.ResponseWriter.Header()
	}
	if d.own == nil {
		d.own = http.Header{}
	}
	return d.own
}

func (d *passage) WriteHeader(status int) {
	if d.began {
		return
	}
	if status >= http.StatusBadRequest {
		d.refused = &capture{header: d.own, status: status}
		d.began = true
		return
	}
	header := d.ResponseWriter.Header()
	for _, name := range [...]string{"Content-Type", "X-Accel-Buffering"} {
		if value := d.own.Get(name); value != "" {
			header.Set(name, value)
		}
	}
	if d.name != "" {
		header.Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	}
	d.began = true
	d.ResponseWriter.WriteHeader(status)
}

func (d *passage) Write(data []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	if d.refused != nil {
		return d.refused.Write(data)
	}
	return d.ResponseWriter.Write(data)
}

// Unwrap is for [http.ResponseController].
func (d *passage) Unwrap() http.ResponseWriter { return d.ResponseWriter }
