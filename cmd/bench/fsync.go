package main

import (
	"os"
	"time"
)

// fsyncs is how often a second the disk under the temporary folder takes a write
// for good: no commit can be quicker, unless several share one. It is 0 where that
// cannot be tried.
func fsyncs(during time.Duration) float64 {
	file, err := os.CreateTemp("", "herald-bench-fsync")
	if err != nil {
		return 0
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	page, done := make([]byte, 4096), 0
	began := time.Now()
	for ; time.Since(began) < during; done++ {
		if _, err := file.Write(page); err != nil {
			return 0
		}
		if err := file.Sync(); err != nil {
			return 0
		}
	}
	return float64(done) / time.Since(began).Seconds()
}
