package konnect

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/registry"
)

// Below this stand a control plane's core entities, in the shapes of Kong's
// Admin API. Their problems carry Kong's members beside Konnect's.
const (
	corePath     = controlPlanesPath + "/{controlPlaneId}/core-entities"
	coreResource = "control-planes/{controlPlaneId}/core-entities"
	coreTag      = "Core entities"
)

// coreCall is one request about a control plane's core entities.
type coreCall struct {
	*http.Request
	call   *call
	plane  registry.ControlPlane
	kind   entity.Kind
	nest   *nest  // in which the address names the entity; nil: in none
	parent string // the id of what it is nested in
	item   string // the parameter of the address that names the entity
}

// nest is an address at which entities of a kind are found by what they refer to.
type nest struct {
	parent, child entity.Kind
	segment       string // of the address
}

// field is the one that refers to the parent.
func (n nest) field() string { return n.parent.One() }

func nests() []nest {
	return []nest{
		{entity.Services, entity.Routes, "routes"},
		{entity.Services, entity.Plugins, "plugins"},
		{entity.Routes, entity.Plugins, "plugins"},
		{entity.Consumers, entity.Plugins, "plugins"},
		{entity.Consumers, entity.KeyAuths, "key-auth"},
	}
}

// parameter is the name of an address's parameter for one of the kind.
func parameter(k entity.Kind) string {
	return strings.ReplaceAll(k.One(), "key-auth", "keyAuth") + "Id"
}

func (a *API) coreEntityRoutes() {
	for _, kind := range entity.Kinds() {
		a.coreRoutes(kind, nil, "/"+string(kind))
	}
	for _, n := range nests() {
		a.coreRoutes(n.child, &n, "/"+string(n.parent)+"/{"+parameter(n.parent)+"}/"+n.segment)
	}
	a.coreTagRoutes()
	a.coreSchemaRoutes()
	a.emptyCoreRoutes()
}

// coreRoutes serves a kind at an address, the list and each of it.
func (a *API) coreRoutes(kind entity.Kind, n *nest, all string) {
	one := all + "/{" + parameter(kind) + "}"
	name, of := kind.One(), ""
	if n != nil {
		of = "-of-" + n.parent.One()
	}
	add := func(verb, method, path, summary, action string, status int, serve func(coreCall) (any, error)) {
		op := coreOperation(verb+"-"+name+of, method, path, summary, status)
		if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: givenSchema(kind)}}}
		}
		switch {
		case verb == "list":
			op.Parameters = append(op.Parameters, coreListParameters()...)
			op.Responses["200"].Content = jsonContent(coreListSchema(documentSchema(kind)))
		case status != http.StatusNoContent:
			op.Responses[strconv.Itoa(status)].Content = jsonContent(documentSchema(kind))
		default:
			op.Responses["400"] = &huma.Response{}
		}
		a.mountCore(op, action, path, coreCall{kind: kind, nest: n, item: parameter(kind)}, serve)
	}
	what := strings.ReplaceAll(name, "key-auth", "key")
	add("list", http.MethodGet, all, "List "+what+"s", registry.List, http.StatusOK, a.listCore)
	add("create", http.MethodPost, all, "Create a "+what, registry.Create, http.StatusCreated, a.createCore)
	add("get", http.MethodGet, one, "Retrieve a "+what, registry.Retrieve, http.StatusOK, a.getCore)
	add("upsert", http.MethodPut, one, "Create or replace a "+what, registry.Edit, http.StatusOK, a.putCore)
	add("update", http.MethodPatch, one, "Change a "+what, registry.Edit, http.StatusOK, a.changeCore)
	add("delete", http.MethodDelete, one, "Delete a "+what, registry.Delete, http.StatusNoContent, a.deleteCore)
}

