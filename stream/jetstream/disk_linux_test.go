package jetstream

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"misstep/internal/require"
)

// smallDisk mounts a file system of so many MiB. That needs rights that not
// everybody has.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		require.Cannot(t, "only root can mount a small disk")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		require.Cannot(t, "mount a small disk: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
