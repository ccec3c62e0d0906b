package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

// FolderCheckpoints keeps checkpoints in a data folder:
//
//	checkpoints/SOURCE/PARTITION/HEAD
//	checkpoints/SOURCE/PARTITION/ID/PART
//
// A file is there whole or not at all, and synced before it counts. The
// folder's lock keeps other processes away.
type FolderCheckpoints struct {
	folder *Folder
	mu     sync.Mutex // a head is written by one goroutine at a time
}

const (
	checkpointsName = "checkpoints"
	headName        = "HEAD"
)

// NewFolderCheckpoints keeps checkpoints in a folder until it is closed.
func NewFolderCheckpoints(f *Folder) *FolderCheckpoints { return &FolderCheckpoints{folder: f} }

// Fence takes a partition over from others of this process.
func (c *FolderCheckpoints) Fence(_ context.Context, source string, number int32) error {
	c.folder.mu.Lock()
	defer c.folder.mu.Unlock()
	if c.folder.closed {
		return c.gone()
	}
	if c.folder.owner == nil {
		c.folder.owner = map[partition]*FolderCheckpoints{}
	}
	c.folder.owner[partition{source, number}] = c
	return nil
}

func (c *FolderCheckpoints) gone() error {
	return fmt.Errorf("data folder %s is closed: %w", c.folder.dir, ErrFenced)
}

// owns says whether this owner may write; it must not be asked without cause,
// since it may own no longer as soon as it has returned.
func (c *FolderCheckpoints) owns(source string, number int32) error {
	c.folder.mu.Lock()
	defer c.folder.mu.Unlock()
	owner := c.folder.owner[partition{source, number}]
	switch {
	case c.folder.closed:
		return c.gone()
	case owner != nil && owner != c:
		return ErrFenced
	}
	return nil
}

// dir is the folder of a partition. The source is made a name that every file
// system takes.
func (c *FolderCheckpoints) dir(source string, number int32) string {
	name := AppendPercent([]byte("_"), source, func(b byte) bool {
		return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_'
	})
	return filepath.Join(c.folder.dir, checkpointsName, string(name[:min(len(name), maxName)]), strconv.Itoa(int(number)))
}

// maxName bounds the name of a folder. What names share then is refused by
// their manifests' sources.
const maxName = 200

// Head implements Checkpoints.
func (c *FolderCheckpoints) Head(_ context.Context, source string, number int32) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(c.dir(source, number), headName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	return b, nil
}

// Swing implements Checkpoints.
func (c *FolderCheckpoints) Swing(ctx context.Context, source string, number int32, head []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.owns(source, number); err != nil {
		return err
	}
	return c.write(c.dir(source, number), headName, head)
}

// write makes a file durable as a whole.
func (c *FolderCheckpoints) write(dir, name string, data []byte) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		if err := makeSynced(dir, c.folder.dir); err != nil {
			return err
		}
	}
	if err := writeSynced(filepath.Join(dir, name), data); err != nil {
		return err
	}
	return syncDir(dir)
}

// makeSynced makes a folder below root, which exists, and syncs those that
// name it.
func makeSynced(dir, root string) error {
	if dir == root {
		return nil
	}
	up := filepath.Dir(dir)
	if err := makeSynced(up, root); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(up)
}

// Put implements Checkpoints.
func (c *FolderCheckpoints) Put(ctx context.Context, source string, number int32, id string, part int, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(data) > MaxChunk {
		return fmt.Errorf("part %d of %d bytes is larger than %d", part, len(data), MaxChunk)
	}
	if err := c.owns(source, number); err != nil {
		return err
	}
	dir := filepath.Join(c.dir(source, number), id)
	name := strconv.Itoa(part)
	if have, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
		if !bytes.Equal(have, data) {
			return otherPart(id, part)
		}
		return syncDir(dir) // an earlier Put may have failed just there
	}
	return c.write(dir, name, data)
}

// Get implements Checkpoints.
func (c *FolderCheckpoints) Get(_ context.Context, source string, number int32, id string, part int) ([]byte, error) {
	path := filepath.Join(c.dir(source, number), id, strconv.Itoa(part))
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, noPart(id, part, nil)
	case err != nil:
		return nil, noPart(id, part, err)
	case info.Size() > MaxChunk:
		return nil, noPart(id, part, fmt.Errorf("%d bytes are more than %d", info.Size(), MaxChunk))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, noPart(id, part, err)
	}
	return b, nil
}

// List implements Checkpoints.
func (c *FolderCheckpoints) List(_ context.Context, source string, number int32) ([]string, error) {
	entries, err := os.ReadDir(c.dir(source, number))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoints: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Delete implements Checkpoints.
func (c *FolderCheckpoints) Delete(_ context.Context, source string, number int32, id string) error {
	if err := c.owns(source, number); err != nil {
		return err
	}
	dir := filepath.Join(c.dir(source, number), id)
	// The manifest first: what is left then is an orphan, never a checkpoint
	// with a part missing.
	if err := os.Remove(filepath.Join(dir, strconv.Itoa(ManifestPart))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("checkpoints: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("checkpoints: %w", err)
	}
	return nil
}
