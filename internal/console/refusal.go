package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// refusal is what is wrong with a form that the API did not take: of single
// fields, and of what no field is the cause of.
type refusal struct {
	Errors  map[string]string
	Problem *problem
	status  int
}

// refusalOf says what an error means for a form with these fields. An error that
// changing the form does not help is returned as it is.
func refusalOf(err error, names ...string) (refusal, error) {
	refused, ok := errors.AsType[*apiError](err)
	if !ok || refused.Status != http.StatusBadRequest && refused.Status != http.StatusConflict {
		return refusal{}, err
	}
	r := refusal{Errors: map[string]string{}, status: refused.Status}
	p := refused.problem()
	p.Fields = nil
	for _, f := range refused.Fields {
		name, _, _ := strings.Cut(f.Field, ".") // labels.env is said of labels
		switch {
		case !slices.Contains(names, name):
			p.Fields = append(p.Fields, f)
		case r.Errors[name] == "":
			r.Errors[name] = reasonText(f)
		}
	}
	if len(r.Errors) == 0 || len(p.Fields) > 0 {
		r.Problem = p
	}
	return r, nil
}

// refuseField is a refusal of our own, of what cannot be made a call of.
func refuseField(name, reason string) refusal {
	return refusal{Errors: map[string]string{name: reason}, status: http.StatusBadRequest}
}

// reasonText is what the API says of a value, as a sentence.
func reasonText(f fieldError) string {
	reason := f.Reason
	switch {
	case strings.HasPrefix(reason, "must match the pattern ") && f.Field == "name":
		reason = "it begins and ends with a letter or a digit; between them there may be spaces and _ - . ' too"
	case strings.HasSuffix(reason, " is required"), strings.HasPrefix(reason, "must not be shorter than 1 "):
		reason = "this is required"
	}
	if _, label, found := strings.Cut(f.Field, "."); found {
		reason = "label " + label + ": " + reason
	}
	return sentence(reason)
}
