package stream

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"misstep/internal/require"
)

// TestFolderThatCannotBeUsed: a folder of another user, one on a file system
// that is read only, and one on a full disk say what to do.
func TestFolderThatCannotBeUsed(t *testing.T) {
	if dir := os.Getenv("LOCK_OTHERS"); dir != "" {
		_, err := LockFolder(dir)
		fmt.Printf("<%v>\n", err)
		return
	}
	if os.Geteuid() != 0 {
		require.Cannot(t, "only root can be another user and mount file systems")
	}
	t.Run("another user's", func(t *testing.T) {
		dir, err := os.MkdirTemp("/tmp", "misstep") // reached by everybody, unlike t.TempDir
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		bin := filepath.Join(dir, "bin")
		b, err := os.ReadFile(os.Args[0])
		if err == nil {
			err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(bin, b, 0o755), os.Mkdir(filepath.Join(dir, "data"), 0o700))
		}
		if err != nil {
			t.Fatal(err)
		}
		for folder, want := range map[string]string{
			"data":     "permission denied; it has the mode drwx------; let this user own it, or name another folder",
			"data/sub": "permission denied; let this user own it, or name another folder",
			"new":      "permission denied; let this user own it, or name another folder",
		} {
			child := exec.Command(bin, "-test.run=^TestFolderThatCannotBeUsed$")
			child.Env = append(os.Environ(), "LOCK_OTHERS="+filepath.Join(dir, folder))
			child.Dir = "/"
			child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "<data folder "+filepath.Join(dir, folder)+" cannot be used: ") {
				t.Errorf("%s: %v, %s, want %s", folder, err, out, want)
			}
		}
	})
	for name, c := range map[string]struct {
		options string
		flags   uintptr
		want    string
	}{
		"read only": {"", syscall.MS_RDONLY, "read-only file system; mount its file system for writing, or name another folder"},
		"full":      {"size=4k", 0, "no space left on device; free disk space, or name another folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mount("tmpfs", dir, "tmpfs", c.flags, c.options); err != nil {
				require.Cannot(t, "mount: "+err.Error())
			}
			defer syscall.Unmount(dir, syscall.MNT_DETACH)
			if c.options != "" {
				if err := os.WriteFile(filepath.Join(dir, "full"), make([]byte, 4096), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := LockFolder(dir); err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if c.flags == 0 {
				return
			}
			if _, err := LockFolder(filepath.Join(dir, "new")); err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("a folder to be made: %v, want %s", err, c.want)
			}
		})
	}
}
