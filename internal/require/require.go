// Package require says what tests do where the machine lacks what they need.
package require

import (
	"os"
	"testing"
)

// Cannot skips a test for what the machine cannot give, except in CI, where
// nothing is skipped. why says what is missing and how to get it.
func Cannot(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("SKIPPED: " + why)
}
