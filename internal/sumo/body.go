package sumo

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// maxBody is the largest request body, in bytes.
const maxBody = 1 << 20

// members are the members of a JSON object, by name.
type members map[string]json.RawMessage

// readBody decodes the one JSON value of the body into value.
func readBody(w http.ResponseWriter, r *http.Request, value any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	err := decoder.Decode(value)
	if err == nil {
		if _, err = decoder.Token(); err == io.EOF {
			return nil
		}
		if err == nil {
			err = errors.New("there is more than one JSON value")
		}
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &problem{http.StatusRequestEntityTooLarge, "too_large", "the body has more than " + strconv.Itoa(maxBody) + " bytes"}
	}
	return badRequest("the body is not the JSON that is expected: %v", err)
}

// take decodes a member, if it is there and not null, and takes it out.
func (m members) take(name string, value any) error {
	text, ok := m[name]
	delete(m, name)
	if !ok || string(text) == "null" {
		return nil
	}
	if err := json.Unmarshal(text, value); err != nil {
		return badRequest("%s: %v", name, err)
	}
	return nil
}

// takeAll takes several members, up to the first error.
func (m members) takeAll(values map[string]any) error {
	for name, value := range values {
		if err := m.take(name, value); err != nil {
			return err
		}
	}
	return nil
}

// echoed keeps what clients compare with what they sent, and drops the rest.
func (m members) echoed(names []string) map[string]json.RawMessage {
	echo := map[string]json.RawMessage{}
	for _, name := range names {
		if text, ok := m[name]; ok && string(text) != "null" {
			echo[name] = text
		}
	}
	return echo
}

// pathID reads an integer of the path. What is none is an id that no object has.
func pathID(r *http.Request, name string) int64 {
	id, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// checkMatch holds a change against If-Match. As at Sumo Logic, an update
// demands the header, since it replaces all of what was read; * stands for
// whatever there is. A deletion may do without.
func checkMatch(r *http.Request, revision uint64) error {
	given := r.Header.Get("If-Match")
	switch {
	case given == "" && r.Method == http.MethodPut:
		return &problem{http.StatusPreconditionRequired, "precondition_required",
			"an update replaces the object: send the ETag of the answer in which it was read in the header If-Match"}
	case given == "", given == "*", given == etag(revision):
		return nil
	}
	return &problem{http.StatusPreconditionFailed, "precondition_failed", "the object was changed since " + given + ": read it again"}
}

// page cuts a list by the query's offset and limit, as Sumo Logic's lists take
// them: at most 1,000 items.
func page[T any](r *http.Request, list []T) ([]T, error) {
	const most = 1000
	offset, err := queryNumber(r, "offset", 0, 0, 1<<31)
	if err != nil {
		return nil, err
	}
	limit, err := queryNumber(r, "limit", most, 1, most)
	if err != nil {
		return nil, err
	}
	list = list[min(offset, len(list)):]
	return list[:min(limit, len(list))], nil
}

func queryNumber(r *http.Request, name string, otherwise, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badRequest("%s must be a number from %d to %d", name, least, most)
	}
	return n, nil
}
