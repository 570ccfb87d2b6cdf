package registry

// Scope names whose events a webhook sends or a replay job sends again: those of
// an organization in a region that belong to one of its portals or, where Portal
// is empty, to none. Its fields are those of the journal's stream.
type Scope struct {
	Region, Organization, Portal string
}

// key is where what there is once for each scope stands in its bucket.
func (s Scope) key() string {
	at := s.Organization + "." + s.Region
	if s.Portal != "" {
		at += "." + s.Portal
	}
	return at
}

// String names the scope within its organization, in errors.
func (s Scope) String() string {
	if s.Portal != "" {
		return "portal " + s.Portal
	}
	return "region " + s.Region
}
