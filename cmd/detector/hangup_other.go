//go:build !unix

package main

// hasTerminal reports whether the process has a terminal that can hang up: here
// that ends a process without a signal.
func hasTerminal() bool { return false }
