package konnect

import (
	"encoding/base64"
	"net/http"
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

// cut returns one page of the list, whose items are told apart by their ids.
func cut[T any](c *call, list []T, id func(T) string, p cursorPage, path string) ([]T, cursorMeta, error) {
	from, to := 0, min(p.Size, len(list))
	switch {
	case p.After != "":
		at, ok := seek(list, id, p.After)
		if !ok {
			return nil, cursorMeta{}, unknownCursor(c, "page[after]")
		}
		from = min(at+1, len(list))
		to = min(from+p.Size, len(list))
	case p.Before != "":
		at, ok := seek(list, id, p.Before)
		if !ok {
			return nil, cursorMeta{}, unknownCursor(c, "page[before]")
		}
		to = at
		from = max(0, to-p.Size)
	}
	meta := cursorMeta{
		First: link(path, p.Size, "", ""),
		Last:  link(path, p.Size, "page[before]", end),
		Size:  p.Size,
	}
	if to < len(list) && to > 0 {
		next := link(path, p.Size, "page[after]", id(list[to-1]))
		meta.Next = &next
	}
	if from > 0 && from < len(list) {
		previous := link(path, p.Size, "page[before]", id(list[from]))
		meta.Previous = &previous
	}
	return list[from:to], meta, nil
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

func link(path string, size int, direction, id string) string {
	query := url.Values{"page[size]": {strconv.Itoa(size)}}
	if direction != "" {
		query.Set(direction, base64.RawURLEncoding.EncodeToString([]byte(id)))
	}
	return path + "?" + query.Encode()
}

func unknownCursor(c *call, field string) error {
	p := c.invalid(InvalidParameter{Field: field, Rule: "invalid", Source: "query",
		Reason: "the cursor is not one of this list: its item may be gone; begin again at the first page"})
	p.Status = http.StatusBadRequest
	return p
}

// numberedPage is the query of a list whose pages are numbered from 1.
type numberedPage struct {
	Size   int `query:"page[size]" minimum:"1" maximum:"1000" default:"100" doc:"How many items a page holds."`
	Number int `query:"page[number]" minimum:"1" maximum:"1000000" default:"1" doc:"Which page, from 1."`
}

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
