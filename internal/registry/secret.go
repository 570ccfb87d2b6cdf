package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"

	"github.com/google/uuid"

	"github.com/trailhook/trailhook/audit"
)

// A token is a prefix that says its kind, 43 random characters (256 bits) and
// six that are the CRC-32 of all before them, all of base 62: a secret scanner
// can tell a token from look-alikes without asking us. Only its SHA-256 is
// kept; a fast hash is enough for a secret nobody can guess.
const (
	personalPrefix = "kpat_"
	systemPrefix   = "spat_"
	randomLength   = 43
	checksumLength = 6
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// tokenID finds a token by half of its hash, in the form of a UUID of the kind
// that is free in its contents (RFC 9562, version 8). The other half is compared
// in constant time, so the time of a look-up tells nothing that would help to
// make a token that is found. The id is no secret: of 256 random bits nothing
// can be told from a part of their hash.
func tokenID(hash [sha256.Size]byte) string {
	var id uuid.UUID
	copy(id[:], hash[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// tokenType tells the kind of a well-formed token.
func tokenType(token string) (audit.AuthType, bool) {
	var how audit.AuthType
	switch {
	case strings.HasPrefix(token, personalPrefix):
		how = audit.AuthPAT
	case strings.HasPrefix(token, systemPrefix):
		how = audit.AuthSPAT
	default:
		return "", false
	}
	body, sum := len(token)-checksumLength, checksumLength
	if len(token) != len(personalPrefix)+randomLength+sum || token[body:] != checksum(token[:body]) {
		return "", false
	}
	return how, true
}

func newToken(prefix string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for range randomLength {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(base62)))) // its reader never fails
		b.WriteByte(base62[n.Int64()])
	}
	return b.String() + checksum(b.String())
}

func checksum(text string) string {
	var out [checksumLength]byte
	sum := crc32.ChecksumIEEE([]byte(text))
	for i := range out {
		out[checksumLength-1-i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}
