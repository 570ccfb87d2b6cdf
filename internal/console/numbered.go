package console

import (
	"net/url"
	"strconv"
)

// rowsOnPage is how many rows pages of lists show.
const rowsOnPage = 25

// numbered is a list of the platform's, whose pages have numbers from 1.
type numbered[T any] struct {
	Data []T
	Meta struct {
		Page struct{ Number, Size, Total int }
	}
}

// pages is where a page of a list stands among the others.
type pages struct {
	Number, Count, Total int
	Previous, Next       string // addresses; empty: there is none
}

// listPage reads the page of a list that the address asks for. A page beyond the
// last, whose rows are gone meanwhile, is the last one.
func listPage[T any](v *visit, path string, query url.Values, at func(page string) string) ([]T, pages, error) {
	wanted, err := strconv.Atoi(v.query("page"))
	if err != nil || wanted < 1 || wanted > 1_000_000 {
		wanted = 1
	}
	for {
		var list numbered[T]
		query.Set("page[size]", strconv.Itoa(rowsOnPage))
		query.Set("page[number]", strconv.Itoa(wanted))
		if err := v.get(v.ctx(), platformHalf, path, query, &list); err != nil {
			return nil, pages{}, err
		}
		p := pages{Number: wanted, Total: list.Meta.Page.Total}
		p.Count = max(1, (p.Total+rowsOnPage-1)/rowsOnPage)
		if wanted > p.Count {
			wanted = p.Count
			continue
		}
		if wanted > 1 {
			p.Previous = at(pageText(wanted - 1))
		}
		if wanted < p.Count {
			p.Next = at(pageText(wanted + 1))
		}
		return list.Data, p, nil
	}
}

// pageText is the number as an address has it: the first page's has none.
func pageText(number int) string {
	if number == 1 {
		return ""
	}
	return strconv.Itoa(number)
}
