package collector

import (
	"bytes"
	"io"
)

// shortFrame is what every connection may hold of a frame that is incomplete;
// for a longer one it must ask.
const shortFrame = 16 << 10

// A fault is what a connection's framing suffers from, by the metric's label.
type fault string

const (
	outOfStep fault = "out_of_step" // no frame begins where an octet count said that one would
	tooLong   fault = "too_long"    // a frame of more than 1 MiB: kept in pieces
	halfFrame fault = "half"        // the connection ended, or stopped, within a frame: kept as it is
)

// framer cuts a stream of bytes into syslog messages. Each is framed by its
// octet count or ended by LF or NUL, by RFC 6587; which of the two is seen for
// each anew, so that senders may mix them. No byte is dropped but those that
// frame: where the counts are wrong, what is in between is kept as a message,
// and framing goes on where the next one begins.
type framer struct {
	in     io.Reader
	before func() error // called before each read
	long   func() error // called before more than shortFrame bytes are held
	note   func(fault)

	buffer     []byte
	start, end int  // of what is not cut yet
	scanned    int  // bytes from start on that hold no end of a line
	octets     int  // of a counted frame, still to come
	inLine     bool // within a line of which pieces were cut off
	counted    bool // octet counts were used
	lost       bool // since the last frame that began where it had to
}

// next returns the next message that is not empty, valid until the next call.
// After an error of the reader, such as a deadline, it can be called again.
func (f *framer) next() ([]byte, error) {
	for {
		frame, ok := f.cut()
		if !ok {
			if err := f.fill(); err != nil {
				return nil, err
			}
			continue
		}
		if frame = bytes.TrimRight(frame, "\r\n\x00"); len(frame) > 0 {
			return frame, nil
		}
	}
}

// pending tells whether a frame has begun.
func (f *framer) pending() bool { return f.end > f.start }

// rest returns what is left when the stream has ended.
func (f *framer) rest() []byte {
	if f.octets > 0 {
		f.note(halfFrame)
	}
	frame := bytes.TrimRight(f.buffer[f.start:f.end], "\r\n\x00")
	f.start, f.octets = f.end, 0
	return frame
}

// cut takes a frame from the buffer, if a whole one is there.
func (f *framer) cut() (frame []byte, ok bool) {
	for {
		if f.octets > 0 {
			return f.cutCounted()
		}
		if !f.inLine {
			f.skipEnds()
		}
		data := f.buffer[f.start:f.end]
		if len(data) == 0 {
			return nil, false
		}
		if f.inLine || f.scanned > 0 {
			return f.cutLine()
		}
		octets, header, state := octetCount(data)
		switch state {
		case undecided:
			return nil, false
		case isNot:
			if !f.look(data) {
				return nil, false
			}
			return f.cutLine()
		}
		if octets > maxLine {
			f.note(tooLong)
		}
		f.start += header
		f.octets, f.counted, f.lost = octets, true, false
	}
}

func (f *framer) skipEnds() {
	for f.start < f.end && bytes.IndexByte([]byte("\r\n\x00"), f.buffer[f.start]) >= 0 {
		f.start++
	}
}

// look sees whether a frame without a count begins where one must. It is false
// when more bytes would show it.
func (f *framer) look(data []byte) bool {
	if !f.counted || f.lost {
		return true
	}
	switch beginsMessage(data) {
	case undecided:
		return false
	case isNot:
		f.lost = true
		f.note(outOfStep)
	}
	return true
}

func (f *framer) cutCounted() (frame []byte, ok bool) {
	n := min(f.octets, maxLine)
	if f.end-f.start < n {
		return nil, false
	}
	frame = f.buffer[f.start : f.start+n]
	f.start += n
	f.octets -= n
	return frame, true
}

func (f *framer) cutLine() (frame []byte, ok bool) {
	data := f.buffer[f.start:f.end]
	end := f.lineEnd(data)
	switch {
	case end >= 0 && end <= maxLine:
		f.inLine = false
	case len(data) > maxLine:
		if !f.inLine {
			f.note(tooLong)
		}
		f.inLine, end = true, maxLine
	default:
		f.scanned = len(data)
		return nil, false
	}
	f.scanned = 0
	f.start += end
	return data[:end], true
}

// lineEnd is where a line ends: at LF or NUL or, where the counts of a sender
// were wrong, at the next count with a priority behind it.
func (f *framer) lineEnd(data []byte) int {
	const longest = len("1048576 <191>")
	from := max(0, f.scanned-longest)
	for i := from; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\n' || c == 0:
			return i
		case f.lost && i > 0 && c >= '1' && c <= '9' && (data[i-1] < '0' || data[i-1] > '9'):
			if _, header, state := octetCount(data[i:]); state == is && data[i+header] == '<' {
				return i
			}
		}
	}
	return -1
}

// fill reads more.
func (f *framer) fill() error {
	if f.end == len(f.buffer) || f.start == f.end {
		if err := f.makeRoom(); err != nil {
			return err
		}
	}
	if err := f.before(); err != nil {
		return err
	}
	n, err := f.in.Read(f.buffer[f.end:])
	f.end += n
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

func (f *framer) makeRoom() error {
	held := f.end - f.start
	size := len(f.buffer)
	switch {
	case held < size && size > 0: // moving is enough
	case held < shortFrame:
		size = max(firstBuffer, 2*size)
	default:
		if err := f.long(); err != nil {
			return err
		}
		size = maxLine + shortFrame
	}
	buffer := f.buffer
	if size != len(buffer) {
		buffer = make([]byte, size)
	}
	copy(buffer, f.buffer[f.start:f.end])
	f.buffer, f.start, f.end = buffer, 0, held
	return nil
}

// shrink gives back the memory of a long frame, if there is no more need of
// it, and tells whether it did.
func (f *framer) shrink() bool {
	if len(f.buffer) <= shortFrame || f.end-f.start > shortFrame {
		return false
	}
	buffer := make([]byte, shortFrame)
	f.end = copy(buffer, f.buffer[f.start:f.end])
	f.start, f.buffer = 0, buffer
	return true
}

// finding is what the beginning of some bytes shows.
type finding int

const (
	isNot finding = iota
	is
	undecided // more bytes would show it
)

// octetCount reads "123 " where a message follows. A line may begin with a
// number and a space as well, so what follows must look like a message.
func octetCount(data []byte) (octets, header int, _ finding) {
	const digits = 7
	i := 0
	for ; i < len(data) && i <= digits && data[i] >= '0' && data[i] <= '9'; i++ {
		octets = 10*octets + int(data[i]-'0')
	}
	switch {
	case data[0] < '1' || data[0] > '9' || i > digits:
		return 0, 0, isNot
	case i == len(data):
		return 0, 0, undecided
	case data[i] != ' ':
		return 0, 0, isNot
	}
	return octets, i + 1, beginsMessage(data[i+1:])
}

// beginsMessage tells whether data begins as a syslog message does, or as CEF,
// JSON, or a line of Konnect's, which begins with a date.
func beginsMessage(data []byte) finding {
	for _, pattern := range []string{"<d", "CEF:", "{", "dddd-dd-ddT"} {
		n := 0
		for n < len(data) && n < len(pattern) && fits(pattern[n], data[n]) {
			n++
		}
		switch n {
		case len(pattern):
			return is
		case len(data):
			return undecided
		}
	}
	return isNot
}

// fits tells whether a byte is the one in a pattern, where d is any digit.
func fits(pattern, c byte) bool {
	if pattern == 'd' {
		return c >= '0' && c <= '9'
	}
	return pattern == c
}
