//go:build unix

package main

import "os"

// hasTerminal reports whether the process has a terminal that can hang up.
func hasTerminal() bool {
	f, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	_ = f.Close() // it was only opened
	return true
}
