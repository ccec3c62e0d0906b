package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// End says what becomes of open state at the end of a finite log.
type End uint8

// The policies for the end of a log.
const (
	// EndOpen leaves everything open: the log may go on later.
	EndOpen End = iota
	// EndIdle closes everything, as if the partition had been idle for good.
	// What that puts out belongs to the log's last record.
	EndIdle
)

// Options say what an engine runs. Program, Log and Results are required.
type Options[E any] struct {
	Program Program[E]
	Log     Log     // closed by its opener, not by the engine
	Results Results // the primary: it holds the engine back
	// Ownership is asked before anything is read; nil when nobody else can
	// read the partition.
	Ownership Ownership
	// Shards is the number of state machines that the keys are spread over,
	// each with a goroutine. It does not change the output. 0 means one for
	// each processor that Go may use.
	Shards int
	// BatchRecords is how many records are asked of the log at a time. It does
	// not change the output. 0 means DefaultBatchRecords.
	BatchRecords int
	End          End
	// Checkpoint says how the state is kept, so that a restart does not apply
	// the log from its beginning.
	Checkpoint Checkpointing
	// Tap is called with outputs after the primary took them, in order, each
	// once, by one goroutine at a time. The slice is valid during the call.
	Tap func(outs []Output)
}

// DefaultBatchRecords is how many records an engine reads at a time.
const DefaultBatchRecords = 1024

// Engine runs a program over one partition as one state machine in log order.
// For the same log it puts out the same outputs with the same origins, whatever
// its number of shards, its batches, or the restarts in between.
type Engine[E any] struct {
	opts   Options[E]
	source string
	part   int32

	clock   int64 // log clock after the last record
	last    int64 // offset of the last record
	hasLast bool
	skipped int64 // offset of the last record that a restored state had applied already
	next    int32 // index of the next output of the last record

	published published // what the primary held when Run began
	quiet     int64     // outputs of records up to this offset belong to another ruleset and are not wanted; -1 for none
	suppress  bool      // published or quiet counts

	workers []*worker[E]
	shards  []Shard[E]
	round   round[E]

	roundBytes, inlineBytes int // see defaultRoundBytes; smaller in tests

	recs   []Record
	clocks []int64
	refs   []ref
	outs   []Output
	flush  *flusher

	ck       checkpointer
	again    []advance // advances of an earlier run that are not applied again yet
	switches chan change[E]
	demands  chan chan error // checkpoints that are asked for
	ctx      context.Context // of Run
	cancel   context.CancelCauseFunc
	writers  sync.WaitGroup

	mu       sync.Mutex
	owned    bool // Run owns the partition, and the program is its own
	started  atomic.Bool
	running  atomic.Bool
	ended    chan struct{} // Run has returned
	counters counters
}

// New makes an engine, with an empty state. It starts nothing.
func New[E any](opts Options[E]) (*Engine[E], error) {
	switch {
	case opts.Program == nil:
		return nil, errors.New("engine: Options.Program is missing")
	case opts.Log == nil:
		return nil, errors.New("engine: Options.Log is missing")
	case opts.Results == nil:
		return nil, errors.New("engine: Options.Results is missing")
	case opts.Shards < 0:
		return nil, fmt.Errorf("engine: Options.Shards is %d, want 0 or more", opts.Shards)
	case opts.BatchRecords < 0:
		return nil, fmt.Errorf("engine: Options.BatchRecords is %d, want 0 or more", opts.BatchRecords)
	}
	if opts.Shards == 0 {
		opts.Shards = runtime.GOMAXPROCS(0)
	}
	if opts.BatchRecords == 0 {
		opts.BatchRecords = DefaultBatchRecords
	}
	e := &Engine[E]{
		opts:   opts,
		source: opts.Log.Source(),
		part:   opts.Log.Partition(),
		clock:  NoTime,
		quiet:  -1,
		recs:   make([]Record, opts.BatchRecords),
		clocks: make([]int64, opts.BatchRecords),

		roundBytes:  defaultRoundBytes,
		inlineBytes: defaultInlineBytes,

		switches: make(chan change[E]),
		demands:  make(chan chan error),
		ended:    make(chan struct{}),
	}
	e.opts.Checkpoint = opts.Checkpoint.withDefaults()
	e.ck.ruleset = opts.Checkpoint.Ruleset
	e.flush = newFlusher(opts.Results, opts.Tap, e.source, e.part, &e.counters)
	e.flush.store, e.flush.step = opts.Checkpoint.Store, e.step
	e.counters.offset.Store(-1)
	e.counters.clock.Store(NoTime)
	e.counters.checkpointOffset.Store(-1)
	e.shards = newShards(opts.Program, opts.Shards)
	for range opts.Shards {
		e.workers = append(e.workers, newWorker(opts.Program.NewDecoder(), opts.Shards))
	}
	return e, nil
}

