package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"

	"github.com/trailhook/trailhook/audit"
)

// wantAsVerify holds VerifyAll against Verify, line by line.
func wantAsVerify(t interface {
	Helper()
	Errorf(string, ...any)
}, keys *audit.KeySet, lines [][]byte, likely string) (valid int) {
	t.Helper()
	before := make([][]byte, len(lines))
	for i := range lines {
		before[i] = bytes.Clone(lines[i])
	}
	got := keys.VerifyAll(lines, likely)
	if len(got) != len(lines) {
		t.Errorf("%d verdicts on %d lines", len(got), len(lines))
		return 0
	}
	for i, line := range lines {
		verdict, keyID := keys.Verify(before[i])
		if got[i] != (audit.Verification{Verdict: verdict, KeyID: keyID}) {
			t.Errorf("line %d: %v by %q together, %v by %q alone: %s", i, got[i].Verdict, got[i].KeyID, verdict, keyID, line)
		}
		if verdict == audit.Valid {
			valid++
		}
		if !bytes.Equal(line, before[i]) {
			t.Errorf("line %d was changed", i)
		}
	}
	return valid
}

func TestLinesGetTheVerdictTogetherThatTheyGetAlone(t *testing.T) {
	sets := map[string]*audit.KeySet{"nil": nil}
	for name, keys := range map[string][]ed25519.PublicKey{
		"empty": {}, "one": {publicOf(testKey())},
		"three": {publicOf(otherKey(1)), publicOf(testKey()), publicOf(otherKey(2))},
	} {
		set, err := audit.NewKeySet(keys...)
		if err != nil {
			t.Fatal(err)
		}
		sets[name] = set
	}
	signers := []*audit.Signer{
		audit.NewSigner(testKey()), audit.NewSigner(otherKey(1)), audit.NewSigner(otherKey(2)), audit.NewSigner(otherKey(3)),
	}
	lines := rapid.Custom(func(t *rapid.T) []byte {
		e := fullSamples()[rapid.IntRange(0, 2).Draw(t, "sample")].event
		e.TraceID = rapid.Uint64Range(0, 1000).Draw(t, "trace")
		f := rapid.SampledFrom(formats).Draw(t, "format")
		if rapid.IntRange(0, 9).Draw(t, "unsigned") == 0 {
			return encode(f, e)
		}
		line := rapid.SampledFrom(signers).Draw(t, "signer").AppendLine(nil, f, &e)
		if rapid.IntRange(0, 4).Draw(t, "changed") == 0 {
			line[rapid.IntRange(0, len(line)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		return line
	})
	rapid.Check(t, func(t *rapid.T) {
		set := sets[rapid.SampledFrom([]string{"nil", "empty", "one", "three", "three"}).Draw(t, "set")]
		likely := rapid.SampledFrom([]string{"", "unknown", signers[0].KeyID(), signers[1].KeyID(), signers[2].KeyID()}).Draw(t, "likely")
		wantAsVerify(t, set, rapid.SliceOfN(lines, 0, 40).Draw(t, "lines"), likely)
	})
}

func TestOneBadLineInManyBatchesIsFound(t *testing.T) {
	signer := audit.NewSigner(testKey())
	e := fullSamples()[2].event
	var lines [][]byte
	for i := range 1000 {
		e.TraceID = uint64(i) + 1
		lines = append(lines, signer.AppendLine(nil, audit.CEF, &e))
	}
	lines[700][40] ^= 1
	if valid := wantAsVerify(t, testKeys(t), lines, ""); valid != len(lines)-1 {
		t.Errorf("%d of %d are valid", valid, len(lines))
	}
}

// Signatures that implementations of Ed25519 disagree about: what counts is
// that ours agrees with itself, in whatever company a line comes.
func TestOddSignaturesGetTheSameVerdictInAnyCompany(t *testing.T) {
	odd := oddKeys(t)
	keys, err := audit.NewKeySet(publicOf(testKey()), odd.mixed)
	if err != nil {
		t.Fatal(err)
	}
	lines := odd.lines(t)
	e := fullSamples()[0].event
	good := audit.NewSigner(testKey()).AppendLine(nil, audit.CEF, &e)
	valid := 0
	for _, line := range lines {
		valid += wantAsVerify(t, keys, [][]byte{line}, "")
		wantAsVerify(t, keys, [][]byte{good, line, good}, "")
	}
	if valid == 0 || valid == len(lines) {
		t.Errorf("%d of %d are valid: the test says little", valid, len(lines))
	}
	many := append(slices.Repeat([][]byte{good}, 120), lines...)
	for range 20 { // the batch draws random numbers
		wantAsVerify(t, keys, lines, "")
		wantAsVerify(t, keys, many, "")
	}
}

// odds makes signatures with points of small order in them.
type odds struct {
	secret *scalar.Scalar
	public *curve.EdwardsPoint // secret times the base
	mixed  ed25519.PublicKey   // the same plus a point of order 8
}

func oddKeys(t *testing.T) odds {
	var o odds
	sum := sha512.Sum512(testKey().Seed())
	sum[0], sum[31] = sum[0]&248, sum[31]&127|64
	o.secret = reduced(t, append(sum[:32], make([]byte, 32)...))
	o.public = onBase(o.secret)
	if !bytes.Equal(compress(o.public), publicOf(testKey())) {
		t.Fatal("the secret is not that of the test key")
	}
	o.mixed = compress(curve.NewEdwardsPoint().Add(o.public, curve.EIGHT_TORSION[1]))
	return o
}

// lines signs one line with each small point added to R and to the key, with
// small and non-canonical points for R, and with an S that is not canonical.
func (o odds) lines(t *testing.T) (lines [][]byte) {
	unsigned := encode(audit.CEF, fullSamples()[0].event)
	nonce := scalar.NewFromUint64(12345)
	zero := scalar.New()
	sign := func(nonce *scalar.Scalar, r, key []byte) []byte {
		digest := sha512.Sum512(bytes.Join([][]byte{r, key, unsigned}, nil))
		s := scalar.New().Mul(reduced(t, digest[:]), o.secret)
		s.Add(s, nonce)
		signature := make([]byte, 64)
		copy(signature, r)
		if err := s.ToBytes(signature[32:]); err != nil {
			t.Fatal(err)
		}
		return signature
	}
	add := func(signature []byte) {
		lines = append(lines, fmt.Appendf(bytes.Clone(unsigned), " sig=%s", base64.RawURLEncoding.EncodeToString(signature)))
	}
	for _, key := range [][]byte{publicOf(testKey()), o.mixed} {
		for _, torsion := range curve.EIGHT_TORSION {
			add(sign(nonce, compress(curve.NewEdwardsPoint().Add(onBase(nonce), torsion)), key))
			add(sign(zero, compress(torsion), key)) // R of small order
		}
		for _, r := range []string{
			"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // the identity, not canonical
			"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 4, not canonical
			"0100000000000000000000000000000000000000000000000000000000000080", // the identity with a sign
			"0200000000000000000000000000000000000000000000000000000000000000", // no point
		} {
			bytesOfR, err := hex.DecodeString(r)
			if err != nil {
				t.Fatal(err)
			}
			add(sign(zero, bytesOfR, key))
		}
	}
	add(addOrder(sign(nonce, compress(onBase(nonce)), publicOf(testKey()))))
	return lines
}

// addOrder adds the group's order to S, which changes its bytes but not its meaning.
func addOrder(signature []byte) []byte {
	order, _ := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	carry := 0
	for i, b := range order {
		sum := int(signature[32+i]) + int(b) + carry
		signature[32+i], carry = byte(sum), sum>>8
	}
	return signature
}

func reduced(t *testing.T, wide []byte) *scalar.Scalar {
	s, err := scalar.NewFromBytesModOrderWide(wide)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func onBase(s *scalar.Scalar) *curve.EdwardsPoint {
	return curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, s)
}

func compress(p *curve.EdwardsPoint) []byte {
	text, _ := curve.NewCompressedEdwardsY().SetEdwardsPoint(p).MarshalBinary()
	return text
}

func BenchmarkVerifyAll(b *testing.B) {
	signer, keys := audit.NewSigner(testKey()), testKeys(b)
	e := fullSamples()[2].event
	lines := make([][]byte, 1000)
	for i := range lines {
		e.TraceID = uint64(i) + 1
		lines[i] = signer.AppendLine(nil, audit.CEF, &e)
	}
	for b.Loop() {
		keys.VerifyAll(lines, "")
	}
}
