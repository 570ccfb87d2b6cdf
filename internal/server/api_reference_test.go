package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/trailhook/trailhook/internal/sumo"
)

const (
	apiFile = "../../docs/api.md"
	// madeBelow is the line of the page below which it is made; above, people write.
	madeBelow = "<!-- Below this line the page is made: go test ./internal/server -run TheAPIReference -update -->\n"
)

// openAPI is what the reference needs of an OpenAPI document.
type openAPI struct {
	Paths      map[string]map[string]described
	Components struct{ Schemas map[string]schema }
}

// described is an operation.
type described struct {
	Summary     string
	Description string
	Tags        []string
	Permission  string `json:"x-permission"`
	Parameters  []struct{ Name, In string }
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Responses map[string]any
}

type schema struct {
	Ref        string `json:"$ref"`
	Items      *schema
	Properties map[string]any
	Required   []string
}

func TestTheAPIReferenceIsUpToDate(t *testing.T) {
	s := startBoth(t)
	w := httptest.NewRecorder()
	s.platform.handler.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	var document openAPI
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatalf("%v: %.300s", err, w.Body)
	}
	page, err := os.ReadFile(apiFile)
	if err != nil {
		t.Fatal(err)
	}
	written, _, found := strings.Cut(string(page), madeBelow)
	if !found {
		t.Fatalf("%s lacks the line %q", apiFile, madeBelow)
	}
	made := written + madeBelow + platformReference(t, document) + siemReference(s.siem.api.Operations())
	if *update {
		if err := os.WriteFile(apiFile, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
		page = []byte(made)
	}
	if diff := gocmp.Diff(string(page), made); diff != "" {
		t.Errorf("make it anew with go test ./internal/server -update (-written +made):\n%s", diff)
	}
}

// platformReference writes a table for each group of operations.
func platformReference(t *testing.T, document openAPI) string {
	rows := map[string][]string{}
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			op, ok := document.Paths[path][method]
			if !ok {
				continue
			}
			if op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s: summary %q, tags %v", method, path, op.Summary, op.Tags)
				continue
			}
			rows[op.Tags[0]] = append(rows[op.Tags[0]], fmt.Sprintf("| `%s` `%s` | %s | %s | %s | %s |\n",
				strings.ToUpper(method), path, op.Summary, cmp.Or(op.Permission, "no token"), document.takes(op), answersOf(op)))
		}
	}
	var page strings.Builder
	page.WriteString("\n## The platform's endpoints\n")
	for _, tag := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&page, "\n### %s\n\n| call | does | permission | takes | answers |\n| --- | --- | --- | --- | --- |\n", tag)
		for _, row := range rows[tag] {
			page.WriteString(row)
		}
	}
	return page.String()
}

// takes names what an operation takes beside its path: required members of a body
// in bold.
func (d openAPI) takes(op described) string {
	var names []string
	for _, p := range op.Parameters {
		if p.In != "path" {
			names = append(names, "`"+p.Name+"`")
		}
	}
	if len(op.RequestBody.Content) == 0 {
		return strings.Join(names, " ")
	}
	body := d.resolved(op.RequestBody.Content["application/json"].Schema)
	members := slices.Sorted(maps.Keys(body.Properties))
	if len(members) == 0 || len(members) > 12 {
		return strings.Join(append(names, "a body"), " ")
	}
	names = append(names, "body:")
	for _, member := range members {
		name := "`" + member + "`"
		if slices.Contains(body.Required, member) {
			name = "**" + name + "**"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func (d openAPI) resolved(s schema) schema {
	for {
		switch {
		case s.Ref != "":
			s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		case s.Items != nil:
			s = *s.Items
		default:
			return s
		}
	}
}

// answersOf lists the statuses that are the operation's own, without those that
// every call can be answered with.
func answersOf(op described) string {
	everywhere := []string{"429", "500", "503"}
	if op.Permission != "" {
		everywhere = append(everywhere, "401", "403", "404")
	}
	statuses := slices.Sorted(maps.Keys(op.Responses))
	return strings.Join(slices.DeleteFunc(statuses, func(status string) bool { return slices.Contains(everywhere, status) }), " ")
}

// siemReference writes the table of the SIEM's side.
func siemReference(operations []sumo.Operation) string {
	var page strings.Builder
	page.WriteString("\n## The SIEM's endpoints\n\n| call | does | roles | takes | answers |\n| --- | --- | --- | --- | --- |\n")
	for _, op := range operations {
		var roles, takes []string
		for _, role := range op.Roles {
			roles = append(roles, string(role))
		}
		for _, name := range op.Takes {
			takes = append(takes, "`"+name+"`")
		}
		fmt.Fprintf(&page, "| `%s` `%s` | %s | %s | %s | %d |\n", op.Method, op.Path, op.Summary, strings.Join(roles, ", "), strings.Join(takes, " "), op.Status)
	}
	return page.String()
}