// Run reads the log until it ends, ctx ends or the partition is lost, and
// returns after every output of a log that ended is durable. It can be called
// once.
//
// The error is nil at the end of a finite log, ctx's cause when ctx ended,
// ErrLost or ErrFenced when another process owns the partition, else the log's.
func (e *Engine[E]) Run(ctx context.Context) error {
	if !e.started.CompareAndSwap(false, true) {
		return errors.New("engine: Run was called before")
	}
	defer close(e.ended)
	e.running.Store(true)
	defer e.running.Store(false)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.ctx, e.cancel, e.flush.cancel = ctx, cancel, cancel
	if own := e.opts.Ownership; own != nil {
		claim, err := own.Acquire(ctx, e.source, e.part)
		if err != nil {
			return fmt.Errorf("acquire %s/%d: %w", e.source, e.part, err)
		}
		defer func() { _ = claim.Release() }() // a claim that is lost has nothing to release
		watched := make(chan struct{})
		defer func() { <-watched }()
		defer cancel(nil)
		go func() {
			defer close(watched)
			select {
			case <-claim.Lost():
				cancel(fmt.Errorf("%s/%d: %w", e.source, e.part, ErrLost))
			case <-ctx.Done():
			}
		}()
		e.flush.lost = claim.Lost()
	}
	e.mu.Lock()
	e.owned = true
	e.mu.Unlock()
	if err := e.flush.open(ctx); err != nil {
		return cause(ctx, err)
	}
	stop := e.startWorkers()
	defer stop()
	fresh, err := e.restore(ctx)
	if err != nil {
		return cause(ctx, err)
	}

	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		e.flush.run(ctx)
	}()
	err = e.loop(ctx, fresh)
	if ctx.Err() == nil {
		// Whatever ended the log, what was computed is worth having.
		e.flush.drain()
	}
	<-flushed
	unpublished := e.flush.pendingLen() > 0
	reason := context.Cause(ctx)
	cancel(nil)
	e.writers.Wait()
	switch {
	case e.flush.failed != nil:
		return e.flush.failed
	case err == nil && unpublished:
		return reason
	}
	return err
}

// cause gives the reason for which ctx ended when err is only its echo.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return c
	}
	return err
}

// loop reads and applies until the log or ctx ends. fresh says that the state
// as it is has no checkpoint yet.
func (e *Engine[E]) loop(ctx context.Context, fresh bool) error {
	if e.opts.Checkpoint.Store == nil {
		for { // there is nothing to do besides
			n, err := e.opts.Log.Read(ctx, e.recs)
			if done, err := e.apply(ctx, n, err); done || err != nil {
				return err
			}
		}
	}
	if err := e.begin(ctx, fresh); err != nil {
		return err
	}
	defer e.giveUp()
	in := e.startReader(ctx)
	defer in.stop()
	ticker := time.NewTicker(e.opts.Checkpoint.Tick)
	defer ticker.Stop()
	idle := false // no record came since the last tick
	for {
		select {
		case got := <-in.got:
			idle = false
			if done, err := e.apply(ctx, got.n, got.err); done || err != nil {
				return err
			}
			in.ask <- struct{}{}
			continue
		case c := <-e.switches:
			c.done <- e.change(ctx, c)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		case done := <-e.demands:
			err := e.lastCheckpoint(ctx)
			done <- err
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				return err
			}
			continue
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
			if idle {
				if err := e.advanceIdle(ctx); err != nil {
					return err
				}
			}
			idle = true
		case <-e.ck.turn():
		}
		if err := e.checkpoint(0); err != nil {
			return err
		}
	}
}

