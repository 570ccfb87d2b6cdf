package loadtest

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPercentilesAreThoseOfTheSamplesToOnePercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Map(rapid.Float64Range(0, 34), func(exponent float64) time.Duration {
			return time.Duration(math.Exp2(exponent)) * time.Microsecond
		}), 1, 300).Draw(t, "samples")
		var l latencies
		for _, d := range samples {
			l.add(d)
		}
		slices.Sort(samples)
		for _, p := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
			want := samples[min(max(int(p*float64(len(samples))+0.5), 1), len(samples))-1]
			if got := l.percentile(p); got < want || float64(got) > 1.01*float64(want)+1 {
				t.Fatalf("percentile %v of %v: %v, want %v", p, samples, got, want)
			}
		}
		if l.max != samples[len(samples)-1] || l.total != uint64(len(samples)) {
			t.Fatalf("max %v of %d", l.max, l.total)
		}
	})
}

func TestOfNoSamplesThereIsNothingToTell(t *testing.T) {
	if got := new(latencies).summary(); got != (Latency{}) {
		t.Errorf("%+v", got)
	}
}

func TestTimesBeyondAllBucketsAreCounted(t *testing.T) {
	var l latencies
	l.add(-time.Second)
	l.add(math.MaxInt64)
	if got := l.summary(); got.Samples != 2 || l.percentile(0.01) != 0 {
		t.Errorf("%+v", got)
	}
}
