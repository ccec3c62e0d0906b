package replay

import (
	"context"
	"errors"
	"fmt"
	"io"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/config"
	"misstep/internal/detect"
	"misstep/stream"
)

// Options say what a replay does.
type Options struct {
	Inputs   *Inputs
	Rules    *detectors.Ruleset
	Shards   int       // 0: one for each processor; does not change the output
	Memory   int64     // bound of the state in bytes, 0: none; see config.Config
	EndOpen  bool      // leave open trajectories open at the end
	Failures io.Writer // takes every transition, one JSON object a line; nil for none
	Tasks    io.Writer // takes every task record, one JSON object a line; nil for none
	JUnit    *JUnit    // is told of each trajectory; nil for none
	FailOn   event.Severity
	Progress *Progress // nil for none
	// OnFailure and OnTask are told of every transition and every task record,
	// by one goroutine at a time, before Run returns; nil for none. What they
	// get is theirs to keep.
	OnFailure func(*event.Failure)
	OnTask    func(*event.TaskRecord)
}

// LoadConfig reads a configuration file; without one everything is at its
// default.
func LoadConfig(file string) (*config.Config, error) {
	if file == "" {
		return config.Default(), nil
	}
	return config.Load(file)
}

// Run takes the inputs through the detect program. It gives an error when it
// could not come to their end, and when all there was was refused: then
// nothing was judged, and no gate holds or fails.
func Run(ctx context.Context, o Options) (*Report, error) {
	c := newCollector(o.Inputs)
	c.failures, c.tasks = o.Failures, o.Tasks
	if o.JUnit != nil {
		c.onTask, c.onFail = o.JUnit.task, o.JUnit.failure
	}
	if o.OnFailure != nil {
		c.onFail = both(c.onFail, o.OnFailure)
	}
	if o.OnTask != nil {
		c.onTask = both(c.onTask, o.OnTask)
	}
	program, stats, err := replay(ctx, &o, c)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Files: len(o.Inputs.Files), Streams: o.Inputs.streams(), Events: stats.Events,
		Tasks: c.counts, Rules: c.fold.ruleCounts(), Entries: c.fold.entries, More: c.fold.more, Failures: c.fold.total,
	}
	n := program.Stats()
	r.Tasks.Open = o.EndOpen
	r.Coverage = Coverage{
		Tasks: c.counts.Total, Rules: c.abstained.coverage(o.Rules, c.counts.Total), Refused: c.dead, Skipped: o.Inputs.Skipped,
		Pressure:     Pressure{n.PressingMessages, n.PressedDecisions, n.ReversedDecisions},
		UnknownKinds: n.Kinds[event.KindUnknown], Duplicates: n.Duplicates, Orphans: n.Orphans, Late: n.Late,
		TimeAhead: n.TimeAhead, TimeBack: n.TimeBack, Capped: n.EpisodesCapped,
		BadCatalogues: n.BadCatalogues,
	}
	r.Coverage.Refused.merge(&c.read)
	_, r.Coverage.GapRecords = o.Inputs.Gaps()
	r.Gate = Gate{Severity: o.FailOn}
	if o.FailOn != event.SeverityNone {
		r.Gate.Over = c.fold.atOrAbove(o.FailOn)
	}
	return r, nil
}

// both calls one after the other; the first may be nil.
func both[T any](first, second func(T)) func(T) {
	if first == nil {
		return second
	}
	return func(v T) {
		first(v)
		second(v)
	}
}

// ErrNothingRead says that inputs held something, and all of it was refused.
var ErrNothingRead = errors.New("nothing could be read")

// replay runs the engine over the inputs.
func replay(ctx context.Context, o *Options, c *collector) (*detect.Program, stream.Stats, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.fail = cancel
	log := NewChain(o.Inputs, c.refuse)
	defer func() { _ = log.Close() }() // read only
	c.locate = log.Locate
	program := detect.NewProgram(o.Rules, log.Source(), log.Partition())
	program.Bound(o.Memory, o.Shards)
	end := stream.EndIdle
	if o.EndOpen {
		end = stream.EndOpen
	}
	engine, err := stream.New(stream.Options[event.Step]{
		Program: program, Log: log, Results: c, Shards: o.Shards, End: end,
	})
	if err != nil {
		return nil, stream.Stats{}, err
	}
	stop := o.Progress.watch(func() (records, bytes int64) { return engine.Stats().Events, log.Done() }, o.Inputs.Total())
	err = engine.Run(ctx)
	stop()
	switch stats := engine.Stats(); {
	case errors.Is(err, context.Canceled):
		return nil, stats, fmt.Errorf("interrupted after %d records", stats.Records)
	case err != nil:
		return nil, stats, err
	default:
		return program, stats, nil
	}
}