// apply takes what a Read gave; done says that the log has ended.
func (e *Engine[E]) apply(ctx context.Context, n int, err error) (done bool, _ error) {
	if n > 0 {
		if perr := e.process(ctx, e.recs[:n]); perr != nil {
			return false, perr
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return true, e.end(ctx)
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		return false, fmt.Errorf("read %s/%d after offset %d: %w", e.source, e.part, e.counters.offset.Load(), err)
	}
	return false, nil
}

// process applies records and hands over what they put out.
func (e *Engine[E]) process(ctx context.Context, recs []Record) error {
	if e.hasLast {
		// What a restored state has applied already.
		skip := 0
		for skip < len(recs) && recs[skip].Offset <= e.last {
			e.skipped = recs[skip].Offset
			skip++
		}
		if skip > 0 && e.counters.records.Load() > 0 {
			return fmt.Errorf("read %s/%d: offset %d comes after %d", e.source, e.part, recs[0].Offset, e.last)
		}
		e.counters.skipped.Add(int64(skip))
		recs = recs[skip:]
	}
	for i := 1; i < len(recs); i++ {
		if recs[i].Offset <= recs[i-1].Offset {
			return fmt.Errorf("read %s/%d: offset %d comes after %d", e.source, e.part, recs[i].Offset, recs[i-1].Offset)
		}
	}
	for len(recs) > 0 {
		if err := e.advanceAgain(ctx, recs[0].Offset-1); err != nil {
			return err
		}
		began := time.Now()
		n, busy := e.untilAdvance(recs), time.Duration(0)
		if len(e.shards) == 1 {
			n = e.roundSerial(recs[:n])
			busy = time.Since(began)
		} else {
			n, busy = e.roundParallel(recs[:n])
		}
		e.emit(recs[:n], false)
		e.last, e.hasLast = recs[n-1].Offset, true
		e.counters.advance(n, e.last, e.clock)
		e.ck.applied(busy)
		recs = recs[n:]
		if len(e.outs) >= handAt {
			if err := e.hand(ctx); err != nil {
				return err
			}
		}
	}
	if err := e.advanceAgain(ctx, e.last); err != nil {
		return err
	}
	if err := e.hand(ctx); err != nil {
		return err
	}
	return e.checkpoint(e.ck.lately())
}

// handAt is how many outputs are handed to the flusher before the records that
// were read together are all applied: to wake it costs more than to apply a
// round.
const handAt = 1024

func (e *Engine[E]) end(ctx context.Context) error {
	if e.counters.records.Load() == 0 && e.counters.skipped.Load() > 0 && e.skipped < e.last {
		return fmt.Errorf("read %s/%d: it ends at offset %d, and the checkpoint holds up to %d: %w", e.source, e.part, e.skipped, e.last, ErrAhead)
	}
	if e.opts.End != EndIdle {
		return e.lastCheckpoint(ctx)
	}
	if !e.hasLast {
		return nil
	}
	e.giveUp() // what the end closes is not in the log
	for i, s := range e.shards {
		s.End(0, &e.workers[i].stepped)
	}
	e.emit([]Record{{Offset: e.last}}, true)
	return e.hand(ctx)
}

// hand gives e.outs to the flusher and waits while that has too many.
func (e *Engine[E]) hand(ctx context.Context) error {
	if len(e.outs) == 0 {
		return nil
	}
	err := e.flush.add(ctx, e.outs)
	clear(e.outs)
	e.outs = e.outs[:0]
	return err
}
