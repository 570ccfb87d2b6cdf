package collector

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds what a zstd body makes the decoder hold in memory. RFC 8878
// asks decoders for 8 MiB at least.
const maxWindow = 8 << 20

// decodeBody returns the body as it was before its Content-Encoding. Konnect
// documents "application/gzip", which is no registered coding, and some
// senders compress without saying so: what begins as gzip is gzip, unless the
// header names another compression. The caller bounds what is read.
func decodeBody(header string, body []byte) (io.ReadCloser, error) {
	coding := strings.ToLower(strings.TrimSpace(header))
	coding = strings.TrimPrefix(strings.TrimPrefix(coding, "application/"), "x-")
	if len(body) == 0 {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	switch {
	case coding == "zstd":
		decoder, err := zstd.NewReader(bytes.NewReader(body),
			zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("zstd body: %w", err)
		}
		return decoder.IOReadCloser(), nil
	case coding == "deflate" && isZlib(body):
		return zlib.NewReader(bytes.NewReader(body))
	case coding == "deflate":
		return flate.NewReader(bytes.NewReader(body)), nil
	case coding == "gzip", bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		return gzip.NewReader(bytes.NewReader(body))
	case coding == "", coding == "identity":
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	return nil, fmt.Errorf("Content-Encoding %q is not known: send gzip, deflate, zstd or identity", header)
}

// isZlib tells the two things that senders call deflate apart: with the header
// of RFC 1950, as RFC 9110 wants it, and without.
func isZlib(body []byte) bool {
	return len(body) >= 2 && body[0]&0x0f == 8 && (int(body[0])<<8|int(body[1]))%31 == 0
}