// mountCore serves an operation. Its requests are admitted, recorded and
// limited as all others of the API are.
func (a *API) mountCore(op huma.Operation, action, path string, template coreCall, serve func(coreCall) (any, error)) {
	success := op.DefaultStatus
	resource := coreResource + path
	if strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/schemas/") {
		resource = coreResource + "/schemas"
	}
	demand(&op, action, resource)
	a.huma.OpenAPI().AddOperation(&op)
	a.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		if problem := a.admit(r, action, resourcePath(resource, r)); problem != nil {
			writeProblem(w, problem)
			return
		}
		c := template
		c.Request, c.call = r, callOf(r.Context())
		body, err := a.serveCore(c, serve)
		if err != nil {
			writeProblem(w, a.coreProblem(c.call, err))
			return
		}
		writeCore(w, success, body)
	})
}

// serveCore finds what the address names, and has the request served.
func (a *API) serveCore(c coreCall, serve func(coreCall) (any, error)) (any, error) {
	var err error
	if c.plane, err = a.visiblePlane(c.Context(), c.PathValue("controlPlaneId")); err != nil {
		return nil, err
	}
	if c.nest != nil {
		parent, err := a.Registry.CoreEntity(c.plane, c.nest.parent, c.PathValue(parameter(c.nest.parent)))
		if err != nil {
			return nil, err
		}
		c.parent = parent.ID()
	}
	return serve(c)
}

// within says which entities the address is about.
func (c coreCall) within(d entity.Document) bool {
	return c.nest == nil || d.Reference(c.nest.field()) == c.parent
}

// given reads the entity, or the change of one, that the body tells of.
func (c coreCall) given() (entity.Document, error) {
	if contentType := c.Header.Get("Content-Type"); contentType != "" && contentType != "application/json" {
		return nil, decodeProblem(c.call, http.StatusUnsupportedMediaType, "", nil)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, decodeProblem(c.call, http.StatusRequestEntityTooLarge, "", nil)
	case err != nil:
		return nil, decodeProblem(c.call, http.StatusInternalServerError, "", nil)
	}
	var document entity.Document
	if err := decodeBody(body, &document); err != nil {
		return nil, decodeProblem(c.call, http.StatusBadRequest, err.Error(), nil)
	}
	if document == nil {
		return nil, decodeProblem(c.call, http.StatusBadRequest, "the body must be a JSON object", nil)
	}
	if c.nest == nil {
		return document, nil
	}
	return document.With(c.nest.field(), entity.ReferenceTo(c.parent)), nil
}

func (a *API) listCore(c coreCall) (any, error) {
	set, _, err := a.Registry.CoreEntities(c.plane)
	if err != nil {
		return nil, err
	}
	query, err := c.listQuery()
	if err != nil {
		return nil, err
	}
	now := time.Now().Unix()
	lasting := func(d entity.Document) bool { return c.within(d) && !d.Ended(now) }
	page := query.page(c.URL.Path, set.All(c.kind), lasting)
	for i, d := range page.Data {
		page.Data[i] = d.Shown(now)
	}
	return page, nil
}

func (a *API) createCore(c coreCall) (any, error) {
	given, err := c.given()
	if err != nil {
		return nil, err
	}
	return shown(a.Registry.CreateCoreEntity(c.Context(), c.plane, c.kind, given))
}

func (a *API) getCore(c coreCall) (any, error) {
	found, err := a.Registry.CoreEntity(c.plane, c.kind, c.PathValue(c.item))
	if err == nil && !c.within(found) {
		err = registry.ErrNotFound
	}
	return shown(found, err)
}

// shown is an entity as clients are told of it.
func shown(d entity.Document, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return d.Shown(time.Now().Unix()), nil
}

func (a *API) putCore(c coreCall) (any, error) {
	given, err := c.given()
	if err != nil {
		return nil, err
	}
	return shown(a.Registry.PutCoreEntity(c.Context(), c.plane, c.kind, c.PathValue(c.item), given, c.within))
}

func (a *API) changeCore(c coreCall) (any, error) {
	change, err := c.given()
	if err != nil {
		return nil, err
	}
	return shown(a.Registry.ChangeCoreEntity(c.Context(), c.plane, c.kind, c.PathValue(c.item), change, c.within))
}

