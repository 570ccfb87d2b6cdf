package journal

import (
	"fmt"
	"slices"
	"strings"
)

// maxName is how many bytes a name in a subject may have.
const maxName = 128

// Stream names what is followed: the events of one organization in one region
// that belong to one of its portals or, where Portal is empty, to none.
type Stream struct {
	Region, Organization, Portal string
}

// subject returns where the stream's events stand. The names come from
// elsewhere, so they are held against the engine's syntax.
func (s Stream) subject() (string, error) {
	organization, portal := s.Organization, s.Portal
	if organization == "" {
		organization = nobody
	}
	if portal == "" {
		portal = own
	} else if portal == own {
		return "", fmt.Errorf("journal: %q cannot name a portal", portal)
	}
	for _, name := range []string{s.Region, organization, portal} {
		if !isName(name) {
			return "", fmt.Errorf("journal: %q cannot name a region, an organization or a portal", name)
		}
	}
	return subjectPrefix + s.Region + "." + organization + "." + portal, nil
}

// isName reports whether the name can stand in a subject.
func isName(name string) bool {
	return name != "" && len(name) <= maxName && !slices.ContainsFunc([]byte(name), func(c byte) bool {
		return c <= ' ' || c > '~' || c == '.' || c == '*' || c == '>'
	})
}

// streamOf is the stream whose events stand on a subject.
func streamOf(subject string) Stream {
	region, rest, _ := strings.Cut(strings.TrimPrefix(subject, subjectPrefix), ".")
	organization, portal, _ := strings.Cut(rest, ".")
	if portal == own {
		portal = ""
	}
	return Stream{region, organization, portal}
}

// allPortals is the pattern of the subjects of an organization's streams in a
// region: of that which the subject is one of.
func allPortals(subject string) string {
	return subject[:strings.LastIndexByte(subject, '.')] + ".*"
}
