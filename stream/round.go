package stream

import (
	"math/bits"
	"sort"
	"sync"
	"time"
)

// serialEvents is how many events a lone shard is given at a time: few enough
// that they stay in the processor's cache between decode and step, enough that
// the cache misses of their keys overlap.
const serialEvents = 64

// Sizes of a parallel round.
const (
	// defaultRoundBytes is how much input each worker decodes between two
	// barriers.
	defaultRoundBytes = 128 << 10
	// defaultInlineBytes is the input below which waking workers costs more
	// than it gives.
	defaultInlineBytes = 16 << 10
)

// worker decodes one share of a round's records, and steps one shard over the
// events of all shares.
type worker[E any] struct {
	decoder Decoder[E]
	batch   Batch[E]
	lo      int       // batch.Records[0] is the lo-th record of the round
	mine    [][]int32 // by shard, the events of batch that are its own
	decoded Emitter   // by the decoder, entries numbered by record of the round
	stepped Emitter   // by the shard, likewise
	work    chan func()
	busy    time.Duration // in this round
}

func newWorker[E any](d Decoder[E], shards int) *worker[E] {
	return &worker[E]{decoder: d, mine: make([][]int32, shards)}
}

// round is the run of records that is worked on.
type round[E any] struct {
	recs   []Record
	clocks []int64
	before int64        // log clock before the first record
	shares []*worker[E] // that decoded a part, in record order
	wg     sync.WaitGroup
}

// startWorkers starts a goroutine for each worker and gives what ends them.
func (e *Engine[E]) startWorkers() (stop func()) {
	if len(e.workers) == 1 {
		return func() {}
	}
	var wg sync.WaitGroup
	for _, w := range e.workers {
		w.work = make(chan func(), 1)
		wg.Go(func() {
			for f := range w.work {
				f()
			}
		})
	}
	return func() {
		for _, w := range e.workers {
			close(w.work)
		}
		wg.Wait()
	}
}

// roundSerial decodes and steps a few of recs and gives their number.
func (e *Engine[E]) roundSerial(recs []Record) int {
	w := e.workers[0]
	recs = recs[:min(len(recs), serialEvents)]
	w.begin(0, recs, e.clocks)
	n := 0
	for n < len(recs) && len(w.batch.Events) < serialEvents {
		w.decoder.Decode(&w.batch, int32(n), &w.decoded)
		n++
	}
	w.batch.Records, w.batch.Clock = recs[:n], e.clocks[:n]
	r := &e.round
	r.recs, r.clocks, r.before = recs[:n], e.clocks[:n], e.clock
	r.shares = append(r.shares[:0], w)
	e.tick()
	for i := len(w.mine[0]); i < len(w.batch.Events); i++ {
		w.mine[0] = append(w.mine[0], int32(i)) // counts up, and is never cut
	}
	e.shards[0].Step(&w.batch, w.mine[0][:len(w.batch.Events)], &w.stepped)
	r.book(&w.stepped, 0, 0)
	return n
}

// roundParallel does the same with all workers, and gives the time that they
// spent on it as well.
func (e *Engine[E]) roundParallel(recs []Record) (int, time.Duration) {
	n, size := 0, 0
	for n < len(recs) && size < e.roundBytes*len(e.workers) {
		size += len(recs[n].Value) + 1
		n++
	}
	r := &e.round
	r.recs, r.clocks, r.before = recs[:n], e.clocks[:n], e.clock
	r.shares = r.shares[:0]
	if size < e.inlineBytes {
		began := time.Now()
		w := e.workers[0]
		r.shares = append(r.shares, w)
		w.decode(r, 0, n, len(e.shards))
		e.tick()
		for s := range e.shards {
			e.stepShard(s)
		}
		return n, time.Since(began)
	}
	lo, part := 0, 0
	for i, w := range e.workers {
		hi := lo
		for hi < n && (part < size*(i+1)/len(e.workers) || i == len(e.workers)-1) {
			part += len(recs[hi].Value) + 1
			hi++
		}
		if hi > lo {
			r.shares = append(r.shares, w)
			r.wg.Add(1)
			from := lo
			w.work <- func() {
				began := time.Now()
				w.decode(r, from, hi, len(e.shards))
				w.busy = time.Since(began)
				r.wg.Done()
			}
		}
		lo = hi
	}
	r.wg.Wait()
	e.tick()
	e.onWorkers(func(s int) {
		began := time.Now()
		e.stepShard(s)
		e.workers[s].busy += time.Since(began)
	})
	busy := time.Duration(0)
	for _, w := range e.workers {
		busy, w.busy = busy+w.busy, 0
	}
	return n, busy
}

