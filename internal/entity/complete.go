package entity

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// Complete fills the defaults into a document as a client gives it and checks
// it; what is wrong is a [*Violation]. now is in seconds since the epoch.
func (k Kind) Complete(given Document, now int64) (Document, error) {
	def := k.definition()
	d := maps.Clone(given)
	if d == nil {
		d = Document{}
	}
	if def.expand != nil {
		if err := def.expand(d); err != nil {
			return nil, err
		}
	}
	fields := def.fields
	if k == Plugins {
		name := d.Text("name")
		known, ok := PluginFields(name)
		if !ok && name != "" {
			return nil, violationOf("name", unknownPlugin(name))
		}
		if ok {
			fields = known
		}
	}
	whole, wrong := completeRecord(fields, d)
	if len(wrong) > 0 {
		return nil, schemaViolation(wrong)
	}
	whole = automatic(k, whole, float64(now))
	if def.check != nil {
		if v := def.check(whole); v != nil {
			return nil, v
		}
	}
	return whole, nil
}

// automatic gives what an entity has by itself.
func automatic(k Kind, d Document, now float64) Document {
	if d["id"] == nil {
		d["id"] = uuid.NewString()
	}
	if d["created_at"] == nil {
		d["created_at"] = now
	}
	if _, has := d["updated_at"]; has {
		d["updated_at"] = now
	}
	if k != KeyAuths {
		return d
	}
	if d["key"] == nil {
		d["key"] = newKey()
	}
	return d.withEnd(now)
}

// Merge makes the change to an entity that a PATCH asks for: fields are
// replaced, within records too; one that is null is as if it had been left out.
func (k Kind) Merge(old, change Document, now int64) (Document, error) {
	change = maps.Clone(change)
	if expand := k.definition().expand; expand != nil {
		if err := expand(change); err != nil {
			return nil, err
		}
	}
	if id, given := change["id"]; given && id != any(old.ID()) {
		return nil, violationOf("id", "immutable field cannot be updated")
	}
	if name, given := change["name"]; given && k == Plugins && name != old["name"] {
		return nil, violationOf("name", "immutable field cannot be updated")
	}
	merged := mergeRecords(old, change)
	if _, given := change["created_at"]; !given {
		merged["created_at"] = old["created_at"]
	}
	if _, given := change[endsAt]; !given { // which no client can
		delete(merged, endsAt)
	}
	made, err := k.Complete(merged, now)
	if _, given := change[timeToLive]; err == nil && !given && old.Ends() != 0 {
		made[endsAt] = old[endsAt]
	}
	return made, err
}

func mergeRecords(old, change map[string]any) map[string]any {
	merged := maps.Clone(old)
	for name, value := range change {
		was, wasRecord := old[name].(map[string]any)
		is, isRecord := value.(map[string]any)
		if wasRecord && isRecord && (name == "config" || name == "queue") {
			merged[name] = mergeRecords(was, is)
			continue
		}
		merged[name] = value
	}
	return merged
}

// completeRecord returns the record with every field, or what is wrong with
// which of them.
func completeRecord(fields []Field, given map[string]any) (Document, map[string]any) {
	whole, wrong := Document{}, map[string]any{}
	for _, field := range fields {
		value, problem := field.complete(given[field.Name])
		if problem != nil {
			wrong[field.Name] = problem
			continue
		}
		whole[field.Name] = value
	}
	for name := range given {
		if _, known := property(fields, name); !known {
			wrong[name] = "unknown field"
		}
	}
	return whole, wrong
}

