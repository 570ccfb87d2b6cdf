package entity

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Violation says what is wrong with a request on entities, in the words and
// with the codes of Kong's Admin API.
type Violation struct {
	Status  int    // HTTP's
	Code    int    // Kong's
	Name    string // Kong's name of the code
	Message string
	Fields  map[string]any // what is wrong, by field
}

func (v *Violation) Error() string { return v.Message }

func schemaViolation(fields map[string]any) *Violation {
	return &Violation{
		Status: http.StatusBadRequest, Code: 2, Name: "schema violation", Fields: fields,
		Message: describeFields(fields),
	}
}

func describeFields(fields map[string]any) string {
	wrong := flatten("", fields)
	if len(wrong) == 1 {
		return "schema violation (" + wrong[0] + ")"
	}
	return fmt.Sprintf("%d schema violations (%s)", len(wrong), strings.Join(wrong, "; "))
}

func flatten(prefix string, fields map[string]any) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch value := fields[name].(type) {
		case map[string]any:
			list = append(list, flatten(prefix+name+".", value)...)
		case []any:
			for _, message := range value {
				if name == "@entity" {
					list = append(list, fmt.Sprint(message))
				} else if message != nil {
					list = append(list, fmt.Sprintf("%s%s.%v", prefix, name, message))
				}
			}
		default:
			list = append(list, fmt.Sprintf("%s%s: %v", prefix, name, value))
		}
	}
	return list
}

func violationOf(field, message string) *Violation {
	return schemaViolation(map[string]any{field: message})
}

func entityViolation(message string) *Violation {
	return schemaViolation(map[string]any{"@entity": []any{message}})
}

// Invalid is the violation of a request whose field cannot be.
func Invalid(field, message string) *Violation { return violationOf(field, message) }

// InvalidOffset says that an offset is none of the list's.
func InvalidOffset() *Violation {
	return &Violation{Status: http.StatusBadRequest, Code: 7, Name: "invalid offset", Message: "bad offset: it is not one that a page of this list gave"}
}

// InvalidSize says that a page cannot have the size.
func InvalidSize() *Violation {
	return &Violation{Status: http.StatusBadRequest, Code: 9, Name: "invalid size", Message: "size must be an integer between 1 and 1000"}
}

// InvalidTags says that a filter of tags cannot be read.
func InvalidTags() *Violation {
	return &Violation{Status: http.StatusBadRequest, Code: 11, Name: "invalid options", Message: "invalid option (tags: invalid filter syntax)",
		Fields: map[string]any{"tags": "invalid filter syntax"}}
}

// TooMany says that a control plane holds as many entities as it may.
func TooMany(limit int) *Violation {
	return &Violation{Status: http.StatusBadRequest, Code: 2, Name: "schema violation",
		Message: fmt.Sprintf("a control plane holds at most %d entities: delete some first", limit)}
}

// primaryKeyViolation says that there is an entity of the id.
func primaryKeyViolation(id string) *Violation {
	return &Violation{Status: http.StatusBadRequest, Code: 3, Name: "primary key violation",
		Message: fmt.Sprintf("primary key violation on key '{id=%q}'", id), Fields: map[string]any{"id": id}}
}

// uniqueViolation says that another entity has these values.
func uniqueViolation(fields map[string]any) *Violation {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, _ := json.Marshal(fields[name])
		parts = append(parts, name+"="+string(value))
	}
	return &Violation{Status: http.StatusConflict, Code: 5, Name: "unique constraint violation", Fields: fields,
		Message: "UNIQUE violation detected on '{" + strings.Join(parts, ",") + "}'"}
}

// missingReference says that a field refers to nothing.
func missingReference(field string, to Kind, id string) *Violation {
	return &Violation{Status: http.StatusBadRequest, Code: 4, Name: "foreign key violation",
		Message: fmt.Sprintf("the foreign key '{id=%q}' does not reference an existing '%s' entity.", id, to.Table()),
		Fields:  map[string]any{field: map[string]any{"id": id}}}
}

// referenced says that an entity cannot go because another refers to it.
func referenced(k, by Kind) *Violation {
	return &Violation{Status: http.StatusBadRequest, Code: 4, Name: "foreign key violation",
		Message: fmt.Sprintf("an existing '%s' entity references this '%s' entity", by.Table(), k.Table()),
		Fields:  map[string]any{"@referenced_by": by.Table()}}
}
