package konnect

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/trailhook/trailhook/internal/registry"
)

// controlPlaneQuery says which control planes are listed, and in what order. The
// syntax of labels and sort is that of the examples in Kong's API description:
// labels=key:value,existing and sort=name,created_at desc.
type controlPlaneQuery struct {
	StrictQuery
	NumberedPage
	ID             string `query:"filter[id][eq]" doc:"The id is this."`
	IDs            string `query:"filter[id][oeq]" doc:"The id is one of these, separated by commas."`
	Name           string `query:"filter[name][eq]" doc:"The name is this."`
	NameContains   string `query:"filter[name][contains]" doc:"This is a part of the name, upper and lower case apart."`
	NameNot        string `query:"filter[name][neq]" doc:"The name is not this."`
	ClusterType    string `query:"filter[cluster_type][eq]" doc:"The cluster type is this."`
	ClusterTypeNot string `query:"filter[cluster_type][neq]" doc:"The cluster type is not this."`
	ClusterTypes   string `query:"filter[cluster_type][oeq]" doc:"The cluster type is one of these, separated by commas."`
	CloudGateway   string `query:"filter[cloud_gateway]" enum:"true,false" doc:"Whether it is a cloud gateway."`
	Labels         string `query:"labels" doc:"Labels that all must be there, separated by commas: name:value, or a name alone, whatever its value."`
	Sort           string `query:"sort" doc:"What to sort by, separated by commas: name, created_at or updated_at, each of which desc may follow. The oldest first unless told otherwise."`
}

// choose returns what the query asks for of a list that is sorted by age.
func (q *controlPlaneQuery) choose(c *call, list []registry.ControlPlane) ([]registry.ControlPlane, error) {
	labels, badLabels := parseLabels(q.Labels)
	order, badSort := parseSort(q.Sort)
	var bad []InvalidParameter
	for _, b := range []*badParameter{badLabels, badSort} {
		if b != nil {
			bad = append(bad, InvalidParameter(*b))
		}
	}
	if bad != nil {
		return nil, c.invalid(bad...)
	}
	id := filter{eq: q.ID, oeq: q.IDs}
	name := filter{eq: q.Name, neq: q.NameNot, contains: q.NameContains}
	clusterType := filter{eq: q.ClusterType, neq: q.ClusterTypeNot, oeq: q.ClusterTypes}
	cloud := filter{eq: q.CloudGateway}
	list = slices.DeleteFunc(slices.Clone(list), func(cp registry.ControlPlane) bool {
		return !id.wants(cp.ID) || !name.wants(cp.Name) || !clusterType.wants(cp.ClusterType) ||
			!cloud.wants(strconv.FormatBool(cp.CloudGateway)) || !labelled(cp, labels)
	})
	slices.SortStableFunc(list, order)
	return list, nil
}

// label is a condition: a label of the name, and of the value if exact.
type label struct {
	name, value string
	exact       bool
}

func parseLabels(text string) (labels []label, bad *badParameter) {
	if text == "" {
		return nil, nil
	}
	for condition := range strings.SplitSeq(text, ",") {
		var l label
		l.name, l.value, l.exact = strings.Cut(strings.TrimSpace(condition), ":")
		if l.name == "" {
			return nil, &badParameter{Field: "labels", Rule: "invalid", Source: "query",
				Reason: "must be names of labels, each with or without :value, separated by commas"}
		}
		labels = append(labels, l)
	}
	return labels, nil
}

func labelled(cp registry.ControlPlane, labels []label) bool {
	for _, l := range labels {
		if value, ok := cp.Labels[l.name]; !ok || l.exact && value != l.value {
			return false
		}
	}
	return true
}

type order func(a, b registry.ControlPlane) int

// orderOf returns the order by one attribute; nil when there is no such.
func orderOf(attribute string) order {
	switch attribute {
	case "name":
		return func(a, b registry.ControlPlane) int { return cmp.Compare(a.Name, b.Name) }
	case "created_at":
		return func(a, b registry.ControlPlane) int { return a.CreatedAt.Compare(b.CreatedAt) }
	case "updated_at":
		return func(a, b registry.ControlPlane) int { return a.UpdatedAt.Compare(b.UpdatedAt) }
	}
	return nil
}

// parseSort reads an order; what it does not tell apart stays as it is.
func parseSort(text string) (order, *badParameter) {
	var orders []order
	for term := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		attribute, direction, _ := strings.Cut(strings.TrimSpace(term), " ")
		by := orderOf(attribute)
		if by == nil {
			return nil, &badParameter{Field: "sort", Rule: "enum", Source: "query",
				Reason: "must be one of name, created_at, updated_at", Choices: []string{"name", "created_at", "updated_at"}}
		}
		switch strings.ToLower(direction) {
		case "", "asc":
			orders = append(orders, by)
		case "desc":
			orders = append(orders, func(a, b registry.ControlPlane) int { return by(b, a) })
		default:
			return nil, &badParameter{Field: "sort", Rule: "invalid", Source: "query", Reason: "desc or asc may follow what to sort by, and nothing else"}
		}
	}
	return func(a, b registry.ControlPlane) int {
		for _, by := range orders {
			if n := by(a, b); n != 0 {
				return n
			}
		}
		return 0
	}, nil
}
