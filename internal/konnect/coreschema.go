package konnect

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/registry"
)

// writeCore answers with JSON, or with nothing for a nil body.
func writeCore(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // into an answer's buffer, which takes everything
}

// coreOperation begins the description of an operation.
func coreOperation(id, method, path, summary string, status int) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: corePath + path, Summary: summary, Tags: []string{coreTag}, DefaultStatus: status,
		Responses: map[string]*huma.Response{strconv.Itoa(status): {Description: http.StatusText(status)}},
	}
	for _, segment := range strings.Split(op.Path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			op.Parameters = append(op.Parameters, &huma.Param{
				Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
			})
		}
	}
	return op
}

func coreListParameters() []*huma.Param {
	query := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "query", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return []*huma.Param{
		query("size", "How many entities a page holds: 1 to 1000, 100 if it is left out."),
		query("offset", "That of the page before."),
		query("tags", "Only entities with all of these tags (a,b), or with any of them (a/b)."),
	}
}

func jsonContent(schema *huma.Schema) map[string]*huma.MediaType {
	schema.PrecomputeMessages()
	return map[string]*huma.MediaType{"application/json": {Schema: schema}}
}

func coreListSchema(of *huma.Schema) *huma.Schema {
	return closedObject(map[string]*huma.Schema{
		"data":   {Type: huma.TypeArray, Items: of},
		"next":   {Type: huma.TypeString, Nullable: true},
		"offset": {Type: huma.TypeString, Nullable: true},
	})
}

// closedObject is an object that has these properties, all of them.
func closedObject(properties map[string]*huma.Schema) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: properties, AdditionalProperties: false}
	for name := range properties {
		s.Required = append(s.Required, name)
	}
	return s
}

func openObject() *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// documentSchema is of an entity as it is told.
func documentSchema(kind entity.Kind) *huma.Schema {
	properties := map[string]*huma.Schema{}
	for _, field := range kind.Fields() {
		s := fieldSchema(field)
		s.Nullable = !field.Required
		properties[field.Name] = s
	}
	for _, always := range []string{"id", "created_at", "updated_at", "key"} {
		if s := properties[always]; s != nil {
			s.Nullable = false
		}
	}
	return closedObject(properties)
}

// givenSchema is of an entity as it can be sent.
func givenSchema(kind entity.Kind) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, AdditionalProperties: false}
	for _, field := range kind.Fields() {
		property := fieldSchema(field)
		property.Nullable, property.Default = true, field.Default
		s.Properties[field.Name] = property
	}
	if kind == entity.Services {
		s.Properties["url"] = &huma.Schema{Type: huma.TypeString, Description: "Stands for protocol, host, port and path."}
	}
	s.PrecomputeMessages()
	return s
}

func fieldSchema(f entity.Field) *huma.Schema {
	switch f.Type {
	case entity.String:
		s := &huma.Schema{Type: huma.TypeString}
		for _, value := range f.OneOf {
			s.Enum = append(s.Enum, value)
		}
		return s
	case entity.Integer, entity.Number:
		s := &huma.Schema{Type: string(f.Type)}
		if f.Between != nil {
			s.Minimum, s.Maximum = &f.Between[0], &f.Between[1]
		}
		return s
	case entity.Boolean:
		return &huma.Schema{Type: huma.TypeBoolean}
	case entity.Array, entity.SetOf:
		s := &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{}}
		if f.Elements != nil {
			s.Items = fieldSchema(*f.Elements)
		}
		return s
	case entity.Map:
		s := openObject()
		if f.Elements != nil {
			s.AdditionalProperties = fieldSchema(*f.Elements)
		}
		return s
	case entity.Foreign:
		return closedObject(map[string]*huma.Schema{"id": {Type: huma.TypeString, Format: "uuid"}})
	}
	return openObject()
}

// coreSchemaRoutes tells clients of the fields: decK asks for them before it
// compares, and fills in the defaults that it reads there.
func (a *API) coreSchemaRoutes() {
	add := func(id, path, summary string, serve func(coreCall) (any, error)) {
		op := coreOperation(id, http.MethodGet, path, summary, http.StatusOK)
		op.Responses["200"].Content = jsonContent(openObject())
		a.mountCore(op, registry.Retrieve, path, coreCall{}, serve)
	}
	add("get-entity-schema", "/v1/schemas/json/{entity}", "Retrieve the JSON schema of a kind of entity", entitySchema)
	add("get-plugin-schema", "/schemas/plugins/{plugin}", "Retrieve the schema of a plugin", pluginSchema)
}

// entitySchema answers with a JSON schema. Of the kinds that clients ask for and
// that there are none of, it knows nothing.
func entitySchema(c coreCall) (any, error) {
	name := c.PathValue("entity")
	for _, kind := range entity.Kinds() {
		if kind.One() == name {
			return givenSchema(kind), nil
		}
	}
	if name == "upstream" || name == "target" {
		return openObject(), nil
	}
	return nil, registry.ErrNotFound
}

// pluginSchema answers in the form of Kong's own schemas.
func pluginSchema(c coreCall) (any, error) {
	fields, ok := entity.PluginFields(c.PathValue("plugin"))
	if !ok {
		return nil, registry.ErrNotFound
	}
	return map[string]any{"entity_checks": []any{}, "fields": kongFields(fields)}, nil
}

// kongFields is a list of objects with one member each: a field's name, and what
// there is to know of it.
func kongFields(fields []entity.Field) []any {
	list := make([]any, len(fields))
	for i, f := range fields {
		list[i] = map[string]any{f.Name: kongField(f)}
	}
	return list
}

func kongField(f entity.Field) map[string]any {
	told := map[string]any{"type": f.Type}
	if f.Required {
		told["required"] = true
	}
	if f.Default != nil {
		told["default"] = f.Default
	}
	if len(f.OneOf) > 0 {
		told["one_of"] = f.OneOf
	}
	if f.Between != nil {
		told["between"] = f.Between
	}
	if f.LenMin > 0 {
		told["len_min"] = f.LenMin
	}
	if f.Elements != nil && f.Type == entity.Map {
		told["keys"], told["values"] = kongField(*f.Keys), kongField(*f.Elements)
	} else if f.Elements != nil {
		told["elements"] = kongField(*f.Elements)
	}
	if f.Type == entity.Record {
		told["fields"] = kongFields(f.Fields)
	}
	if f.Type == entity.Foreign && f.To != "" {
		told["reference"] = f.To
	}
	return told
}
