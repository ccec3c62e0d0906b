package stream

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// MemoryCheckpoints keeps checkpoints in memory for one owner; Owner gives the
// same store to another.
type MemoryCheckpoints struct{ store *memoryStore }

type memoryStore struct {
	mu    sync.Mutex
	heads map[partition][]byte
	owner map[partition]*MemoryCheckpoints
	parts map[partition]map[string]map[int][]byte
}

// NewMemoryCheckpoints makes an empty store.
func NewMemoryCheckpoints() *MemoryCheckpoints {
	return &MemoryCheckpoints{&memoryStore{
		heads: map[partition][]byte{}, owner: map[partition]*MemoryCheckpoints{}, parts: map[partition]map[string]map[int][]byte{},
	}}
}

// Owner gives the store to another owner, which can fence the others.
func (c *MemoryCheckpoints) Owner() *MemoryCheckpoints { return &MemoryCheckpoints{c.store} }

// Fence takes a partition over.
func (c *MemoryCheckpoints) Fence(_ context.Context, source string, number int32) error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.owner[partition{source, number}] = c
	return nil
}

// Head implements Checkpoints.
func (c *MemoryCheckpoints) Head(_ context.Context, source string, number int32) ([]byte, error) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	return bytes.Clone(c.store.heads[partition{source, number}]), nil
}

// Swing implements Checkpoints.
func (c *MemoryCheckpoints) Swing(ctx context.Context, source string, number int32, head []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	p := partition{source, number}
	if owner := c.store.owner[p]; owner != nil && owner != c {
		return ErrFenced
	}
	c.store.heads[p] = bytes.Clone(head)
	return nil
}

// Put implements Checkpoints.
func (c *MemoryCheckpoints) Put(ctx context.Context, source string, number int32, id string, part int, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(data) > MaxChunk {
		return fmt.Errorf("part %d of %d bytes is larger than %d", part, len(data), MaxChunk)
	}
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	p := partition{source, number}
	if c.store.parts[p] == nil {
		c.store.parts[p] = map[string]map[int][]byte{}
	}
	if c.store.parts[p][id] == nil {
		c.store.parts[p][id] = map[int][]byte{}
	}
	if have, ok := c.store.parts[p][id][part]; ok {
		if !bytes.Equal(have, data) {
			return otherPart(id, part)
		}
		return nil
	}
	c.store.parts[p][id][part] = bytes.Clone(data)
	return nil
}

// otherPart refuses to write over a part.
func otherPart(id string, part int) error {
	return fmt.Errorf("part %d of checkpoint %s is there already, with other content", part, id)
}

// Get implements Checkpoints.
func (c *MemoryCheckpoints) Get(_ context.Context, source string, number int32, id string, part int) ([]byte, error) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	b, ok := c.store.parts[partition{source, number}][id][part]
	if !ok {
		return nil, noPart(id, part, nil)
	}
	return bytes.Clone(b), nil
}

// noPart tells of a part that cannot be had.
func noPart(id string, part int, err error) error {
	if err == nil {
		return fmt.Errorf("part %d of checkpoint %s is not there: %w", part, id, ErrDamaged)
	}
	return fmt.Errorf("part %d of checkpoint %s: %w: %w", part, id, err, ErrDamaged)
}

// List implements Checkpoints.
func (c *MemoryCheckpoints) List(_ context.Context, source string, number int32) ([]string, error) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	return slices.Sorted(maps.Keys(c.store.parts[partition{source, number}])), nil
}

// Delete implements Checkpoints.
func (c *MemoryCheckpoints) Delete(_ context.Context, source string, number int32, id string) error {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	delete(c.store.parts[partition{source, number}], id)
	return nil
}
