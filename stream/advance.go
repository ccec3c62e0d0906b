package stream

import (
	"context"
	"time"
)

// maxAdvances is how many advances are kept beside the head before a checkpoint
// is due for their sake.
const maxAdvances = 256

// askIdle is how long a log may take to say what time it is.
const askIdle = time.Second

// advanceIdle advances the log clock when no record came for a while, the log
// holds none that is unread, and a deadline is due at the log's own present
// time, less the grace. The advance is durable before its outputs leave, so
// that a restart makes it again at the same place and gives the same outputs.
//
// What a record's own log time does not reach is so reached by the log's
// clock; this process's clock never counts.
func (e *Engine[E]) advanceIdle(ctx context.Context) error {
	log, ok := e.opts.Log.(Idler)
	o := &e.opts.Checkpoint
	if !ok || !e.hasLast || o.Store == nil || o.Grace < 0 || len(e.again) > 0 || int(e.counters.advances.Load()) >= maxAdvances {
		return nil
	}
	if _, ok := e.nextDeadline(); !ok {
		return nil
	}
	ask, cancel := context.WithTimeout(ctx, askIdle)
	defer cancel()
	now, ok, err := log.Idle(ask, e.last)
	if err != nil || !ok {
		return nil // the next tick asks again
	}
	to := now - int64(o.Grace)
	if next, ok := e.nextDeadline(); !ok || next > to || to <= e.clock {
		return nil
	}
	if err := e.step(StepAdvance); err != nil {
		return err
	}
	a := advance{Offset: e.last, Clock: to}
	e.flush.at(e.flush.added(), func(ctx context.Context) error {
		if _, final := e.flush.swing(ctx, e.flush.head.advanced(a), true); final != nil {
			return final
		}
		return e.step(StepAdvanced)
	})
	e.counters.idleAdvances.Add(1)
	return e.advanceTo(ctx, to)
}

// nextDeadline gives the earliest of all shards.
func (e *Engine[E]) nextDeadline() (next int64, ok bool) {
	for _, s := range e.shards {
		if d, has := s.NextDeadline(); has && (!ok || d < next) {
			next, ok = d, true
		}
	}
	return next, ok
}

// advanceAgain makes the advances of an earlier run again that came after a
// record up to an offset and before any later one.
func (e *Engine[E]) advanceAgain(ctx context.Context, upTo int64) error {
	for len(e.again) > 0 && e.again[0].Offset <= upTo {
		to := e.again[0].Clock
		e.again = e.again[1:]
		if !e.hasLast || to <= e.clock {
			continue
		}
		if err := e.advanceTo(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// untilAdvance gives how many of recs come before the next advance that is to
// be made again.
func (e *Engine[E]) untilAdvance(recs []Record) int {
	if len(e.again) == 0 {
		return len(recs)
	}
	n := 0
	for n < len(recs) && recs[n].Offset <= e.again[0].Offset {
		n++
	}
	return n
}

// advanceTo fires what is due at a clock; it belongs to the last record.
func (e *Engine[E]) advanceTo(ctx context.Context, clock int64) error {
	began := time.Now()
	r := &e.round
	recs, clocks := []Record{{Offset: e.last, Time: clock}}, []int64{clock}
	r.recs, r.clocks, r.before = recs, clocks, e.clock
	b := Batch[E]{Records: recs, Clock: clocks}
	for i, s := range e.shards {
		out := &e.workers[i].stepped
		s.Step(&b, nil, out)
		r.book(out, 0, 0)
	}
	e.clock = clock
	e.emit(recs, true)
	e.counters.clock.Store(clock)
	e.ck.applied(time.Since(began))
	return e.hand(ctx)
}
