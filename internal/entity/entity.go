// Package entity knows the core entities of a gateway's control plane:
// services, routes, consumers, their keys, and plugins. Which fields they have,
// what stands in a field that is left out, and what cannot be, is as in Kong
// Gateway's Admin API (https://developer.konghq.com/admin-api/), in which
// clients such as decK are at home.
//
// An entity is a [Document], and its [Kind] has a schema: one description of
// the fields serves to complete and check a document, to merge a change into
// it, and to tell clients of the fields. A [Set] holds all entities of a control
// plane at one moment and knows what refers to what. The package does no I/O.
//
// What the data plane cannot do is refused rather than kept and ignored: other
// protocols than http and https, client certificates, other policies of
// rate-limiting than local.
package entity

import (
	"maps"
	"slices"
)

// Kind is a kind of entity, by its name in addresses.
type Kind string

// The kinds.
const (
	Services  Kind = "services"
	Routes    Kind = "routes"
	Consumers Kind = "consumers"
	KeyAuths  Kind = "key-auths"
	Plugins   Kind = "plugins"
)

// Kinds are all of them, each after those that it can refer to.
func Kinds() []Kind { return []Kind{Services, Consumers, Routes, KeyAuths, Plugins} }

// Document is an entity: its fields as JSON has them, numbers as float64. A
// complete one has every field of its kind, null where there is nothing.
// Documents are shared and not to be changed.
type Document map[string]any

// ID is the entity's id.
func (d Document) ID() string { return d.Text("id") }

// Text is a field that holds text; empty where it is null.
func (d Document) Text(field string) string {
	text, _ := d[field].(string)
	return text
}

// Reference is the id of the entity that a field refers to; empty for none.
func (d Document) Reference(field string) string {
	switch reference := d[field].(type) {
	case map[string]any:
		id, _ := reference["id"].(string)
		return id
	case Document:
		return reference.ID()
	}
	return ""
}

// HasTag reports whether the entity has the tag.
func (d Document) HasTag(tag string) bool {
	tags, _ := d["tags"].([]any)
	return slices.Contains(tags, any(tag))
}

// With returns a copy in which the field has the value.
func (d Document) With(field string, value any) Document {
	changed := maps.Clone(d)
	if changed == nil {
		changed = Document{}
	}
	changed[field] = value
	return changed
}

// ReferenceTo is the value of a field that refers to the entity with the id.
func ReferenceTo(id string) map[string]any { return map[string]any{"id": id} }

// definition is what there is to know of a kind.
type definition struct {
	one     string   // what one of them is called in schemas: service
	table   string   // what Kong's errors call the kind
	fields  []Field  // all of them, in the order in which they are told
	name    string   // the field by which it is found, besides its id
	unique  []string // fields of which no two have the same value
	combine []string // fields that no two have all the same
	keeps   []Kind   // kinds that keep it from being deleted by referring to it; others go with it
	expand  func(Document) error
	check   func(Document) *Violation
}

func (k Kind) definition() definition {
	switch k {
	case Services:
		return definition{one: "service", table: "services", fields: serviceFields(), name: "name", unique: []string{"name"}, keeps: []Kind{Routes}, expand: expandURL}
	case Routes:
		return definition{one: "route", table: "routes", fields: routeFields(), name: "name", unique: []string{"name"}, check: checkRoute}
	case Consumers:
		return definition{one: "consumer", table: "consumers", fields: consumerFields(), name: "username", unique: []string{"username", "custom_id"}, check: checkConsumer}
	case KeyAuths:
		return definition{one: "key-auth", table: "keyauth_credentials", fields: keyAuthFields(), unique: []string{"key"}}
	case Plugins:
		return definition{one: "plugin", table: "plugins", fields: pluginFields(), name: "instance_name", unique: []string{"instance_name"},
			combine: []string{"name", "service", "route", "consumer"}, check: checkPlugin}
	}
	panic("entity: there is no kind " + string(k))
}

// One is what one of the kind is called: service.
func (k Kind) One() string { return k.definition().one }

// Table is what Kong's errors and tags call the kind.
func (k Kind) Table() string { return k.definition().table }

// Fields are the fields of the kind's entities.
func (k Kind) Fields() []Field { return k.definition().fields }