// onWorkers does something for each shard, on all workers at once.
func (e *Engine[E]) onWorkers(do func(shard int)) {
	if len(e.workers) == 1 {
		do(0)
		return
	}
	var wg sync.WaitGroup
	wg.Add(len(e.workers))
	for s, w := range e.workers {
		w.work <- func() { do(s); wg.Done() }
	}
	wg.Wait()
}

func (w *worker[E]) begin(lo int, recs []Record, clocks []int64) {
	w.decoder.Reset()
	w.lo = lo
	b := &w.batch
	b.Records, b.Clock = recs, clocks[:len(recs)]
	b.Events, b.At, b.Hash = b.Events[:0], b.At[:0], b.Hash[:0]
	for i := range b.Clock {
		b.Clock[i] = NoTime
	}
}

// decode takes the records lo to hi apart and routes their events.
func (w *worker[E]) decode(r *round[E], lo, hi, shards int) {
	w.begin(lo, r.recs[lo:hi], r.clocks[lo:hi])
	for i := range hi - lo {
		w.decoder.Decode(&w.batch, int32(i), &w.decoded)
	}
	for i := range w.decoded.entries {
		w.decoded.entries[i].record += int32(lo)
	}
	for s := range w.mine {
		w.mine[s] = w.mine[s][:0]
	}
	for i, h := range w.batch.Hash {
		s := shardOf(h, shards)
		w.mine[s] = append(w.mine[s], int32(i))
	}
}

// shardOf takes the high bits of the hash; a shard's own table has the low ones.
func shardOf(hash uint64, shards int) int {
	s, _ := bits.Mul64(hash, uint64(shards))
	return int(s)
}

// tick moves the log clock over the round's records.
func (e *Engine[E]) tick() {
	r := &e.round
	back := int64(0)
	for i := range r.recs {
		t := r.recs[i].Time
		if t == NoTime {
			t = r.clocks[i]
		}
		if t >= e.clock {
			e.clock = t
		} else if t != NoTime {
			back++
		}
		r.clocks[i] = e.clock
	}
	if back > 0 {
		e.counters.regressions.Add(back)
	}
	events := 0
	for _, w := range r.shares {
		events += len(w.batch.Events)
	}
	e.counters.events.Add(int64(events))
}

// stepShard runs one shard over all shares.
func (e *Engine[E]) stepShard(s int) {
	out := &e.workers[s].stepped
	for _, w := range e.round.shares {
		from := len(out.entries)
		e.shards[s].Step(&w.batch, w.mine[s], out)
		e.round.book(out, from, w.lo)
	}
}

// book numbers the entries from the from-th on by record of the round, and
// deadlines by the first record whose clock had reached them: a shard without
// an event at that record has looked only later.
func (r *round[E]) book(out *Emitter, from, lo int) {
	for i := from; i < len(out.entries); i++ {
		en := &out.entries[i]
		en.record += int32(lo)
		if en.event >= 0 || r.clocks[en.record] == NoTime || en.deadline <= r.before {
			continue
		}
		en.record = int32(sort.Search(int(en.record), func(j int) bool { return r.clocks[j] >= en.deadline }))
	}
}
