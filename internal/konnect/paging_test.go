package konnect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type destinationPage struct {
	Data []destination
	Meta cursorMeta
}

func (w *world) destinationPage(target string) destinationPage {
	w.tb.Helper()
	a := send(w.tb, w.api, request{method: "GET", target: target, token: w.ours.admin()})
	var page destinationPage
	if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 {
		w.tb.Fatalf("GET %s: %d %v: %s", target, a.status, err, a.body)
	}
	return page
}

func (p destinationPage) ids() []string {
	ids := []string{}
	for _, d := range p.Data {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestPagesOfDestinationsHoldEachOnceInBothDirections(t *testing.T) {
	w := newWorld(t)
	var made []string
	check := func(size int) {
		t.Helper()
		start := fmt.Sprintf("/v3/audit-log-destinations?page[size]=%d", size)
		first := w.destinationPage(start)
		if diff := cmp.Diff(first, w.destinationPage(first.Meta.First)); diff != "" {
			t.Errorf("size %d of %d: first leads elsewhere:\n%s", size, len(made), diff)
		}
		if first.Meta.Previous != nil || first.Meta.Size != size {
			t.Errorf("size %d of %d: the first page says %+v", size, len(made), first.Meta)
		}
		forward := first.ids()
		for page := first; page.Meta.Next != nil; {
			page = w.destinationPage(*page.Meta.Next)
			if page.Meta.Previous == nil {
				t.Fatalf("size %d of %d: a later page has no previous", size, len(made))
			}
			if back := w.destinationPage(*page.Meta.Previous); !slices.Equal(back.ids(), forward[len(forward)-size:]) {
				t.Errorf("size %d of %d: previous does not lead back", size, len(made))
			}
			forward = append(forward, page.ids()...)
		}
		if diff := cmp.Diff(made, forward); diff != "" {
			t.Errorf("size %d of %d: forward (-made +read):\n%s", size, len(made), diff)
		}
		last := w.destinationPage(first.Meta.Last)
		if last.Meta.Next != nil {
			t.Errorf("size %d of %d: the last page has a next", size, len(made))
		}
		backward := last.ids()
		for page := last; page.Meta.Previous != nil; {
			page = w.destinationPage(*page.Meta.Previous)
			if page.Meta.Next == nil {
				t.Fatalf("size %d of %d: an earlier page has no next", size, len(made))
			}
			backward = append(page.ids(), backward...)
		}
		if diff := cmp.Diff(made, backward); diff != "" {
			t.Errorf("size %d of %d: backward (-made +read):\n%s", size, len(made), diff)
		}
	}
	made = []string{}
	check(3)
	for i := range 7 {
		made = append(made, w.newDestination(w.ours, fmt.Sprint("destination ", i)))
		w.newDestination(w.theirs, "between")
		if i == 0 {
			check(1)
			check(3)
		}
	}
	// What was made within one millisecond may stand in any order, but in the same each time.
	all := w.destinationPage("/v3/audit-log-destinations").ids()
	if slices.Sort(made); !slices.Equal(made, slices.Sorted(slices.Values(all))) {
		t.Fatalf("listed %v, made %v", all, made)
	}
	made = all
	for _, size := range []int{1, 2, 3, 6, 7, 8, 1000} {
		check(size)
	}
}

func TestACursorLeadsNowhereOnceItsDestinationIsGone(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.newDestination(w.ours, fmt.Sprint(i))
	}
	page := w.destinationPage("/v3/audit-log-destinations?page[size]=2")
	if err := w.registry.DeleteDestination(t.Context(), w.ours.id, page.Data[1].ID); err != nil {
		t.Fatal(err)
	}
	for _, direction := range []string{"page[after]", "page[before]"} {
		target := strings.Replace(*page.Meta.Next, "page%5Bafter%5D", direction, 1)
		a := w.call(request{method: "GET", target: target, token: w.ours.admin()})
		if p := a.problem(t); a.status != 400 || len(p.InvalidParameters) != 1 || p.InvalidParameters[0].Field != direction {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

func TestPagesOfControlPlanesAreNumbered(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.newControlPlane(w.ours, fmt.Sprint(i))
		w.newControlPlane(w.theirs, fmt.Sprint(i))
	}
	seen := map[string]bool{}
	for _, test := range []struct {
		query              string
		number, size, data int
	}{
		{"", 1, 100, 5},
		{"?page[size]=2", 1, 2, 2},
		{"?page[size]=2&page[number]=2", 2, 2, 2},
		{"?page%5Bnumber%5D=3&page%5Bsize%5D=2", 3, 2, 1},
		{"?page[size]=2&page[number]=4", 4, 2, 0},
		{"?page[size]=1000&page[number]=1000000", 1000000, 1000, 0},
	} {
		a := w.call(request{method: "GET", target: "/v2/control-planes" + test.query, token: w.ours.admin()})
		var got struct {
			Data []controlPlane
			Meta numberedMeta
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %v", test.query, a.status, err)
		}
		page := got.Meta.Page
		if page.Number != test.number || page.Size != test.size || page.Total != 5 || len(got.Data) != test.data || got.Data == nil {
			t.Errorf("%s: %d items, %+v", test.query, len(got.Data), page)
		}
		if page.Size == 2 {
			for _, cp := range got.Data {
				if seen[cp.ID] {
					t.Errorf("%s: %s was on another page", test.query, cp.Name)
				}
				seen[cp.ID] = true
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("the pages hold %d of 5", len(seen))
	}
}
