package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"misstep/stream"
)

// HorizonOptions say how a group's offset follows a log without checkpoints.
type HorizonOptions struct {
	Cluster *Cluster
	Group   string
	Owner   Owner
	Results *Results
	// Replay is how far, in log time, the offset stays behind: a start applies
	// again what is younger, so that trajectories that were running are known.
	Replay time.Duration
}

// Horizon is a log that commits the offset from which a restart must read, for
// those who get no topic for checkpoints.
type Horizon struct {
	*Log
	opts HorizonOptions

	marks []mark
	last  time.Time // of the last commit
}

// mark is a position that may be begun with.
type mark struct{ offset, time int64 }

const (
	// markEvery is the log time between two positions that may be begun with,
	// and horizonEvery the time between two commits.
	markEvery    = int64(time.Second)
	horizonEvery = 5 * time.Second
)

// NewHorizon has a log commit.
func NewHorizon(l *Log, opts HorizonOptions) *Horizon { return &Horizon{Log: l, opts: opts} }

// Read implements stream.Log. What was read before is applied when it is called.
func (h *Horizon) Read(ctx context.Context, dst []stream.Record) (int, error) {
	if err := h.commit(ctx); err != nil {
		if errors.Is(err, stream.ErrFenced) || errors.Is(err, stream.ErrLost) || ctx.Err() != nil {
			return 0, err
		}
		if h.Log.opts.OnError != nil {
			h.Log.opts.OnError(err)
		}
	}
	n, err := h.Log.Read(ctx, dst)
	for _, r := range dst[:n] {
		if k := len(h.marks); r.Time != stream.NoTime && (k == 0 || r.Time-h.marks[k-1].time >= markEvery) {
			h.marks = append(h.marks, mark{r.Offset, r.Time})
		}
	}
	return n, err
}

// commit moves the group's offset up to where the horizon is.
func (h *Horizon) commit(ctx context.Context) error {
	if time.Since(h.last) < horizonEvery || len(h.marks) == 0 {
		return nil
	}
	h.last = time.Now()
	until, i := h.marks[len(h.marks)-1].time-int64(h.opts.Replay), 0
	for i+1 < len(h.marks) && h.marks[i+1].time <= until {
		i++
	}
	h.marks = h.marks[i:]
	if err := h.opts.Owner.Gate(ctx); err != nil {
		return err
	}
	of := place{h.Source(), h.Partition()}
	metadata, err := json.Marshal(pointer{
		Version: pointerVersion, Outputs: h.opts.Results.known(of), Partitions: h.Partitions(), Log: h.Identity(),
	})
	if err != nil {
		return err
	}
	generation, member := h.opts.Owner.Membership()
	return h.opts.Cluster.commit(ctx, h.opts.Group, generation, member, of, h.marks[0].offset, string(metadata))
}
