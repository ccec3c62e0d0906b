//go:build !unix

package main

import "time"

var began = time.Now()

// cpuTime is wall time where the system's processor time is not at hand, which
// is right on a machine that does nothing else.
func cpuTime() time.Duration { return time.Since(began) }
