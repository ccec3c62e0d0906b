package app

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

const (
	// gapsTold is how many data gaps are told one by one in gapsEvery; those
	// beyond are counted.
	gapsTold  = 50
	gapsEvery = time.Minute
	// publishGap is how long the reader waits for the event of a gap.
	publishGap = 5 * time.Second
)

// gaps tells of records that the log of steps does not hold any more. The
// readers of its partitions are its only writers.
type gaps struct {
	log     zerolog.Logger
	source  string
	publish func(ctx context.Context, partition int32, from, to int64) error
	now     func() time.Time

	count, records atomic.Int64
	mended         int64 // offset up to which the end that was lost is told
	mu             sync.Mutex
	until          time.Time // end of the minute
	told, held     int       // in that minute
}

// lost takes the gap that the log has since its end was lost, both offsets
// included, before anything is read.
func (g *gaps) lost(from, to int64) {
	g.mended = to
	g.count.Add(1)
	g.records.Add(to - from + 1)
	g.log.Error().Str("source", g.source).Int64("last", from-1).Int64("judged", to).
		Msg("the log of steps lost its end, as it can when the power fails: it ended at the offset last and was judged up to the offset judged; " +
			"it goes on behind that, with a data gap, and all that it holds stays")
	g.event(0, from, to)
}

// found takes one gap of a partition, both offsets included.
func (g *gaps) found(partition int32, from, to int64) {
	if to <= g.mended {
		return // told already
	}
	tell := g.tell(partition, from, to)
	g.count.Add(1) // once it is told, so that who reads this finds it told
	g.records.Add(to - from + 1)
	if tell {
		g.event(partition, from, to)
	}
}

// tell logs a gap, unless too many were.
func (g *gaps) tell(partition int32, from, to int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.now(); now.After(g.until) {
		if g.held > 0 {
			g.log.Warn().Str("source", g.source).Int("gaps", g.held).Msg("more data gaps, too many to tell each; misstep_gaps_total counts them")
		}
		g.until, g.told, g.held = now.Add(gapsEvery), 0, 0
	}
	if g.told == gapsTold {
		g.held++
		return false
	}
	g.told++
	g.log.Warn().Str("source", g.source).Int32("partition", partition).Int64("from", from).Int64("to", to).
		Msg("data gap: the log of steps does not hold these records any more; trajectories that they were part of are judged without them")
	return true
}

// event publishes a gap.
func (g *gaps) event(partition int32, from, to int64) {
	ctx, cancel := context.WithTimeout(context.Background(), publishGap)
	defer cancel()
	if err := g.publish(ctx, partition, from, to); err != nil {
		g.log.Error().Err(err).Int64("from", from).Int64("to", to).Msg("the event of the data gap is not in the results log")
	}
}

func (g *gaps) register(r prometheus.Registerer) error {
	counter := func(name, help string, n *atomic.Int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(n.Load()) })
	}
	for _, c := range []prometheus.Collector{
		counter("misstep_gaps_total", "Data gaps: runs of records that the log of steps did not hold any more when they were to be read.", &g.count),
		counter("misstep_gap_records_total", "Records in data gaps.", &g.records),
	} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
