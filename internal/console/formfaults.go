package console

import (
	"errors"
	"net/http"
	"strings"
)

// formFaults is why a form was refused: what is wrong with its fields, by their
// names, and what is wrong with none of them.
type formFaults struct {
	Problem *problem
	At      map[string]string
}

func (f formFaults) any() bool { return f.Problem != nil || len(f.At) > 0 }

// status is that of the answer with the form in it.
func (f formFaults) status() int {
	switch {
	case f.Problem != nil:
		return f.Problem.Status
	case f.any():
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// add says what is wrong with a field.
func (f *formFaults) add(field, reason string) {
	if f.At == nil {
		f.At = map[string]string{}
	}
	if f.At[field] == "" {
		f.At[field] = reason
	}
}

// faultPlace says that a refusal with the words is about the field.
type faultPlace struct{ words, field string }

// refusedForm puts a refusal beside the field that it is about, which the SIEM's
// API tells in words only. An error that is no refusal of what the form holds is
// returned.
func refusedForm(err error, places []faultPlace) (f formFaults, _ error) {
	refused, ok := errors.AsType[*apiError](err)
	if !ok || refused.Status == http.StatusUnauthorized || refused.Status == http.StatusNotFound {
		return f, err
	}
	if refused.Status == http.StatusBadRequest {
		for _, place := range places {
			if strings.Contains(refused.Message, place.words) || place.words == refused.Code {
				f.add(place.field, atField(refused.Message, place.words))
				return f, nil
			}
		}
	}
	f.Problem = refused.problem()
	return f, nil
}

// offered is one of the values of a list to choose from.
type offered struct {
	Value, Label string
	Selected     bool
}

// offer makes a list of pairs of values and labels, one of which is chosen.
func offer(selected string, pairs ...string) []offered {
	var list []offered
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, offered{pairs[i], pairs[i+1], pairs[i] == selected})
	}
	return list
}

// atField is a refusal as it stands beside its field, whose name in the API is not
// that on the page.
func atField(message, words string) string {
	message = strings.TrimPrefix(message, "invalid: ")
	if rest, named := strings.CutPrefix(strings.TrimPrefix(message, "trailhook."), strings.TrimPrefix(words, "trailhook.")+" "); named && strings.Contains(words, ".") {
		message = "this " + rest
	}
	return sentence(message)
}
