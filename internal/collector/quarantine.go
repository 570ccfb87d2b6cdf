package collector

import (
	"strings"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/search"
)

// Quarantine says which lines of a source are set apart: nothing is dropped,
// but what cannot be trusted is not found among what can. The zero value keeps
// all together.
type Quarantine struct {
	Unverified bool `json:"unverified,omitempty"` // those whose signature is invalid or of an unknown key
	Unsigned   bool `json:"unsigned,omitempty"`   // those without a signature
}

// QuarantineSuffix follows the name of a source in the _source of the lines
// that were set apart.
const QuarantineSuffix = " (quarantine)"

// quarantineID follows its id. Being another source's, lines in quarantine do not
// count as stored already: an event whose key became known is stored in its
// place when it is sent again.
const quarantineID = "/quarantine"

func (q Quarantine) holds(verdict string) bool {
	switch verdict {
	case audit.Valid.String():
		return false
	case audit.Unsigned.String():
		return q.Unsigned
	}
	return q.Unverified
}

// apply moves the record, whose verdict is known, to where the policy has it.
func (q Quarantine) apply(r *search.Record) {
	if q.holds(r.Signature) {
		r.SourceID += quarantineID
		r.Source += QuarantineSuffix
	}
}

func inQuarantine(r *search.Record) bool { return strings.HasSuffix(r.SourceID, quarantineID) }

// reservedName reports whether a source may not have the name, since lines of
// it would pass for lines in quarantine, or for this server's own. Searches do
// not tell upper from lower case.
func reservedName(name string) bool {
	name = search.Fold(name)
	return name == OwnSource || strings.HasSuffix(name, QuarantineSuffix)
}