// complete returns the value that a field has when it is given value, or what
// is wrong with it: text, or the same for each of a record's fields.
func (f Field) complete(value any) (any, any) {
	if value == nil {
		switch {
		case f.Type == Record && f.Required:
			value = map[string]any{}
		case f.Default != nil:
			return f.Default, nil
		case f.Required:
			return nil, "required field missing"
		default:
			return nil, nil
		}
	}
	if f.Unused {
		if isEmpty(value) {
			return nil, nil
		}
		return nil, "value must be null: the data plane does not do this"
	}
	value, problem := f.typed(value)
	if problem != nil {
		return nil, problem
	}
	if f.check != nil {
		if wrong := f.check(value); wrong != "" {
			return nil, wrong
		}
	}
	return value, nil
}

func isEmpty(value any) bool {
	switch value := value.(type) {
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}

func (f Field) typed(value any) (any, any) {
	switch f.Type {
	case String:
		return f.typedText(value)
	case Integer, Number:
		return f.typedNumber(value)
	case Boolean:
		if _, ok := value.(bool); !ok {
			return nil, "expected a boolean"
		}
		return value, nil
	case Array, SetOf:
		return f.typedList(value)
	case Map:
		return f.typedMap(value)
	case Foreign:
		return typedReference(value)
	}
	record, ok := value.(map[string]any)
	if !ok {
		return nil, "expected a record"
	}
	whole, wrong := completeRecord(f.Fields, record)
	if len(wrong) > 0 {
		return nil, wrong
	}
	return map[string]any(whole), nil
}

func (f Field) typedText(value any) (any, any) {
	s, ok := value.(string)
	if !ok {
		return nil, "expected a string"
	}
	if len(f.OneOf) > 0 && !slices.Contains(f.OneOf, s) {
		return nil, "expected one of: " + joined(f.OneOf)
	}
	return value, nil
}

func (f Field) typedNumber(value any) (any, any) {
	n, ok := value.(float64)
	switch {
	case !ok:
		return nil, "expected " + map[Type]string{Integer: "an integer", Number: "a number"}[f.Type]
	case f.Type == Integer && n != math.Trunc(n):
		return nil, "expected an integer"
	case f.Between != nil && (n < f.Between[0] || n > f.Between[1]):
		return nil, fmt.Sprintf("value should be between %s and %s", decimal(f.Between[0]), decimal(f.Between[1]))
	}
	return value, nil
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func (f Field) typedList(value any) (any, any) {
	given, ok := value.([]any)
	if !ok {
		return nil, "expected " + map[Type]string{Array: "an array", SetOf: "a set"}[f.Type]
	}
	if len(given) < f.LenMin {
		return nil, "length must be at least " + strconv.Itoa(f.LenMin)
	}
	list, wrong := make([]any, 0, len(given)), map[string]any{}
	for i, element := range given {
		whole, problem := f.Elements.element(element)
		if problem != nil {
			wrong[strconv.Itoa(i+1)] = problem // Kong counts from 1
			continue
		}
		if f.Type == SetOf && slices.Contains(list, whole) {
			continue
		}
		list = append(list, whole)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return list, nil
}

func (f Field) element(value any) (any, any) {
	if value == nil {
		return nil, "required field missing"
	}
	return f.complete(value)
}

func (f Field) typedMap(value any) (any, any) {
	given, ok := value.(map[string]any)
	if !ok {
		return nil, "expected a map"
	}
	whole, wrong := map[string]any{}, map[string]any{}
	for key, element := range given {
		if problem := f.Keys.check(key); problem != "" {
			wrong[key] = problem
			continue
		}
		value, problem := f.Elements.element(element)
		if problem != nil {
			wrong[key] = problem
			continue
		}
		whole[key] = value
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return whole, nil
}

// typedReference reads a reference; a name that is given beside the id, as
// decK does, is not kept.
func typedReference(value any) (any, any) {
	record, ok := value.(map[string]any)
	if !ok {
		return nil, "expected a record with an id"
	}
	id, ok := record["id"].(string)
	if !ok {
		return nil, map[string]any{"id": "required field missing"}
	}
	if wrong := isUUID(id); wrong != "" {
		return nil, map[string]any{"id": wrong}
	}
	return ReferenceTo(id), nil
}
