package audit_test

import (
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func benchmarkFormats(b *testing.B, run func(b *testing.B, f audit.Format, e *audit.Event)) {
	event := fullSamples()[2].event
	for _, f := range formats {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			run(b, f, &event)
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	benchmarkFormats(b, func(b *testing.B, f audit.Format, e *audit.Event) {
		line := audit.AppendUnsigned(nil, f, e)
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			line = audit.AppendUnsigned(line[:0], f, e)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	signer := audit.NewSigner(testKey())
	benchmarkFormats(b, func(b *testing.B, f audit.Format, e *audit.Event) {
		var line []byte
		for b.Loop() {
			line = signer.AppendLine(line[:0], f, e)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	signer := audit.NewSigner(testKey())
	benchmarkFormats(b, func(b *testing.B, f audit.Format, e *audit.Event) {
		line := signer.AppendLine(nil, f, e)
		b.SetBytes(int64(len(line)))
		for b.Loop() {
			if _, err := audit.Decode(line); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	signer, keys := audit.NewSigner(testKey()), testKeys(b)
	benchmarkFormats(b, func(b *testing.B, f audit.Format, e *audit.Event) {
		line := signer.AppendLine(nil, f, e)
		for b.Loop() {
			if verdict, _ := keys.Verify(line); verdict != audit.Valid {
				b.Fatal(verdict)
			}
		}
	})
}
