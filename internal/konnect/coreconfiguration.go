package konnect

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/registry"
)

// longestWait is for how many seconds a data plane may wait for a change.
const longestWait = 30

// configurationRoutes serves data planes that are not in this process: all core
// entities of a control plane as they were at one moment. Who has them already
// waits for a change, so that a change is known at once and an idle data plane
// leaves few events.
func (a *API) configurationRoutes() {
	const path, resource = "/trailhook/v1/control-planes/{controlPlaneId}/configuration", "control-planes/{controlPlaneId}/configuration"
	properties := map[string]*huma.Schema{}
	for _, kind := range entity.Kinds() {
		properties[string(kind)] = &huma.Schema{Type: huma.TypeArray, Items: documentSchema(kind)}
	}
	text := &huma.Schema{Type: huma.TypeString}
	op := huma.Operation{
		OperationID: "get-configuration", Method: http.MethodGet, Path: path, Tags: []string{coreTag},
		Summary: "Retrieve all core entities of a control plane, as they are at one moment",
		Parameters: []*huma.Param{
			{Name: "controlPlaneId", In: "path", Required: true, Schema: text},
			{Name: "If-None-Match", In: "header", Schema: text, Description: "The ETag of what the caller has."},
			{Name: "wait", In: "query", Schema: text, Description: "How many seconds to wait for a change of that: 0 to 30."},
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "The entities.", Content: jsonContent(closedObject(properties)), Headers: map[string]*huma.Header{"ETag": {Schema: text}}},
			"304": {Description: "They are as the caller has them.", Headers: map[string]*huma.Header{"ETag": {Schema: text}}},
		},
	}
	demand(&op, registry.Retrieve, resource)
	a.huma.OpenAPI().AddOperation(&op)
	a.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		if problem := a.admit(r, registry.Retrieve, resourcePath(resource, r)); problem != nil {
			writeProblem(w, problem)
			return
		}
		if err := a.configuration(w, r); err != nil {
			writeProblem(w, a.coreProblem(callOf(r.Context()), err))
		}
	})
}

func (a *API) configuration(w http.ResponseWriter, r *http.Request) error {
	wait := 0
	if text := r.URL.Query().Get("wait"); text != "" {
		var err error
		if wait, err = strconv.Atoi(text); err != nil || wait < 0 || wait > longestWait {
			return entity.Invalid("wait", "must be 0 to 30 seconds")
		}
	}
	enough := time.NewTimer(time.Duration(wait) * time.Second)
	defer enough.Stop()
	for {
		plane, err := a.visiblePlane(r.Context(), r.PathValue("controlPlaneId"))
		if err != nil {
			return err
		}
		set, changed, err := a.Registry.CoreEntities(plane)
		if err != nil {
			return err
		}
		body, tag, err := encodeConfiguration(set)
		if err != nil {
			return err
		}
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") != tag {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body) // into an answer's buffer, which takes everything
			return nil
		}
		select {
		case <-changed:
		case <-enough.C:
			w.WriteHeader(http.StatusNotModified)
			return nil
		case <-a.ending:
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
}

func encodeConfiguration(set *entity.Set) (body []byte, tag string, err error) {
	all := map[entity.Kind][]entity.Document{}
	for _, kind := range entity.Kinds() {
		all[kind] = append([]entity.Document{}, set.All(kind)...)
	}
	if body, err = json.Marshal(all); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(body)
	return body, `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`, nil
}
