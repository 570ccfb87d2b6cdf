package console

import (
	"net/url"
	"strconv"
	"sync"
)

// paged are the parameters of a page of a list that begins at an offset, with one
// item more than it shows.
func paged(offset, size int) url.Values {
	return url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(size + 1)}}
}

// offset is where the page of the list begins that the address asks for.
func (v *visit) offset() int {
	n, err := strconv.Atoi(v.query("offset"))
	if err != nil || n < 0 || n > 1<<30 {
		return 0
	}
	return n
}

// neighbours are the addresses of the pages before and after; empty for none.
func neighbours(path string, offset, size int, more bool) (previous, next string) {
	at := func(offset int) string {
		if offset <= 0 {
			return path
		}
		return path + "?offset=" + strconv.Itoa(offset)
	}
	if offset > 0 {
		previous = at(offset - size)
	}
	if more {
		next = at(offset + size)
	}
	return previous, next
}

// atOnce is how many calls of an API a page makes at a time.
const atOnce = 8

// each does something for the numbers below n, several at a time.
func (v *visit) each(n int, do func(i int)) {
	var running sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range n {
		turns <- struct{}{}
		running.Go(func() {
			defer func() {
				if p := recover(); p != nil { // of this goroutine nobody else does
					v.console.logger.Error("console: a part of a page failed", "panic", p)
				}
				<-turns
			}()
			do(i)
		})
	}
	running.Wait()
}
