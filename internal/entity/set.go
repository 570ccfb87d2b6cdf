package entity

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Set is all the entities of a control plane at one moment. It does not change,
// and is safe for concurrent use. The zero Set is empty.
type Set struct {
	ordered map[Kind][]Document // by id
	byID    map[Kind]map[string]Document
	unique  map[claim]string // the id of who has the value
}

// claim is a value of a field, or of several, that one entity of a kind has.
type claim struct {
	kind         Kind
	field, value string
}

// NewSet makes a set of complete documents.
func NewSet(documents map[Kind][]Document) *Set {
	s := &Set{ordered: map[Kind][]Document{}, byID: map[Kind]map[string]Document{}, unique: map[claim]string{}}
	for _, kind := range Kinds() {
		list := slices.Clone(documents[kind])
		slices.SortFunc(list, func(a, b Document) int { return cmp.Compare(a.ID(), b.ID()) })
		s.ordered[kind] = list
		s.byID[kind] = make(map[string]Document, len(list))
		def := kind.definition()
		for _, d := range list {
			s.byID[kind][d.ID()] = d
			for _, c := range def.claims(kind, d) {
				s.unique[c] = d.ID()
			}
		}
	}
	return s
}

func (def definition) claims(kind Kind, d Document) []claim {
	var list []claim
	for _, field := range def.unique {
		if value := d.Text(field); value != "" {
			list = append(list, claim{kind, field, value})
		}
	}
	if len(def.combine) > 0 {
		list = append(list, claim{kind, "", def.combination(d)})
	}
	return list
}

func (def definition) combination(d Document) string {
	var parts []string
	for _, field := range def.combine {
		parts = append(parts, cmp.Or(d.Reference(field), d.Text(field)))
	}
	text, _ := json.Marshal(parts)
	return string(text)
}

// Len is how many entities there are.
func (s *Set) Len() (n int) {
	for _, list := range s.ordered {
		n += len(list)
	}
	return n
}

// All are the entities of a kind in the order of their ids. The list is shared.
func (s *Set) All(kind Kind) []Document { return s.ordered[kind] }

// Get finds an entity by its id.
func (s *Set) Get(kind Kind, id string) (Document, bool) {
	d, ok := s.byID[kind][id]
	return d, ok
}

// Find finds an entity by its id or, where its kind has one, its name.
func (s *Set) Find(kind Kind, reference string) (Document, bool) {
	if d, ok := s.Get(kind, reference); ok {
		return d, true
	}
	name := kind.definition().name
	if name == "" || reference == "" {
		return nil, false
	}
	return s.Get(kind, s.unique[claim{kind, name, reference}])
}

// Named is a document of the kind with the name that an address gives it.
func (k Kind) Named(given Document, reference string) (Document, error) {
	if isUUID(reference) == "" {
		if id, has := given["id"]; has && id != any(reference) {
			return nil, violationOf("id", "it is not the one of the address")
		}
		return given.With("id", reference), nil
	}
	name := k.definition().name
	if name == "" {
		return nil, violationOf("id", "expected a valid UUID")
	}
	if has, given := given[name]; given && has != any(reference) {
		return nil, violationOf(name, "it is not the one of the address")
	}
	return given.With(name, reference), nil
}

// CheckNew says why a complete document cannot be added, as a [*Violation].
func (s *Set) CheckNew(kind Kind, d Document) error {
	if _, exists := s.Get(kind, d.ID()); exists {
		return primaryKeyViolation(d.ID())
	}
	return s.CheckWrite(kind, d)
}

// CheckWrite says why a complete document cannot be there beside the others, as
// a [*Violation]: it refers to what does not exist, or has what must be unique.
func (s *Set) CheckWrite(kind Kind, d Document) error {
	def := kind.definition()
	for _, field := range def.fields {
		if field.Type != Foreign || field.To == "" {
			continue
		}
		if id := d.Reference(field.Name); id != "" {
			if _, exists := s.Get(field.To, id); !exists {
				return missingReference(field.Name, field.To, id)
			}
		}
	}
	for _, c := range def.claims(kind, d) {
		owner, taken := s.unique[c]
		if !taken || owner == d.ID() {
			continue
		}
		if c.field != "" {
			return uniqueViolation(map[string]any{c.field: c.value})
		}
		fields := map[string]any{}
		for _, field := range def.combine {
			fields[field] = d[field]
		}
		return uniqueViolation(fields)
	}
	return nil
}

// Reference names one entity.
type Reference struct {
	Kind Kind
	ID   string
}

// Removal lists what goes when an entity is deleted: what refers to it first,
// itself last. A [*Violation] says that something keeps it.
func (s *Set) Removal(kind Kind, id string) ([]Reference, error) {
	keeps := kind.definition().keeps
	var list []Reference
	for _, other := range Kinds() {
		for _, field := range other.definition().fields {
			if field.To != kind || field.Type != Foreign {
				continue
			}
			for _, d := range s.ordered[other] {
				if d.Reference(field.Name) != id {
					continue
				}
				if slices.Contains(keeps, other) {
					return nil, referenced(kind, other)
				}
				below, err := s.Removal(other, d.ID())
				if err != nil {
					return nil, err
				}
				list = append(list, below...)
			}
		}
	}
	return append(list, Reference{kind, id}), nil
}
