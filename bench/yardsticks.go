package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"time"
)

// yardsticks are what this machine can do at best, in this run: the signature
// that every event costs, and the fsync that every promise costs.
func yardsticks() error {
	signature, err := signatureCost()
	if err != nil {
		return err
	}
	report("ed25519_sign_us", signature*1e6, "µs")

	dir, err := os.MkdirTemp("", "trailhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	line := make([]byte, 400)
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return err
	}
	defer file.Close()
	samples := make([]time.Duration, 200)
	for i := range samples {
		start := time.Now()
		if _, err := file.Write(line); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
		samples[i] = time.Since(start)
	}
	report("fsync_ms_p50", milliseconds(percentile(samples, 0.5)), "ms")
	report("fsync_ms_p99", milliseconds(percentile(samples, 0.99)), "ms")
	return nil
}

// signing returns a function that makes one signature of a line's size.
func signing() (sign func(), err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	line := make([]byte, 400)
	return func() { ed25519.Sign(key, line) }, nil
}
