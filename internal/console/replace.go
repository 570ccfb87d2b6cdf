package console

import (
	"encoding/json"
	"net/http"
)

// tagged is an object that was read, with what an update of it has to name.
type tagged[T any] struct {
	Object T
	ETag   string
}

// readTagged reads an object and its ETag.
func readTagged[T any](v *visit, path string) (t tagged[T], err error) {
	a, err := v.do(v.ctx(), call{half: siemHalf, path: path}, &t.Object)
	if err != nil {
		return t, err
	}
	t.ETag = a.header.Get("ETag")
	return t, nil
}

// replace puts a body in an object's place, unless another has changed it since
// the ETag.
func (v *visit) replace(path, etag string, body any) error {
	_, err := v.do(v.ctx(), call{
		half: siemHalf, method: http.MethodPut, path: path, body: body, header: http.Header{"If-Match": {etag}},
	}, nil)
	return err
}

// membersOf reads the members of an object as they are, for an update that changes
// some of them: those that this page does not know have to stay.
func (v *visit) membersOf(path, name string) (map[string]any, error) {
	var object map[string]map[string]json.RawMessage
	if err := v.get(v.ctx(), siemHalf, path, nil, &object); err != nil {
		return nil, err
	}
	members := map[string]any{}
	for member, value := range object[name] {
		members[member] = value
	}
	return members, nil
}
