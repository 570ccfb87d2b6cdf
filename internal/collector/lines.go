package collector

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

const (
	// maxLine is the longest line that is taken, in bytes.
	maxLine = 1 << 20
	// groupBytes and groupLines bound one message of the intake; a line that
	// is longer than groupBytes has a message of its own.
	groupBytes = 256 << 10
	groupLines = 2500
)

var newline = []byte{'\n'}

// splitLines reads lines, which end with LF or CR LF or with the body, and
// returns them in groups, separated by LF and otherwise as they are. Empty
// lines are left out.
func splitLines(body io.Reader) (*grouper, error) {
	lines := &grouper{}
	s := splitter{in: bufio.NewReaderSize(body, 64<<10)}
	for {
		line, err := s.next()
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("line %d: %w", lines.lines+1, err)
		}
		lines.add(line)
		if err == io.EOF {
			return lines, nil
		}
	}
}

type splitter struct {
	in   *bufio.Reader
	line []byte
}

// next returns the next line without its end, valid until the next call; with
// io.EOF the last one, which may be empty.
func (s *splitter) next() ([]byte, error) {
	s.line = s.line[:0]
	for {
		piece, err := s.in.ReadSlice('\n')
		s.line = append(s.line, piece...)
		switch {
		case len(s.line) > maxLine+len("\r\n"):
			return nil, errLineTooLong()
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("read the body: %w", err)
		}
		line := trimEnd(s.line)
		if len(line) > maxLine {
			return nil, errLineTooLong()
		}
		return line, err
	}
}

func errLineTooLong() error {
	return fmt.Errorf("%w: it has more than %d bytes", errTooLarge, maxLine)
}

func trimEnd(line []byte) []byte {
	line, ended := bytes.CutSuffix(line, newline)
	if ended {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	}
	return line
}

// grouper gathers lines into groups that are messages of the intake.
type grouper struct {
	closed [][]byte
	open   []byte // the group that is being filled
	inOpen int    // lines in it
	lines  int
	bytes  int
}

// add copies the line, which must not hold a newline.
func (g *grouper) add(line []byte) {
	if len(line) == 0 {
		return
	}
	if g.inOpen == groupLines || g.inOpen > 0 && len(g.open)+1+len(line) > groupBytes {
		g.close()
	}
	if g.inOpen > 0 {
		g.open = append(g.open, '\n')
	}
	g.open = append(g.open, line...)
	g.inOpen++
	g.lines++
	g.bytes += len(line)
}

func (g *grouper) close() {
	if g.inOpen > 0 {
		g.closed = append(g.closed, g.open)
	}
	g.open, g.inOpen = nil, 0
}

// groups ends the gathering.
func (g *grouper) groups() [][]byte {
	g.close()
	return g.closed
}
