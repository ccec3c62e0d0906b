//go:build unix

package stream

import (
	"errors"
	"os"
	"syscall"
)

var errLocked = errors.New("locked by another process")

// What the system says of a file system that takes nothing.
const (
	errReadOnly = syscall.EROFS
	errNoSpace  = syscall.ENOSPC
)

// lockFile opens a file and locks it until it is closed. The lock is the
// system's, so it ends with the process and is never stale.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, &os.PathError{Op: "flock", Path: path, Err: err}
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