// deleteCore is a success where there is nothing to delete, as in Kong's API.
func (a *API) deleteCore(c coreCall) (any, error) {
	err := a.Registry.DeleteCoreEntity(c.Context(), c.plane, c.kind, c.PathValue(c.item), c.within)
	if errors.Is(err, registry.ErrNotFound) {
		err = nil
	}
	return nil, err
}

// listQuery is the query of a list: Kong's paging by offset, and tags.
type listQuery struct {
	size  int
	after string // the id of the last entity of the page before; empty: the first page
	tags  []string
	any   bool // of the tags; else all of them
	given url.Values
}

func (c coreCall) listQuery() (q listQuery, err error) {
	if q.given, err = url.ParseQuery(c.URL.RawQuery); err != nil {
		return q, entity.InvalidTags()
	}
	q.size = 100
	if text := q.given.Get("size"); text != "" {
		if q.size, err = strconv.Atoi(text); err != nil || q.size < 1 || q.size > 1000 {
			return q, entity.InvalidSize()
		}
	}
	if offset := q.given.Get("offset"); offset != "" {
		after, err := base64.RawURLEncoding.DecodeString(offset)
		if err != nil || len(after) < len("00000000-0000-4000-8000-000000000000") {
			return q, entity.InvalidOffset()
		}
		q.after = string(after)
	}
	return q, q.readTags(q.given.Get("tags"))
}

// readTags reads a,b (all of them) or a/b (any of them).
func (q *listQuery) readTags(text string) error {
	if text == "" {
		return nil
	}
	separator := ","
	if q.any = strings.Contains(text, "/"); q.any {
		separator = "/"
	}
	q.tags = strings.Split(text, separator)
	if len(q.tags) > 100 || slices.ContainsFunc(q.tags, func(tag string) bool { return tag == "" || strings.ContainsAny(tag, ",/") }) {
		return entity.InvalidTags()
	}
	return nil
}

func (q listQuery) wants(d entity.Document) bool {
	if len(q.tags) == 0 {
		return true
	}
	if q.any {
		return slices.ContainsFunc(q.tags, d.HasTag)
	}
	return !slices.ContainsFunc(q.tags, func(tag string) bool { return !d.HasTag(tag) })
}

// corePage is a page of a list as Kong has it.
type corePage struct {
	Data   []entity.Document `json:"data"`
	Next   *string           `json:"next"`
	Offset *string           `json:"offset"`
}

// page takes one page out of the list, which is in the order of ids: an offset
// holds good when its entity is gone.
func (q listQuery) page(path string, list []entity.Document, within func(entity.Document) bool) corePage {
	page := corePage{Data: []entity.Document{}}
	from := sort.Search(len(list), func(i int) bool { return list[i].ID() > q.after })
	for _, d := range list[from:] {
		if !within(d) || !q.wants(d) {
			continue
		}
		if len(page.Data) == q.size {
			q.leadOn(&page, path, page.Data[q.size-1].ID())
			break
		}
		page.Data = append(page.Data, d)
	}
	return page
}

// leadOn says where the page after is, whose entities come after the mark.
func (q listQuery) leadOn(page *corePage, path, mark string) {
	offset := base64.RawURLEncoding.EncodeToString([]byte(mark))
	query := url.Values{"offset": {offset}, "size": {strconv.Itoa(q.size)}}
	if tags := q.given.Get("tags"); tags != "" {
		query.Set("tags", tags)
	}
	next := path + "?" + query.Encode()
	page.Next, page.Offset = &next, &offset
}

// coreProblem is the problem of an error, with the members that Kong's clients
// look for.
func (a *API) coreProblem(c *call, err error) *Problem {
	var violation *entity.Violation
	if !errors.As(err, &violation) {
		p := a.problemOf(c, err)
		p.Message = p.Detail
		return p
	}
	p := c.problem(violation.Status, violation.Message)
	p.Code, p.Name, p.Message, p.Fields = violation.Code, violation.Name, violation.Message, violation.Fields
	return p
}

// visiblePlane is the control plane of a request by its id.
func (a *API) visiblePlane(ctx context.Context, id string) (registry.ControlPlane, error) {
	c := callOf(ctx)
	return a.Registry.ControlPlane(c.user.OrgID, c.region, id)
}
