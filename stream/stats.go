package stream

import (
	"errors"
	"sync/atomic"
	"time"
)

// Stats counts what an engine did since it was made.
type Stats struct {
	Records     int64 // applied
	Skipped     int64 // at or before the restored position
	Events      int64
	Outputs     int64 // taken by the primary
	Suppressed  int64 // outputs that the primary had taken in an earlier run
	Regressions int64 // records whose log time was before the log clock
	Appends     int64 // that succeeded
	AppendFails int64
	Offset      int64 // of the last record applied, -1 when there is none
	Clock       int64 // log clock, NoTime when there is none

	Checkpoints      int64         // that became current
	CheckpointFails  int64         // that did not
	CheckpointBytes  int64         // of the current one
	CheckpointOffset int64         // that the current one holds, -1 when there is none
	CheckpointTook   time.Duration // from the freeze until the current one was so
	CheckpointTime   int64         // Unix nanoseconds when the current one was frozen, 0 when none was since the start
	CheckpointCost   time.Duration // spent on encoding, summed over all
	Fallbacks        int64         // checkpoints that should have been restored and were not
	Advances         int64         // of the log clock without a record
}

type counters struct {
	records, skipped, events, outputs, suppressed, regressions atomic.Int64
	appends, appendFails, offset, clock                        atomic.Int64

	checkpoints, checkpointFails, checkpointBytes, checkpointOffset atomic.Int64
	checkpointTook, checkpointTime, checkpointCost                  atomic.Int64
	fallbacks, idleAdvances                                         atomic.Int64
	advances                                                        atomic.Int64 // in the head
}

func (c *counters) advance(records int, offset, clock int64) {
	c.records.Add(int64(records))
	c.offset.Store(offset)
	c.clock.Store(clock)
}

// Stats may be called at any time, by any goroutine.
func (e *Engine[E]) Stats() Stats {
	c := &e.counters
	return Stats{
		Records:     c.records.Load(),
		Skipped:     c.skipped.Load(),
		Events:      c.events.Load(),
		Outputs:     c.outputs.Load(),
		Suppressed:  c.suppressed.Load(),
		Regressions: c.regressions.Load(),
		Appends:     c.appends.Load(),
		AppendFails: c.appendFails.Load(),
		Offset:      c.offset.Load(),
		Clock:       c.clock.Load(),

		Checkpoints:      c.checkpoints.Load(),
		CheckpointFails:  c.checkpointFails.Load(),
		CheckpointBytes:  c.checkpointBytes.Load(),
		CheckpointOffset: c.checkpointOffset.Load(),
		CheckpointTook:   time.Duration(c.checkpointTook.Load()),
		CheckpointTime:   c.checkpointTime.Load(),
		CheckpointCost:   time.Duration(c.checkpointCost.Load()),
		Fallbacks:        c.fallbacks.Load(),
		Advances:         c.idleAdvances.Load(),
	}
}

// Ready gives nil while outputs reach the primary, else why they do not.
func (e *Engine[E]) Ready() error {
	if !e.running.Load() {
		return errors.New("engine is not running")
	}
	return e.flush.health()
}

// Position gives the offset of the last record applied; false when there is
// none. It may be called while Run runs.
func (e *Engine[E]) Position() (offset int64, ok bool) {
	offset = e.counters.offset.Load()
	return offset, offset >= 0
}
