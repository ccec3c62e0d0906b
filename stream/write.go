package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// putTries is how often a part is put before the checkpoint is given up. The
// next one has better luck, and the outputs do not wait for it.
const putTries = 8

// write takes a snapshot to the store and makes it current. It is a goroutine
// of its own for each.
func (e *Engine[E]) write(s *snapshot) {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	unhook := make(chan struct{})
	go func() {
		defer close(unhook)
		select {
		case <-s.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	s.err = e.tryWrite(ctx, s)
	cancel()
	<-unhook
	select {
	case <-s.quit:
		if s.err != nil {
			s.err = s.reason
		}
	default:
	}
	if errors.Is(s.err, ErrFenced) {
		e.cancel(fmt.Errorf("%s/%d: %w", e.source, e.part, s.err))
	}
	e.told(s)
	close(s.done)
}

// told counts a checkpoint and tells of it.
func (e *Engine[E]) told(s *snapshot) {
	t := Taken{
		ID: s.m.ID, Offset: s.m.at().Offset, Bytes: s.m.bytes(), Parts: len(s.m.Chunks),
		Took: time.Since(s.began), Err: s.err,
	}
	c := &e.counters
	switch {
	case s.err == nil:
		t.Cost = s.cost
		c.checkpoints.Add(1)
		c.checkpointBytes.Store(t.Bytes)
		c.checkpointOffset.Store(t.Offset)
		c.checkpointTook.Store(int64(t.Took))
		c.checkpointTime.Store(s.began.UnixNano())
	case errors.Is(s.err, errGivenUp) || e.ctx.Err() != nil:
		return // the engine ends, or takes another one instead
	default:
		c.checkpointFails.Add(1)
	}
	if f := e.opts.Checkpoint.OnTaken; f != nil {
		f(t)
	}
}

func (e *Engine[E]) tryWrite(ctx context.Context, s *snapshot) error {
	if err := e.writeChunks(ctx, s); err != nil {
		return err
	}
	if err := e.step(StepOutputs); err != nil {
		return err
	}
	published := make(chan struct{})
	e.flush.at(s.after, func(context.Context) error { close(published); return nil })
	if err := e.await(ctx, published); err != nil {
		return err
	}
	if err := e.step(StepManifest); err != nil {
		return err
	}
	b, err := seal(&s.m)
	if err != nil {
		return err
	}
	if err := e.put(ctx, s, ManifestPart, b); err != nil {
		return err
	}
	// What is there now cannot be a later owner's: that one would have fenced
	// the swing.
	store := e.opts.Checkpoint.Store
	ids, err := store.List(ctx, e.source, e.part)
	if err != nil {
		return fmt.Errorf("list checkpoints: %w", err)
	}
	swung := make(chan struct{})
	var failed error
	var keep head
	e.flush.at(s.after, func(ctx context.Context) (final error) {
		defer close(swung)
		if final = e.step(StepSwing); final != nil {
			failed = final
			return final
		}
		failed, final = e.flush.swing(ctx, e.flush.head.swung(s.m.ID, s.m.at()), s.sure)
		failed = errors.Join(failed, final)
		keep = e.flush.head
		return final
	})
	// Not ctx: a swing that has begun is not given up.
	if err := e.await(e.ctx, swung); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("make the checkpoint current: %w", failed)
	}
	for _, id := range ids {
		if id == keep.Current || id == keep.Previous {
			continue
		}
		if err := e.step(StepDelete); err != nil {
			return err
		}
		// One that is left is deleted after the next checkpoint.
		if store.Delete(ctx, e.source, e.part, id) != nil {
			break
		}
	}
	return e.step(StepDone)
}

// await waits for the flusher.
func (e *Engine[E]) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-e.flush.done:
	}
	select {
	case <-done:
		return nil
	default:
		return errGivenUp
	}
}

// writeChunks puts the parts as they come, in chunks.
func (e *Engine[E]) writeChunks(ctx context.Context, s *snapshot) error {
	for {
		var part []byte
		var ok bool
		select {
		case part, ok = <-s.parts:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !ok {
			return nil
		}
		signal(s.room)
		for data := range slices.Chunk(part, MaxChunk) {
			if err := e.step(StepChunk); err != nil {
				return err
			}
			if err := e.put(ctx, s, len(s.m.Chunks)+1, data); err != nil {
				return err
			}
			s.m.Chunks = append(s.m.Chunks, chunk{Length: len(data), CRC: checksum(data)})
		}
		s.m.Chunks[len(s.m.Chunks)-1].Last = true
	}
}

func (e *Engine[E]) put(ctx context.Context, s *snapshot, part int, data []byte) error {
	wait := firstBackoff
	for try := 1; ; try++ {
		err := e.opts.Checkpoint.Store.Put(ctx, e.source, e.part, s.m.ID, part, data)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrFenced) || !s.patient && try >= putTries {
			return fmt.Errorf("write part %d of checkpoint %s: %w", part, s.m.ID, err)
		}
		if s.patient {
			e.flush.setErr(err) // nothing goes on until this does
		}
		if err := sleep(ctx, &wait); err != nil {
			return err
		}
	}
}
