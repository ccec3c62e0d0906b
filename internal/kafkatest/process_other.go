//go:build !linux

package kafkatest

import "os/exec"

// tie does nothing here: a broker whose starter is killed stays.
func tie(*exec.Cmd) {}
