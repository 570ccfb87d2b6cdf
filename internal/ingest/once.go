package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
)

// maxKey is how long an Idempotency-Key may be.
const maxKey = 255

// idempotencyKey returns the header's value; empty when there is none.
func idempotencyKey(header http.Header) (string, error) {
	values := header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	good := len(values) == 1 && len(key) > 0 && len(key) <= maxKey
	for _, c := range []byte(key) {
		good = good && c > ' ' && c < 0x7f
	}
	if !good {
		return "", invalid("header", "Idempotency-Key", fmt.Sprintf("must be one value of 1 to %d visible ASCII characters", maxKey))
	}
	return key, nil
}

// receipt is what is kept of a request with a key.
type receipt struct {
	Request []byte `json:"request"` // its hash
	Answer  answer `json:"answer"`
}

// requestHash tells requests apart. The region belongs to it because the journal
// knows keys by organization: the same body in another region is another request,
// and must not pass for recorded there.
func requestHash(region string, body []byte) []byte {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n", region)
	hash.Write(body)
	return hash.Sum(nil)
}

func (r receipt) encode() []byte {
	data, err := json.Marshal(r)
	if err != nil {
		panic(err) // bytes, a number and JSON of ours can be written
	}
	return data
}

// replay returns the answer of the first request with the key, if it was the
// same as this one.
func (r receipt) replay(first []byte) (answer, error) {
	var kept receipt
	if err := json.Unmarshal(first, &kept); err != nil {
		return answer{}, fmt.Errorf("the receipt of an earlier request is damaged: %w", err)
	}
	if !bytes.Equal(kept.Request, r.Request) {
		return answer{}, &refusal{status: http.StatusConflict,
			detail: "This Idempotency-Key was used for another body or region within 24 hours, and nothing of this one is recorded. Send it with a key of its own"}
	}
	return kept.Answer, nil
}
