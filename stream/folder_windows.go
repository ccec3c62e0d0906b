package stream

import (
	"errors"
	"os"
	"syscall"
)

var errLocked = errors.New("locked by another process")

// What the system says of a file system that takes nothing.
const (
	errReadOnly = syscall.Errno(19)  // ERROR_WRITE_PROTECT
	errNoSpace  = syscall.Errno(112) // ERROR_DISK_FULL
)

// errSharingViolation is ERROR_SHARING_VIOLATION.
const errSharingViolation = syscall.Errno(32)

// lockFile opens a file for this process alone until it is closed: others may
// read it, and see who has it, but not open it for writing. The system closes
// it with the process, so it is never stale.
func lockFile(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err == nil {
		return os.NewFile(uintptr(h), path), nil
	}
	if errors.Is(err, errSharingViolation) {
		return nil, errLocked
	}
	return nil, &os.PathError{Op: "open", Path: path, Err: err}
}

// syncDir does nothing: the system keeps a folder's names by itself.
func syncDir(string) error { return nil }
