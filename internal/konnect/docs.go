package konnect

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

// docsPolicy allows the page its own style sheet and nothing else: no script,
// no request to anywhere.
var docsPolicy = func() string {
	hash := sha256.Sum256([]byte(docsCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// docsPage makes the readable form of the document.
func docsPage(document *huma.OpenAPI) ([]byte, error) {
	page, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("read the template of /docs: %w", err)
	}
	var text bytes.Buffer
	err = page.Execute(&text, struct {
		Style       template.CSS
		Title       string
		Version     string
		Description string
		Groups      []docsGroup
	}{template.CSS(docsCSS), document.Info.Title, document.Info.Version, document.Info.Description, docsGroups(document)})
	return text.Bytes(), err
}

// docsGroup is the operations of one tag.
type docsGroup struct {
	Name, Anchor string
	Operations   []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description string
	Permission                             any // a text, or nil where none is asked for
	Secured                                bool
	Parameters                             []docsProperty
	Request                                []docsBody
	Answers                                []docsAnswer
	Refusals                               []docsAnswer // their body is the same everywhere
}

type docsAnswer struct {
	Status, Description string
	Bodies              []docsBody
}

// docsBody is a body of one content type, with its properties, those of
// objects within it by their paths.
type docsBody struct {
	ContentType, Type string
	Properties        []docsProperty
}

type docsProperty struct {
	Name, In, Type, Doc string
	Required            bool
}

func docsGroups(document *huma.OpenAPI) []docsGroup {
	byTag := map[string][]docsOperation{}
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, op := range operationsOf(document.Paths[path]) {
			tag := "Others"
			if len(op.Tags) > 0 {
				tag = op.Tags[0]
			}
			byTag[tag] = append(byTag[tag], showOperation(document.Components.Schemas, op))
		}
	}
	var groups []docsGroup
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		groups = append(groups, docsGroup{tag, strings.ReplaceAll(strings.ToLower(tag), " ", "-"), byTag[tag]})
	}
	return groups
}

// operationsOf lists the operations of a path in the order in which they are
// best read.
func operationsOf(item *huma.PathItem) []*huma.Operation {
	all := []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete}
	return slices.DeleteFunc(all, func(op *huma.Operation) bool { return op == nil })
}

func showOperation(schemas huma.Registry, op *huma.Operation) docsOperation {
	shown := docsOperation{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description, Secured: len(op.Security) > 0,
		Permission: op.Extensions[permissionMember],
	}
	for _, p := range op.Parameters {
		shown.Parameters = append(shown.Parameters, docsProperty{Name: p.Name, In: p.In, Type: typeOf(schemas, p.Schema), Doc: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		shown.Request = showBodies(schemas, op.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		answer := docsAnswer{Status: status, Description: response.Description}
		if status >= "400" {
			shown.Refusals = append(shown.Refusals, answer)
			continue
		}
		answer.Bodies = showBodies(schemas, response.Content)
		shown.Answers = append(shown.Answers, answer)
	}
	return shown
}

func showBodies(schemas huma.Registry, content map[string]*huma.MediaType) []docsBody {
	var bodies []docsBody
	for _, contentType := range slices.Sorted(maps.Keys(content)) {
		schema := content[contentType].Schema
		bodies = append(bodies, docsBody{contentType, typeOf(schemas, schema), propertiesOf(schemas, schema, "", 0)})
	}
	return bodies
}

// maxNesting ends the list for a type that holds itself.
const maxNesting = 8

// propertiesOf lists the properties of an object and of all objects in it:
// meta.size, data[].id.
func propertiesOf(schemas huma.Registry, s *huma.Schema, path string, depth int) []docsProperty {
	if s = resolve(schemas, s); s == nil || depth > maxNesting {
		return nil
	}
	if s.Items != nil {
		return propertiesOf(schemas, s.Items, path+"[]", depth+1)
	}
	var list []docsProperty
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		full := name
		if path != "" {
			full = path + "." + name
		}
		list = append(list, docsProperty{
			Name: full, Type: typeOf(schemas, property), Doc: property.Description, Required: slices.Contains(s.Required, name),
		})
		list = append(list, propertiesOf(schemas, property, full, depth+1)...)
	}
	return list
}

func resolve(schemas huma.Registry, s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// typeOf says in words what a value may be.
func typeOf(schemas huma.Registry, s *huma.Schema) string {
	s = resolve(schemas, s)
	if s == nil || s.Type == "" {
		return "any value"
	}
	words := []string{s.Type}
	if s.Items != nil {
		words[0] = "array of " + typeOf(schemas, s.Items)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		words[0] = "object whose values are " + typeOf(schemas, values)
	}
	if s.Format != "" && s.Type == huma.TypeString {
		words[0] += " (" + s.Format + ")"
	}
	if s.Nullable {
		words[0] += " or null"
	}
	return strings.Join(append(words, boundsOf(s)...), ", ")
}

func boundsOf(s *huma.Schema) []string {
	var bounds []string
	if len(s.Enum) > 0 {
		choices := make([]string, len(s.Enum))
		for i, choice := range s.Enum {
			choices[i] = fmt.Sprint(choice)
		}
		bounds = append(bounds, "one of "+strings.Join(choices, " | "))
	}
	if s.Minimum != nil {
		bounds = append(bounds, fmt.Sprintf("at least %g", *s.Minimum))
	}
	if s.Maximum != nil {
		bounds = append(bounds, fmt.Sprintf("at most %.f", *s.Maximum))
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		bounds = append(bounds, "not empty")
	}
	if s.MaxLength != nil {
		bounds = append(bounds, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.MaxItems != nil {
		bounds = append(bounds, fmt.Sprintf("at most %d items", *s.MaxItems))
	}
	if s.Default != nil {
		bounds = append(bounds, fmt.Sprintf("default %v", s.Default))
	}
	return bounds
}
