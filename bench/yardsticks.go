package main

import "github.com/trailhook/trailhook/internal/loadtest"

// yardsticks reports what this machine can do at best, in this run.
func yardsticks() (loadtest.Yardsticks, error) {
	y, err := loadtest.Measure()
	if err != nil {
		return y, err
	}
	report("ed25519_sign_us", y.Sign, "µs")
	report("fsync_ms_p50", y.FsyncP50, "ms")
	report("fsync_ms_p99", y.FsyncP99, "ms")
	return y, nil
}
