//go:build !linux

package jetstream

import "testing"

// smallDisk cannot be made here.
func smallDisk(t *testing.T, _ int) string {
	t.Skip("SKIPPED: a small disk can be mounted on Linux only")
	return ""
}
