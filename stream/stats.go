package stream

import "sync/atomic"

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
}

type counters struct {
	records, skipped, events, outputs, suppressed, regressions atomic.Int64
	appends, appendFails, offset, clock                        atomic.Int64
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
	}
}
