package konnect

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/trailhook/trailhook/internal/entity"
	"github.com/trailhook/trailhook/internal/registry"
)

// emptyCoreRoutes serves the lists of kinds that there are none of here: decK
// reads them all, and takes a missing one for an error.
func (a *API) emptyCoreRoutes() {
	for _, kind := range []string{
		"acls", "ai-models", "basic-auths", "ca_certificates", "certificates", "consumer_groups", "degraphql_routes", "filter-chains",
		"hmac-auths", "jwts", "key-sets", "keys", "mtls-auths", "partials", "snis", "targets", "upstreams", "vaults",
	} {
		a.emptyCoreRoute("list-"+strings.ReplaceAll(kind, "_", "-"), "/"+kind, "List "+strings.NewReplacer("_", " ", "-", " ").Replace(kind)+", of which there are none")
	}
	a.emptyCoreRoute("list-graphql-costs", "/services/{serviceId}/graphql-rate-limiting-advanced/costs", "List a service's GraphQL costs, of which there are none")
}

func (a *API) emptyCoreRoute(id, path, summary string) {
	op := coreOperation(id, http.MethodGet, path, summary, http.StatusOK)
	op.Parameters = append(op.Parameters, coreListParameters()...)
	op.Responses["200"].Content = jsonContent(coreListSchema(openObject()))
	a.mountCore(op, registry.List, path, coreCall{}, func(c coreCall) (any, error) {
		_, err := c.listQuery()
		return corePage{Data: []entity.Document{}}, err
	})
}

// coreTagRoutes lists what has a tag.
func (a *API) coreTagRoutes() {
	add := func(id, path, summary string) {
		op := coreOperation(id, http.MethodGet, path, summary, http.StatusOK)
		op.Parameters = append(op.Parameters, coreListParameters()[:2]...)
		text := &huma.Schema{Type: huma.TypeString}
		op.Responses["200"].Content = jsonContent(coreListSchema(closedObject(map[string]*huma.Schema{
			"entity_name": text, "entity_id": {Type: huma.TypeString, Format: "uuid"}, "tag": text,
		})))
		a.mountCore(op, registry.List, path, coreCall{}, a.listTags)
	}
	add("list-tags", "/tags", "List tags and what has them")
	add("list-tagged", "/tags/{tag}", "List what has a tag")
}

func (a *API) listTags(c coreCall) (any, error) {
	query, err := c.listQuery()
	if err != nil {
		return nil, err
	}
	set, _, err := a.Registry.CoreEntities(c.plane)
	if err != nil {
		return nil, err
	}
	only, now := c.PathValue("tag"), time.Now().Unix()
	var list []entity.Document
	for _, kind := range entity.Kinds() {
		for _, d := range set.All(kind) {
			if d.Ended(now) {
				continue
			}
			tags, _ := d["tags"].([]any)
			for _, tag := range tags {
				if only == "" || tag == any(only) {
					list = append(list, entity.Document{"entity_name": kind.Table(), "entity_id": d.ID(), "tag": tag})
				}
			}
		}
	}
	// By id, and by tag within: an offset is the mark of the last one.
	mark := func(d entity.Document) string { return d.Text("entity_id") + d.Text("tag") }
	slices.SortFunc(list, func(a, b entity.Document) int { return strings.Compare(mark(a), mark(b)) })
	list = list[sort.Search(len(list), func(i int) bool { return mark(list[i]) > query.after }):]
	page := corePage{Data: append([]entity.Document{}, list[:min(query.size, len(list))]...)}
	if len(list) > query.size {
		query.leadOn(&page, c.URL.Path, mark(page.Data[query.size-1]))
	}
	return page, nil
}
