//go:build unix

package main

// What a detector says in its log when it has become the owner, and when it has
// not, or is it no longer.
const (
	ownsMessage     = `:"owns the log of steps"`
	standsByMessage = "standing by"
)
