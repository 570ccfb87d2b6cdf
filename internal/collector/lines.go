package collector

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// maxLine is the longest line that is taken, in bytes.
	maxLine = 1 << 20
	// maxDecompressed is the longest body that is taken, in bytes after
	// decompression.
	maxDecompressed = 100 << 20
	// groupBytes and groupLines bound one message of the intake; a line that
	// is longer than groupBytes has a message of its own.
	groupBytes = 256 << 10
	groupLines = 2500
)

// errTooLarge is wrapped by what exceeds a limit of the receiver.
var errTooLarge = errors.New("too large")

var newline = []byte{'\n'}

// splitLines reads lines, which end with LF or CR LF or with the body, and
// returns them in groups, separated by LF and otherwise as they are. Empty
// lines are left out. It reads and keeps no more than the limits, whatever the
// body decompresses to.
func splitLines(body io.Reader) (groups [][]byte, lines int, err error) {
	s := splitter{in: bufio.NewReaderSize(body, 64<<10)}
	for {
		line, err := s.next()
		s.add(line)
		if err == io.EOF {
			s.close()
			return s.groups, s.lines, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

type splitter struct {
	in     *bufio.Reader
	read   int // bytes of the body so far
	line   []byte
	groups [][]byte
	open   []byte // the group that is being filled
	inOpen int    // lines in it
	lines  int
}

// next returns the next line without its end, valid until the next call; with
// io.EOF the last one, which may be empty.
func (s *splitter) next() ([]byte, error) {
	s.line = s.line[:0]
	for {
		piece, err := s.in.ReadSlice('\n')
		s.line = append(s.line, piece...)
		s.read += len(piece)
		switch {
		case s.read > maxDecompressed:
			return nil, fmt.Errorf("%w: the body has more than %d bytes after decompression", errTooLarge, maxDecompressed)
		case len(s.line) > maxLine+len("\r\n"):
			return nil, s.lineTooLong()
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("read the body: %w", err)
		}
		line := trimEnd(s.line)
		if len(line) > maxLine {
			return nil, s.lineTooLong()
		}
		return line, err
	}
}

func (s *splitter) lineTooLong() error {
	return fmt.Errorf("%w: line %d has more than %d bytes", errTooLarge, s.lines+1, maxLine)
}

func trimEnd(line []byte) []byte {
	line, ended := bytes.CutSuffix(line, newline)
	if ended {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	}
	return line
}

func (s *splitter) add(line []byte) {
	if len(line) == 0 {
		return
	}
	if s.inOpen == groupLines || s.inOpen > 0 && len(s.open)+1+len(line) > groupBytes {
		s.close()
	}
	if s.inOpen > 0 {
		s.open = append(s.open, '\n')
	}
	s.open = append(s.open, line...)
	s.inOpen++
	s.lines++
}

func (s *splitter) close() {
	if s.inOpen > 0 {
		s.groups = append(s.groups, s.open)
	}
	s.open, s.inOpen = nil, 0
}
