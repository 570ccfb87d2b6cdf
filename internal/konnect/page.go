package konnect

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
)

// cursorPage is the query of a list that is read page by page with cursors.
type cursorPage struct {
	Size   int    `query:"page[size]" minimum:"1" maximum:"1000" default:"100" doc:"How many items a page holds."`
	After  string `query:"page[after]" doc:"The cursor that a previous page gave as next."`
	Before string `query:"page[before]" doc:"The cursor that a page gave as previous."`
}

// CursorPage is cursorPage by a name under which huma sees what it embeds.
type CursorPage = cursorPage

// cursorMeta says where the neighbours of a page are.
type cursorMeta struct {
	First    string  `json:"first" format:"uri-reference"`
	Last     string  `json:"last" format:"uri-reference"`
	Next     *string `json:"next" format:"uri-reference"`
	Previous *string `json:"previous" format:"uri-reference"`
	Size     int     `json:"size"`
}

// end is the cursor after the last item.
const end = "end"

// links make the addresses of a list's pages: at the same path, of the same
// size, and with the same filters, whose values are all that filters holds.
type links struct {
	path    string
	size    int
	filters url.Values
}

func (l links) to(direction, cursor string) string {
	query := url.Values{"page[size]": {strconv.Itoa(l.size)}}
	if direction != "" {
		query.Set(direction, base64.RawURLEncoding.EncodeToString([]byte(cursor)))
	}
	for name, values := range l.filters {
		if values[0] != "" {
			query[name] = values
		}
	}
	return l.path + "?" + query.Encode()
}

// next and previous are the addresses of a page's neighbours.
func (l links) next(cursor string) *string     { to := l.to("page[after]", cursor); return &to }
func (l links) previous(cursor string) *string { to := l.to("page[before]", cursor); return &to }

// cut returns one page of the list, whose items are told apart by their ids.
func cut[T any](c *call, list []T, id func(T) string, p cursorPage, path string) ([]T, cursorMeta, error) {
	return cutWanted(c, list, func(T) bool { return true }, id, p, links{path: path, size: p.Size})
}

// cutWanted returns one page of the items of the list that are wanted. A cursor
// names an item of the whole list: it holds good when that item is changed to
// one that is not wanted any more.
func cutWanted[T any](c *call, list []T, wanted func(T) bool, id func(T) string, p cursorPage, l links) ([]T, cursorMeta, error) {
	var places []int // of those that are wanted
	for i, item := range list {
		if wanted(item) {
			places = append(places, i)
		}
	}
	from, to := 0, min(p.Size, len(places))
	switch {
	case p.After != "" && p.Before != "":
		return nil, cursorMeta{}, twoCursors(c)
	case p.After != "":
		at, ok := seek(list, id, p.After)
		if !ok {
			return nil, cursorMeta{}, unknownCursor(c, "page[after]")
		}
		from, _ = slices.BinarySearch(places, at+1)
		to = min(from+p.Size, len(places))
	case p.Before != "":
		at, ok := seek(list, id, p.Before)
		if !ok {
			return nil, cursorMeta{}, unknownCursor(c, "page[before]")
		}
		to, _ = slices.BinarySearch(places, at)
		from = max(0, to-p.Size)
	}
	page := make([]T, to-from)
	for i, place := range places[from:to] {
		page[i] = list[place]
	}
	meta := cursorMeta{First: l.to("", ""), Last: l.to("page[before]", end), Size: p.Size}
	if to < len(places) && to > 0 {
		meta.Next = l.next(id(list[places[to-1]]))
	}
	if from > 0 && from < len(places) {
		meta.Previous = l.previous(id(list[places[from]]))
	}
	return page, meta, nil
}

func seek[T any](list []T, id func(T) string, cursor string) (int, bool) {
	name, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, false
	}
	if string(name) == end {
		return len(list), true
	}
	at := slices.IndexFunc(list, func(item T) bool { return id(item) == string(name) })
	return at, at >= 0
}

func twoCursors(c *call) error {
	return c.invalid(InvalidParameter{Field: "page[before]", Rule: "invalid", Source: "query",
		Reason: "must not be given together with page[after]"})
}

func unknownCursor(c *call, field string) error {
	return c.invalid(InvalidParameter{Field: field, Rule: "invalid", Source: "query",
		Reason: "the cursor is not one of this list: its item may be gone; begin again at the first page"})
}

// numberedPage is the query of a list whose pages are numbered from 1.
type numberedPage struct {
	Size   int `query:"page[size]" minimum:"1" maximum:"1000" default:"100" doc:"How many items a page holds."`
	Number int `query:"page[number]" minimum:"1" maximum:"1000000" default:"1" doc:"Which page, from 1."`
}

// NumberedPage is numberedPage by a name under which huma sees what it embeds.
type NumberedPage = numberedPage

type numberedMeta struct {
	Page struct {
		Number int `json:"number"`
		Size   int `json:"size"`
		Total  int `json:"total"`
	} `json:"page"`
}

// cutNumbered returns one page of the list.
func cutNumbered[T any](list []T, p numberedPage) ([]T, numberedMeta) {
	var meta numberedMeta
	meta.Page.Number, meta.Page.Size, meta.Page.Total = p.Number, p.Size, len(list)
	from := min((p.Number-1)*p.Size, len(list))
	return list[from:min(from+p.Size, len(list))], meta
}
