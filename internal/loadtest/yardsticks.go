package loadtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Yardsticks are what this machine can do at best, at this time: the signature that
// every event costs, and the fsync that every promise costs. A figure of one
// machine or hour compares with another's as a multiple of them.
type Yardsticks struct {
	Sign     float64 `json:"ed25519_sign_us"` // one Ed25519 signature of 400 bytes, in microseconds
	FsyncP50 float64 `json:"fsync_ms_p50"`    // 400 bytes appended to a file and synced, in milliseconds
	FsyncP99 float64 `json:"fsync_ms_p99"`
}

// yardstickLine is about as long as an audit line, in bytes.
const yardstickLine = 400

// Measure measures the yardsticks, in a fraction of a second. The file is in the
// folder for temporary files.
func Measure() (y Yardsticks, err error) {
	if y.Sign, err = signature(); err != nil {
		return y, err
	}
	syncs, err := fsyncs()
	if err != nil {
		return y, err
	}
	slices.Sort(syncs)
	y.FsyncP50, y.FsyncP99 = milliseconds(syncs[len(syncs)/2]), milliseconds(syncs[len(syncs)*99/100])
	return y, nil
}

func signature() (microseconds float64, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return 0, err
	}
	const signatures = 5000
	line, start := make([]byte, yardstickLine), time.Now()
	for range signatures {
		ed25519.Sign(key, line)
	}
	return float64(time.Since(start).Nanoseconds()) / signatures / 1000, nil
}

func fsyncs() ([]time.Duration, error) {
	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	line, samples := make([]byte, yardstickLine), make([]time.Duration, 200)
	for i := range samples {
		start := time.Now()
		if _, err := file.Write(line); err != nil {
			return nil, err
		}
		if err := file.Sync(); err != nil {
			return nil, err
		}
		samples[i] = time.Since(start)
	}
	return samples, nil
}
