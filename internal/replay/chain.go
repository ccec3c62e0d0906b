package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"

	"misstep/internal/intake"
	"misstep/stream"
)

// part is the log of one input.
type part interface {
	Read(ctx context.Context, dst []stream.Record) (int, error)
	// Locate says where a record stands: which line or value of its file.
	Locate(offset int64) (file string, n int64)
	// Progress gives how many bytes of the input were read.
	Progress() (done, total int64)
	Close() error
}

// Chain is the one log that all inputs make, one after the other: a trajectory
// may begin in one file and end in the next. Each input is opened when its turn
// comes. An engine reads it; Locate and Progress may be called by any
// goroutine.
type Chain struct {
	inputs  []Input
	gap     func(from, to int64)
	refuse  func(file string, r intake.Refusal)
	current atomic.Pointer[opened]
	before  atomic.Int64 // bytes of the inputs that are done

	mu    sync.Mutex
	parts []*opened
}

// opened is a part that was begun, and the offset of its first record.
type opened struct {
	part
	name string
	base int64
	next int64 // offset of its next record, without base
}

// NewChain gives the log. refuse is told of what a reader of another format
// than step events could not take, by the goroutine that reads.
func NewChain(in *Inputs, refuse func(file string, r intake.Refusal)) *Chain {
	return &Chain{inputs: in.Files, gap: in.missing.found, refuse: refuse}
}

// Source names the log in origins.
func (c *Chain) Source() string { return "replay" }

// Partition is 0: all inputs are one partition.
func (c *Chain) Partition() int32 { return 0 }

// Read implements stream.Log.
func (c *Chain) Read(ctx context.Context, dst []stream.Record) (int, error) {
	for {
		p := c.current.Load()
		if p == nil {
			var err error
			if p, err = c.open(); err != nil {
				return 0, err
			}
		}
		n, err := p.Read(ctx, dst)
		if n > 0 {
			p.next = dst[n-1].Offset + 1
			if p.base > 0 {
				for i := range dst[:n] {
					dst[i].Offset += p.base
				}
			}
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			if err != nil && ctx.Err() == nil {
				return 0, fmt.Errorf("%s: %w", p.name, err)
			}
			return 0, err
		}
		if err := c.leave(p); err != nil {
			return 0, err
		}
	}
}

// open begins the next input; io.EOF when there is none.
func (c *Chain) open() (*opened, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.parts) == len(c.inputs) {
		return nil, io.EOF
	}
	in := &c.inputs[len(c.parts)]
	p := &opened{name: in.Name}
	if n := len(c.parts); n > 0 {
		p.base = c.parts[n-1].base + c.parts[n-1].next
	}
	var err error
	if p.part, err = in.open(c.gap, func(r intake.Refusal) { c.refuse(in.Name, r) }); err != nil {
		return nil, err
	}
	c.parts = append(c.parts, p)
	c.current.Store(p)
	return p, nil
}

func (c *Chain) leave(p *opened) error {
	done, _ := p.Progress()
	c.before.Add(done)
	c.current.Store(nil)
	return p.Close()
}

// open gives the log of one input.
func (in *Input) open(gap func(from, to int64), refuse func(intake.Refusal)) (part, error) {
	if in.nats != nil {
		return in.nats.open(in.Name, gap)
	}
	if in.kafka != nil {
		return in.kafka.open(in.Name, gap)
	}
	if in.Format == intake.Steps {
		if in.stdin != nil {
			return stream.OpenReader(stream.FileOptions{Source: in.Name}, in.stdin), nil
		}
		return stream.OpenFiles(stream.FileOptions{}, in.path)
	}
	name := filepath.Base(in.Name)
	if in.Name == "-" {
		name = "stdin"
	}
	return openReader(in, func(r io.Reader) intake.Reader {
		if in.Format == intake.Traces {
			return intake.NewOTLP(r, refuse)
		}
		return intake.NewChat(r, name, refuse)
	})
}

// Locate says which file an offset is in, and which of its lines or values it
// is, counted from 1.
func (c *Chain) Locate(offset int64) (file string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.parts) - 1; i >= 0; i-- {
		if p := c.parts[i]; offset >= p.base {
			_, n = p.Locate(offset - p.base)
			return p.name, n
		}
	}
	return c.Source(), offset + 1
}

// Done gives how many bytes of the inputs have been read.
func (c *Chain) Done() int64 {
	n := c.before.Load()
	if p := c.current.Load(); p != nil {
		done, _ := p.Progress()
		n += done
	}
	return n
}

// Close ends the reading.
func (c *Chain) Close() error {
	if p := c.current.Load(); p != nil {
		return p.Close()
	}
	return nil
}
