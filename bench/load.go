package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// loaded is what came of one turn of a target.
type loaded struct {
	rate float64 // in requests a second
	took []time.Duration
}

// loader asks one address over connections that it keeps from turn to turn. It
// does little more than write and read, so that it takes as little of the machine
// as it can.
type loader struct {
	request []byte
	conns   []*loadConn
}

// loadConn is a connection that is asked one request after the other.
type loadConn struct {
	net.Conn
	answer *bufio.Reader
}

// newLoader opens the connections.
func newLoader(address string, connections int) (*loader, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	l := &loader{request: []byte("GET " + path + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")}
	for range connections {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			l.close()
			return nil, err
		}
		l.conns = append(l.conns, &loadConn{conn, bufio.NewReaderSize(conn, 16<<10)})
	}
	return l, nil
}

func (l *loader) close() {
	for _, c := range l.conns {
		c.Close()
	}
}

// run asks over all connections for as long as the turn lasts.
func (l *loader) run(ctx context.Context, turn time.Duration) (loaded, error) {
	var (
		begun   = time.Now()
		end     = begun.Add(turn)
		took    = make([][]time.Duration, len(l.conns))
		errs    = make([]error, len(l.conns))
		clients sync.WaitGroup
	)
	for i, c := range l.conns {
		clients.Go(func() { took[i], errs[i] = c.ask(l.request, end) })
	}
	clients.Wait()
	lasted := time.Since(begun).Seconds()
	all := slices.Concat(took...)
	return loaded{float64(len(all)) / lasted, all}, errors.Join(append(errs, ctx.Err())...)
}

func (c *loadConn) ask(request []byte, end time.Time) (took []time.Duration, err error) {
	for begun := time.Now(); begun.Before(end); {
		if _, err := c.Write(request); err != nil {
			return nil, err
		}
		if err := readAnswer(c.answer); err != nil {
			return nil, err
		}
		now := time.Now()
		took = append(took, now.Sub(begun))
		begun = now
	}
	return took, nil
}

// readAnswer reads no more of an answer than it must.
func readAnswer(r *bufio.Reader) error {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("answered %q", line)
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no Content-Length")
	}
	_, err := r.Discard(length)
	return err
}
