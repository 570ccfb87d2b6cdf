package entity

import "slices"

// Type is the type of a field's value.
type Type string

// The types, by the names that Kong's schemas give them.
const (
	String  Type = "string"
	Integer Type = "integer"
	Number  Type = "number"
	Boolean Type = "boolean"
	Array   Type = "array"
	SetOf   Type = "set" // an array in which nothing stands twice
	Map     Type = "map"
	Record  Type = "record"
	Foreign Type = "foreign" // {"id": …} of another entity
)

// Field describes one field of an entity or of a record in it.
type Field struct {
	Name     string
	Type     Type
	Required bool // it is not null once defaults are filled in
	Default  any  // of JSON's types
	OneOf    []string
	Between  []float64 // the least and the greatest number
	LenMin   int
	Elements *Field  // of an array, a set or a map's values
	Keys     *Field  // of a map
	Fields   []Field // of a record
	To       Kind    // what a foreign field refers to; empty: nothing that exists here, so it is null
	Unused   bool    // it is there for clients that send it, and must be null or empty
	check    func(any) string
}

func text(name string, check func(any) string) Field {
	return Field{Name: name, Type: String, check: check}
}

func required(f Field) Field { f.Required = true; return f }

func withDefault(f Field, value any) Field {
	f.Default, f.Required = value, true
	return f
}

func flag(name string, value bool) Field {
	return withDefault(Field{Name: name, Type: Boolean}, value)
}

func integer(name string, least, greatest float64) Field {
	return Field{Name: name, Type: Integer, Between: []float64{least, greatest}}
}

func number(name string, least, greatest float64) Field {
	return Field{Name: name, Type: Number, Between: []float64{least, greatest}}
}

func choice(name string, of ...string) Field { return Field{Name: name, Type: String, OneOf: of} }

func arrayOf(name string, elements Field) Field {
	return Field{Name: name, Type: Array, Elements: &elements}
}

func setOf(name string, elements Field) Field {
	return Field{Name: name, Type: SetOf, Elements: &elements}
}

func foreign(name string, to Kind) Field { return Field{Name: name, Type: Foreign, To: to} }

func unused(name string, t Type) Field { return Field{Name: name, Type: t, Unused: true} }

func texts(values ...string) []any {
	list := make([]any, len(values))
	for i, value := range values {
		list[i] = value
	}
	return list
}

// property finds a field by its name.
func property(fields []Field, name string) (Field, bool) {
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// identity are the fields that every kind begins with.
func identity() []Field {
	return []Field{
		text("id", isUUID),
		integer("created_at", 0, maxTime), integer("updated_at", 0, maxTime),
	}
}

func tagsField() Field { return setOf("tags", text("", isTag)) }

// maxTime is the end of the year 9999, in seconds since the epoch.
const maxTime = 253402300799
