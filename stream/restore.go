package stream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// newShards makes empty ones.
func newShards[E any](p Program[E], n int) []Shard[E] {
	shards := make([]Shard[E], n)
	for i := range shards {
		shards[i] = p.NewShard()
	}
	return shards
}

// keepOf says which keys are the i-th of n shards' own.
func keepOf(i, n int) func(hash uint64) bool {
	return func(hash uint64) bool { return shardOf(hash, n) == i }
}

// restore puts the engine into the state of the newest checkpoint that is
// intact, the current one if it is, and has the log begin after it. fresh says
// that the state under the present ruleset has no checkpoint yet.
func (e *Engine[E]) restore(ctx context.Context) (fresh bool, err error) {
	e.published, e.suppress = e.flush.last, e.flush.last.any
	if !e.suppress {
		e.published.Offset = -1
	}
	if e.opts.Checkpoint.Store != nil {
		if fresh, err = e.restoreState(ctx); err != nil {
			return false, fmt.Errorf("restore %s/%d: %w", e.source, e.part, err)
		}
	}
	after, known := int64(-1), int64(-1)
	if e.hasLast {
		after, known = e.last, e.last
	}
	if e.flush.last.any {
		known = max(known, e.published.Offset)
	}
	if s, ok := e.opts.Log.(Seeker); ok && known >= 0 {
		err := e.retry(ctx, func() error { return s.Seek(ctx, after, known) })
		if err != nil {
			return false, fmt.Errorf("read %s/%d after offset %d, of which results or a checkpoint hold %d: %w", e.source, e.part, after, known, err)
		}
	}
	return fresh, nil
}

// retry goes on until the error is one that stays.
func (e *Engine[E]) retry(ctx context.Context, do func() error) error {
	wait := firstBackoff
	for {
		err := do()
		if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrAhead) || errors.Is(err, ErrOtherLog) || errors.Is(err, ErrFenced) || ctx.Err() != nil {
			return err
		}
		e.flush.setErr(err)
		if err := sleep(ctx, &wait); err != nil {
			return err
		}
	}
}

func (e *Engine[E]) restoreState(ctx context.Context) (fresh bool, err error) {
	if err := e.step(StepRestore); err != nil {
		return false, err
	}
	e.ck.owner = rand.Text()
	h, hasHead, err := e.readHead(ctx)
	if err != nil {
		return false, err
	}
	m, n, err := e.choose(ctx, h, hasHead)
	if err != nil {
		return false, err
	}
	e.flush.setErr(nil)
	h.Version = formatVersion
	e.again = slices.Clone(h.Advances)
	r := Restored{Offset: -1}
	if m == nil {
		h.Current, h.Previous, h.At, h.From = "", "", advance{Offset: -1, Clock: NoTime}, advance{Offset: -1, Clock: NoTime}
		fresh = true
	} else {
		h.Current, h.Previous, h.At, h.From = m.ID, "", m.at(), m.at()
		e.adopt(m)
		fresh = e.ck.ruleset != string(m.Ruleset)
		r = Restored{ID: m.ID, Offset: m.at().Offset, Ruleset: string(m.Ruleset), Bytes: n}
	}
	e.flush.head = h
	e.counters.advances.Store(h.pending())
	e.again = slices.DeleteFunc(e.again, func(a advance) bool { return !a.after(h.At) })
	if f := e.opts.Checkpoint.OnRestore; f != nil {
		f(r)
	}
	return fresh, nil
}

// identity is the log's, nil when it has none.
func (e *Engine[E]) identity() []byte {
	if l, ok := e.opts.Log.(Identified); ok {
		return []byte(l.Identity())
	}
	return nil
}

// adopt takes over the position of a checkpoint whose state is loaded.
func (e *Engine[E]) adopt(m *manifest) {
	e.hasLast, e.last, e.next, e.clock, e.quiet = m.Applied, m.Offset, m.Next, m.Clock, m.Quiet
	if e.ck.ruleset != string(m.Ruleset) && e.flush.last.any {
		// What is published stands. Of the record that was published last this
		// ruleset might put out something else.
		e.quiet = max(e.quiet, e.published.Offset)
	}
	e.suppress = e.flush.last.any || e.quiet >= 0
	if e.hasLast {
		e.counters.offset.Store(e.last)
		e.counters.clock.Store(e.clock)
	}
	e.counters.checkpointOffset.Store(m.at().Offset)
	e.counters.checkpointBytes.Store(m.bytes())
}

// readHead gives what is current; ok is false when nothing says so.
func (e *Engine[E]) readHead(ctx context.Context) (h head, ok bool, err error) {
	var b []byte
	err = e.retry(ctx, func() (err error) {
		b, err = e.opts.Checkpoint.Store.Head(ctx, e.source, e.part)
		return err
	})
	if err == nil && b != nil {
		err = unseal(b, &h)
	}
	if errors.Is(err, ErrDamaged) {
		e.fellBack(fmt.Errorf("what says which checkpoint is current: %w", err))
		return head{}, false, nil
	}
	return h, b != nil, err
}

