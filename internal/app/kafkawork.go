package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"misstep/stream"
	"misstep/stream/kafka"
)

// kafkaHandler begins and ends the work on partitions as the group has it.
type kafkaHandler struct {
	backend *kafkaBackend
	app     *app
	ctx     context.Context // of the work
	fail    context.CancelCauseFunc
}

// kafkaWorker is the work on one partition during one tenure.
type kafkaWorker struct {
	tenure  *kafka.Tenure
	cancel  context.CancelFunc
	done    chan struct{}
	running atomic.Bool
	term    atomic.Pointer[term]
	why     atomic.Pointer[string] // why there is no term yet
}

// trouble says why a partition is not worked on, nil when it is.
func (w *kafkaWorker) trouble() error {
	if why := w.why.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// Begin implements kafka.Handler.
func (h *kafkaHandler) Begin(t *kafka.Tenure) {
	if h.backend.stopping.Load() {
		return
	}
	ctx, cancel := context.WithCancel(h.ctx)
	w := &kafkaWorker{tenure: t, cancel: cancel, done: make(chan struct{})}
	w.running.Store(true)
	starting := "starting"
	w.why.Store(&starting)
	h.backend.mu.Lock()
	h.backend.workers[t.Partition()] = w
	h.backend.mu.Unlock()
	go func() {
		defer close(w.done)
		err := h.run(ctx, w)
		w.running.Store(false)
		select {
		case h.backend.idle <- struct{}{}:
		default:
		}
		switch {
		case ctx.Err() != nil, errors.Is(err, stream.ErrLost), errors.Is(err, stream.ErrFenced):
			if err != nil && ctx.Err() == nil {
				h.backend.logger.Warn().Err(err).Int32("partition", t.Partition()).Msg("the partition is another's")
				why := "lost to another process"
				w.why.Store(&why)
				select {
				case <-t.Lost():
				default:
					t.GiveUp()
				}
			}
		case err == nil && h.backend.stopping.Load():
		default:
			h.fail(ended(fmt.Sprintf("partition %d", t.Partition()), err))
		}
	}()
}

// run is a worker's life: it makes a term, however long that takes, and runs it.
func (h *kafkaHandler) run(ctx context.Context, w *kafkaWorker) error {
	var t *term
	for wait := retryTerm; ; wait = min(2*wait, maxRetryTerm) {
		var err error
		if t, err = h.begin(ctx, w.tenure); err == nil {
			break
		}
		if ctx.Err() != nil || errors.Is(err, kafka.ErrOtherTopic) {
			return err
		}
		h.backend.logger.Warn().Err(err).Int32("partition", w.tenure.Partition()).Msg("cannot read the partition yet; trying again")
		why := err.Error()
		w.why.Store(&why)
		select {
		case <-w.tenure.Lost():
			return stream.ErrLost
		default:
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	w.term.Store(t)
	w.why.Store(nil)
	if h.backend.stopping.Load() {
		t.log.endAt(-1)
	}
	defer t.close()
	err := t.engine.Run(ctx)
	return err
}

// begin makes a term of a tenure.
func (h *kafkaHandler) begin(ctx context.Context, t *kafka.Tenure) (*term, error) {
	b, p := h.backend, t.Partition()
	log := b.logger.With().Str("source", b.config.Topics.Steps).Int32("partition", p).Logger()
	var reset atomic.Int64
	reset.Store(-1)
	committed, known, err := kafka.Position(ctx, b.cluster, b.config.Group, b.config.Topics.Steps, p)
	if err != nil {
		return nil, err
	}
	opts := kafka.LogOptions{
		Topic: b.config.Topics.Steps, Partition: p, Partitioner: kafka.Partitioner(b.config.Partitioner), Partitions: known,
		OnGap:   func(from, to int64) { b.gaps.found(p, from, to) },
		OnError: func(err error) { log.Warn().Err(err).Msg("trying again") },
		OnPartitions: func(before, now int) {
			log.Warn().Int("before", before).Int("now", now).
				Msg("the topic of steps has another number of partitions: keys belong to others from now on, so trajectories that are running and move are partial from there on")
		},
		Latest: b.config.Latest && committed < 0,
		Begin: func(context.Context) (int64, error) {
			if b.config.Checkpoint == "" {
				return committed, nil
			}
			return reset.Load(), nil
		},
	}
	l, err := kafka.OpenLog(ctx, b.cluster, opts)
	if err != nil {
		return nil, err
	}
	results := kafka.NewResults(b.cluster, kafka.ResultsOptions{
		Topics: b.topics(), Compression: b.compression, Gate: t.Gate, Group: b.config.Group,
	})
	o := own{log: l, results: results, ownership: t, shards: max(h.app.opts.Config.Shards, 1), close: func() { _ = l.Close() }} // gives nil
	if b.config.Checkpoint != "" {
		store := kafka.NewCheckpoints(b.cluster, results, kafka.CheckpointsOptions{
			Topic: b.config.Checkpoint, Group: b.config.Group, Owner: t, Log: l,
			OnReset: func(offset int64) {
				log.Warn().Int64("offset", offset).
					Msg("somebody else has set the group's offset: what lies before it is not read; what was judged already stays so")
				reset.Store(offset)
			},
		})
		o.checkpoints = store
		o.close = func() {
			_ = l.Close() // gives nil
			store.Close()
		}
	} else {
		o.log = kafka.NewHorizon(l, kafka.HorizonOptions{Cluster: b.cluster, Group: b.config.Group, Owner: t, Results: results, Replay: b.config.Replay})
	}
	return h.app.begin(o)
}

// Drain implements kafka.Handler.
func (h *kafkaHandler) Drain(ctx context.Context, t *kafka.Tenure) {
	w := h.worker(t)
	if w == nil || w.term.Load() == nil {
		return
	}
	term := w.term.Load()
	term.log.hold()
	began := time.Now()
	if err := h.checkpoint(ctx, w, term); err != nil && ctx.Err() == nil && w.running.Load() {
		h.backend.logger.Warn().Err(err).Int32("partition", t.Partition()).Msg("no checkpoint before the group changed; what was read since the last one is read again, unless the partition comes back")
		return
	}
	h.backend.logger.Debug().Int32("partition", t.Partition()).Dur("took", time.Since(began)).Msg("partition is given up in order")
}

// checkpoint takes one, unless none are kept.
func (h *kafkaHandler) checkpoint(ctx context.Context, w *kafkaWorker, t *term) error {
	if h.backend.config.Checkpoint == "" || !w.running.Load() {
		return nil
	}
	return t.engine.Checkpoint(ctx)
}

// Resume implements kafka.Handler.
func (h *kafkaHandler) Resume(t *kafka.Tenure) {
	if w := h.worker(t); w != nil && w.term.Load() != nil {
		w.term.Load().log.letGo()
	}
}

// End implements kafka.Handler.
func (h *kafkaHandler) End(t *kafka.Tenure) {
	w := h.worker(t)
	if w == nil {
		return
	}
	w.cancel()
	<-w.done
	if term := w.term.Load(); term != nil {
		h.app.terms.end(term)
	}
	h.backend.mu.Lock()
	defer h.backend.mu.Unlock()
	delete(h.backend.workers, t.Partition())
}

// worker gives who works on a partition in this tenure, nil when nobody does.
func (h *kafkaHandler) worker(t *kafka.Tenure) *kafkaWorker {
	h.backend.mu.Lock()
	defer h.backend.mu.Unlock()
	if w := h.backend.workers[t.Partition()]; w != nil && w.tenure == t {
		return w
	}
	return nil
}
