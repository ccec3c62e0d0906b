package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// FolderVersion is the layout of a data folder that this program writes.
const FolderVersion = 1

const (
	lockName    = "LOCK"
	versionName = "VERSION"
)

// FolderInUseError says that another process holds a data folder.
type FolderInUseError struct {
	Dir string
	PID int // of the process that holds it, 0 when it is not known
}

// Error names the folder and its holder.
func (e *FolderInUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("data folder %s is in use by another process; stop it or name another folder", e.Dir)
	}
	return fmt.Sprintf("data folder %s is in use by process %d; stop it or name another folder", e.Dir, e.PID)
}

// FolderVersionError says that a data folder is not of a version that this
// program reads.
type FolderVersionError struct {
	Dir   string
	Found string // content of the file VERSION
}

// Error says what was found and how to mend it.
func (e *FolderVersionError) Error() string {
	if n, err := strconv.Atoi(e.Found); err == nil && n > FolderVersion {
		return fmt.Sprintf("data folder %s has version %d, this program knows versions up to %d; run the newer program that wrote it, or name another folder", e.Dir, n, FolderVersion)
	}
	return fmt.Sprintf("data folder %s: the file %s holds %q, want a number; name another folder, or restore the file", e.Dir, versionName, e.Found)
}

// Folder is a data folder that this process alone uses. It is the ownership of
// whatever is inside: its partitions cannot be read by another process.
type Folder struct {
	dir  string
	file *os.File
	lost chan struct{} // closed by Close

	mu     sync.Mutex
	held   map[partition]chan struct{}      // closed on release
	owner  map[partition]*FolderCheckpoints // that took the partition's checkpoints last
	closed bool
}

// LockFolder makes the folder if it does not exist, and takes it for this
// process until Close or the process's end, however that comes. The error is a
// *FolderInUseError when another process has it, and a *FolderVersionError when
// it is of a version that this program does not know.
func LockFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, folderError(dir, err)
	}
	path := filepath.Join(dir, lockName)
	file, err := lockFile(path)
	if errors.Is(err, errLocked) {
		return nil, &FolderInUseError{Dir: dir, PID: lockHolder(path)}
	}
	if err != nil {
		return nil, folderError(dir, err)
	}
	f := &Folder{dir: dir, file: file, lost: make(chan struct{}), held: map[partition]chan struct{}{}}
	if err := f.begin(); err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, err
	}
	return f, nil
}

// begin checks or writes the version, and says who holds the lock.
func (f *Folder) begin() error {
	path := filepath.Join(f.dir, versionName)
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := writeSynced(path, fmt.Appendf(nil, "%d\n", FolderVersion)); err != nil {
			return folderError(f.dir, err)
		}
	case err != nil:
		return folderError(f.dir, err)
	default:
		if found := strings.TrimSpace(string(b)); found != strconv.Itoa(FolderVersion) {
			return &FolderVersionError{Dir: f.dir, Found: found}
		}
	}
	if err := f.file.Truncate(0); err != nil {
		return folderError(f.dir, err)
	}
	if _, err := fmt.Fprintf(f.file, "%d\n", os.Getpid()); err != nil {
		return folderError(f.dir, err)
	}
	return nil
}

// folderError says what to do about a folder that cannot be used.
func folderError(dir string, err error) error {
	mend := "name another folder"
	switch {
	case errors.Is(err, os.ErrPermission):
		mend = "let this user own it, or name another folder"
		if info, e := os.Stat(dir); e == nil && info.IsDir() {
			mend = fmt.Sprintf("it has the mode %v; %s", info.Mode(), mend)
		}
	case errors.Is(err, errReadOnly):
		mend = "mount its file system for writing, or name another folder"
	case errors.Is(err, errNoSpace):
		mend = "free disk space, or name another folder"
	}
	return fmt.Errorf("data folder %s cannot be used: %w; %s", dir, err, mend)
}

// writeSynced writes a small file so that it is there whole or not at all.
func writeSynced(path string, content []byte) error {
	tmp := path + ".tmp"
	file, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// lockHolder reads who wrote the lock file; 0 when it says nothing sensible,
// as on systems where a locked file cannot be read.
func lockHolder(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

// Dir is the folder's path.
func (f *Folder) Dir() string { return f.dir }

// Acquire waits while another goroutine of this process owns the partition.
func (f *Folder) Acquire(ctx context.Context, source string, number int32) (Claim, error) {
	p := partition{source, number}
	for {
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			return nil, fmt.Errorf("data folder %s is closed", f.dir)
		}
		released, taken := f.held[p]
		if !taken {
			released = make(chan struct{})
			f.held[p] = released
			f.mu.Unlock()
			return &folderClaim{folder: f, part: p, released: released}, nil
		}
		f.mu.Unlock()
		select {
		case <-released:
		case <-f.lost:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close gives the folder up; what was acquired is lost.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	close(f.lost)
	return f.file.Close() // which unlocks
}

type folderClaim struct {
	folder   *Folder
	part     partition
	once     sync.Once
	released chan struct{}
}

func (c *folderClaim) Lost() <-chan struct{} { return c.folder.lost }

func (c *folderClaim) Release() error {
	c.once.Do(func() {
		c.folder.mu.Lock()
		defer c.folder.mu.Unlock()
		delete(c.folder.held, c.part)
		close(c.released)
	})
	return nil
}
