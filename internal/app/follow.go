package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"misstep/sinks"
	"misstep/stream"
)

// terminalQueue is how many records may wait for a slow terminal.
const terminalQueue = 4096

// followers hand what the primary took to the sinks of this process. The
// engines' taps are their only writers.
type followers struct {
	mu       sync.Mutex        // held by write
	counts   *sinks.Prometheus // never blocks
	terminal *sinks.Queue
	log      zerolog.Logger
	teller   teller

	records []sinks.Record
	told    int64 // skipped records that were logged
	next    time.Time
}

// tellEvery is the least time between two warnings of a slow terminal.
const tellEvery = 10 * time.Second

func newFollowers(counts *sinks.Prometheus, terminal sinks.Sink, log zerolog.Logger) *followers {
	return &followers{
		counts: counts, log: log, teller: teller{log: log, now: time.Now},
		terminal: sinks.NewQueue(terminal, terminalQueue, func(err error) { log.Error().Err(err).Str("sink", terminal.Name()).Msg("write to sink") }),
	}
}

// write is the engines' tap. It blocks for no more than another's write, which
// does not block.
func (f *followers) write(outs []stream.Output) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.teller.write(outs)
	f.records = f.records[:0]
	for i := range outs {
		f.records = append(f.records, sinks.Record{Value: outs[i].Record, Encoded: outs[i].Value})
	}
	for _, s := range []sinks.Sink{f.counts, f.terminal} {
		if err := s.Write(context.Background(), f.records); err != nil {
			f.log.Error().Err(err).Str("sink", s.Name()).Msg("write to sink")
		}
	}
	clear(f.records)
	if n := f.terminal.Skipped(); n > f.told {
		if now := time.Now(); now.After(f.next) {
			f.log.Warn().Int64("records", n-f.told).Msg("the terminal is too slow; not shown there, but in the results log")
			f.told, f.next = n, now.Add(tellEvery)
		}
	}
}

// close lets the terminal show what it has until ctx ends.
func (f *followers) close(ctx context.Context) error {
	return errors.Join(f.counts.Close(), f.terminal.CloseWithin(ctx))
}

func (f *followers) skipped() map[string]int64 {
	return map[string]int64{f.terminal.Name(): f.terminal.Skipped()}
}
