//go:build !unix

package main

// runChild is for tests with signals, which there are on unix alone.
func runChild() {}
