package search

import (
	"regexp"
	"slices"
)

// narrowed has the store look for the regular expressions over lines that stages
// ask for, as it need not give each line for that.
func (s Search) narrowed() Search {
	stages := slices.Clone(s.Query.Stages)
	for i, stage := range stages {
		switch stage := stage.(type) {
		case Where:
			var left []Expression
			for _, x := range allOf(stage.Condition) {
				if !s.narrow(x) {
					left = append(left, x)
				}
			}
			stages[i] = whereAll(left)
		case Assign, ParseAnchor, ParseRegexp, ParseJSON, Timeslice, Fields:
		default:
			s.Query.Stages = stages
			return s
		}
	}
	s.Query.Stages = stages
	return s
}

// narrow takes a condition over, if it is one that a store knows.
func (s *Search) narrow(x Expression) bool {
	match, ok := x.(RegexpMatch)
	if !ok {
		return false
	}
	if of, ok := match.Term.(Column); !ok || of.Name != "_raw" {
		return false
	}
	compiled, err := match.Regexp.compile()
	if err != nil {
		return false
	}
	s.lines = append(slices.Clip(s.lines), compiled)
	return true
}

// allOf are the conditions that must all hold.
func allOf(x Expression) (all []Expression) {
	logic, ok := x.(Logic)
	if !ok || logic.Any {
		return []Expression{x}
	}
	for _, term := range logic.Terms {
		all = append(all, allOf(term)...)
	}
	return all
}

// whereAll is a stage, also where nothing is left to ask: what stages mean depends
// on those beside them.
func whereAll(terms []Expression) Where {
	switch len(terms) {
	case 0:
		return Where{Condition: Constant{truth(true)}}
	case 1:
		return Where{Condition: terms[0]}
	}
	return Where{Condition: Logic{Terms: terms}}
}

// linesMatch says whether each expression matches somewhere in the line, which an
// empty one has not.
func linesMatch(lines []*regexp.Regexp, raw string) bool {
	if len(lines) == 0 {
		return true
	}
	text := Text(raw)
	return raw != "" && !slices.ContainsFunc(lines, func(x *regexp.Regexp) bool { return !x.MatchString(text) })
}
