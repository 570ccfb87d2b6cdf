package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// sentBody is a body as it was sent.
type sentBody struct {
	data   []byte
	zipped bool
}

// receive reads the request's body, if it is not too large and in a coding that
// is known.
func receive(r *http.Request) (b sentBody, err error) {
	switch coding := strings.Join(r.Header.Values("Content-Encoding"), ","); strings.ToLower(strings.TrimSpace(coding)) {
	case "", "identity":
	case "gzip":
		b.zipped = true
	default:
		return b, &refusal{status: http.StatusUnsupportedMediaType, detail: "Send the body with Content-Encoding gzip or identity"}
	}
	if r.ContentLength > MaxBody {
		return b, errBodyTooLarge()
	}
	var buffer bytes.Buffer
	if r.ContentLength > 0 {
		buffer.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(r.Body, MaxBody+1)); err != nil {
		return b, invalid("body", "body", "could not be read to its end")
	}
	if buffer.Len() > MaxBody {
		return b, errBodyTooLarge()
	}
	b.data = buffer.Bytes()
	return b, nil
}

// maxRatio is how much deflate can save at most: 258 bytes by 2 bits.
const maxRatio = 1032

// atMost is what the body can take decompressed.
func (b sentBody) atMost() int {
	if b.zipped {
		return min(MaxBody, maxRatio*len(b.data))
	}
	return len(b.data)
}

func (b sentBody) decompress() ([]byte, error) {
	if !b.zipped {
		return b.data, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(b.data))
	if err != nil {
		return nil, invalid("body", "body", "is not gzip, as Content-Encoding says")
	}
	body, err := io.ReadAll(io.LimitReader(reader, MaxBody+1))
	switch {
	case len(body) > MaxBody:
		return nil, errBodyTooLarge()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, invalid("body", "body", "is cut off: its gzip ends early")
	case err != nil:
		return nil, invalid("body", "body", "is damaged gzip")
	}
	return body, nil
}

func errBodyTooLarge() error {
	return &refusal{status: http.StatusRequestEntityTooLarge,
		detail: fmt.Sprintf("The body must not be larger than %d bytes, as sent and decompressed: send the events in several requests", MaxBody)}
}
