package console

import (
	"net/url"
	"slices"
	"strings"
)

// option is an item of a list to choose from.
type option struct {
	Value, Label string
	Selected     bool
}

// enterRegion has the visit's calls go to the region that the address names.
// Empty is the server's own.
func (v *visit) enterRegion() string {
	region := v.query("region")
	if len(region) > 32 || strings.ContainsFunc(region, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }) {
		region = ""
	}
	v.region = region
	return region
}

// regionNames asks for the platform's regions.
func (v *visit) regionNames() ([]string, error) {
	var list struct{ Regions struct{ Stable []string } }
	err := v.get(v.ctx(), platformHalf, "/v3/available-regions", nil, &list)
	return list.Regions.Stable, err
}

// regionOptions are the regions to choose from, the visit's among them. Of the
// server's own its name is known where a call that names none tells it.
func (v *visit) regionOptions(me self) ([]option, error) {
	names, err := v.regionNames()
	if err != nil {
		return nil, err
	}
	own := option{"", "this server's own", v.region == ""}
	if v.region == "" && me.Region != "" {
		own.Label = me.Region + ", " + own.Label
		names = slices.DeleteFunc(names, func(name string) bool { return name == me.Region })
	}
	options := []option{own}
	for _, name := range names {
		options = append(options, option{name, name, name == v.region})
	}
	return options, nil
}

// addressOf is a path with a query of names and values, of which the last of a
// name counts. Those that are empty are left out.
func addressOf(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			query.Del(pairs[i])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// filters is the query of a list's call: names and values, without those that
// are empty.
func filters(pairs ...string) url.Values {
	_, query, _ := strings.Cut(addressOf("", pairs...), "?")
	values, _ := url.ParseQuery(query) // which we have written
	return values
}
