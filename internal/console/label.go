package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// labelsText writes labels as a form has them: one a line, in the order of their
// names.
func labelsText(labels map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		lines = append(lines, name+": "+labels[name])
	}
	return strings.Join(lines, "\n")
}

// readLabels reads what labelsText writes. What is no label at all is an error
// for the reader of the form; whether a name or a value can be is the API's to
// say.
func readLabels(text string) (map[string]string, error) {
	labels := map[string]string{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		at := strings.IndexAny(line, ":=")
		if at <= 0 {
			return nil, fmt.Errorf("line %d is no label: write its name, a colon and its value, as in env: prod", number)
		}
		name, value := strings.TrimSpace(line[:at]), strings.TrimSpace(line[at+1:])
		if _, twice := labels[name]; twice {
			return nil, fmt.Errorf("line %d has the label %s again: a label has one value", number, name)
		}
		labels[name] = value
	}
	return labels, nil
}

// chip is a label as a list shows it, with the address of what else has it.
type chip struct{ Name, Value, Address string }

func chips(labels map[string]string, at func(label string) string) []chip {
	var list []chip
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, chip{name, labels[name], at(name + ":" + labels[name])})
	}
	return list
}
