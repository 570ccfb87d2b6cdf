package registry

import (
	"maps"
	"regexp"
	"slices"
)

// labelText is what Konnect takes as the name and the value of a label:
// at most maxLabel characters of the pattern that its API description gives.
var labelText = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?$`)

const maxLabel = 63

// checkLabels says which of the labels, in the order of their names, is the
// first that cannot be.
func checkLabels(labels map[string]string) error {
	const must = " has 1 to 63 of the characters a-z A-Z 0-9 - . _ and begins and ends with a letter or a digit"
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if !isLabel(name) {
			return &InvalidError{"labels." + name, "is_label", "a label's name" + must}
		}
		if !isLabel(labels[name]) {
			return &InvalidError{"labels." + name, "is_label", "a label's value" + must}
		}
	}
	return nil
}

func isLabel(text string) bool { return len(text) <= maxLabel && labelText.MatchString(text) }