// fellBack tells why the engine does not begin where it should.
func (e *Engine[E]) fellBack(reason error) {
	e.counters.fallbacks.Add(1)
	if f := e.opts.Checkpoint.OnFallback; f != nil {
		f(reason)
	}
}

// choose loads the current checkpoint or, when it is not intact, the newest one
// that is: state is a function of the log's beginning, so any is right, and the
// newest saves most. nil: the log is applied from its beginning.
func (e *Engine[E]) choose(ctx context.Context, h head, hasHead bool) (*manifest, int64, error) {
	if h.Current != "" {
		m, err := e.loadManifest(ctx, h.Current)
		if err == nil {
			err = e.load(ctx, m)
		}
		if err == nil {
			return m, m.bytes(), nil
		}
		if !errors.Is(err, ErrDamaged) {
			return nil, 0, err
		}
		e.fellBack(fmt.Errorf("the current checkpoint %s: %w", h.Current, err))
	}
	var ids []string
	err := e.retry(ctx, func() (err error) {
		ids, err = e.opts.Checkpoint.Store.List(ctx, e.source, e.part)
		return err
	})
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, 0, err
	}
	var all []*manifest
	for _, id := range ids {
		if id == h.Current {
			continue
		}
		m, err := e.loadManifest(ctx, id)
		switch {
		case err == nil:
			all = append(all, m)
		case errors.Is(err, ErrOtherLog): // and not current here
			e.fellBack(err)
		case !errors.Is(err, ErrDamaged):
			return nil, 0, err
		}
	}
	slices.SortFunc(all, func(a, b *manifest) int {
		return cmp.Or(cmp.Compare(b.at().Offset, a.at().Offset), cmp.Compare(b.at().Clock, a.at().Clock), cmp.Compare(b.ID, a.ID))
	})
	if !hasHead && len(all) > 0 && (all[0].Applied || e.flush.last.any) { // else the first start was cut off
		e.fellBack(errors.New("nothing says which checkpoint is current; the newest that is intact is taken"))
	}
	for _, m := range all {
		err := e.load(ctx, m)
		if err == nil {
			return m, m.bytes(), nil
		}
		if !errors.Is(err, ErrDamaged) {
			return nil, 0, err
		}
		e.fellBack(fmt.Errorf("checkpoint %s: %w", m.ID, err))
	}
	if e.flush.last.any || h.Current != "" {
		e.fellBack(errors.New("no checkpoint is intact; the log is applied from its beginning"))
	}
	return nil, 0, nil
}

func (e *Engine[E]) loadManifest(ctx context.Context, id string) (*manifest, error) {
	b, err := e.get(ctx, id, ManifestPart)
	if err != nil {
		return nil, err
	}
	return e.readManifest(id, b)
}

// readManifest takes a manifest apart that is of this log.
func (e *Engine[E]) readManifest(id string, b []byte) (*manifest, error) {
	m := new(manifest)
	if err := unseal(b, m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := m.check(id, e.source, e.part); err != nil {
		return nil, err
	}
	if log := e.identity(); len(m.Log) > 0 && len(log) > 0 && !bytes.Equal(m.Log, log) {
		return nil, fmt.Errorf("checkpoint %s at offset %d is of the log %s, this one is %s; remove its results and checkpoints to begin anew with this one: %w",
			id, m.at().Offset, m.Log, log, ErrOtherLog)
	}
	return m, nil
}

func (e *Engine[E]) get(ctx context.Context, id string, part int) (b []byte, err error) {
	err = e.retry(ctx, func() (err error) {
		b, err = e.opts.Checkpoint.Store.Get(ctx, e.source, e.part, id, part)
		return err
	})
	return b, err
}

// load puts the state of a checkpoint into the shards. After an error they are
// empty.
func (e *Engine[E]) load(ctx context.Context, m *manifest) error {
	var part []byte
	loaded := false
	err := func() error {
		for i, c := range m.Chunks {
			if err := e.step(StepLoad); err != nil {
				return err
			}
			b, err := e.get(ctx, m.ID, i+1)
			if err != nil {
				return err
			}
			if len(b) != c.Length || checksum(b) != c.CRC {
				return fmt.Errorf("chunk %d of %d has %d bytes with the checksum %08x, want %d with %08x: %w",
					i+1, len(m.Chunks), len(b), checksum(b), c.Length, c.CRC, ErrDamaged)
			}
			if part = append(part, b...); !c.Last {
				continue
			}
			loaded = true
			if err := e.loadPart(part, e.shards); err != nil {
				return fmt.Errorf("chunk %d of %d: %w: %w", i+1, len(m.Chunks), err, ErrDamaged)
			}
			part = part[:0]
		}
		return nil
	}()
	if err != nil && loaded {
		e.shards = newShards(e.opts.Program, len(e.shards))
	}
	return err
}

// loadPart gives a part of the state to shards.
func (e *Engine[E]) loadPart(part []byte, shards []Shard[E]) error {
	errs := make([]error, len(shards))
	e.onWorkers(func(i int) { errs[i] = shards[i].LoadState(part, keepOf(i, len(shards))) })
	return errors.Join(errs...)
}
