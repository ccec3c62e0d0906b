// Package detect fits the detect program to the engine: records to steps,
// outputs to topics, refusals to the dead letter.
package detect

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"misstep/detectors"
	"misstep/event"
	"misstep/stream"
)

// Program is the detect program for one partition of a source.
type Program struct {
	rules     *detectors.Ruleset
	source    string
	partition int32

	memory atomic.Int64 // of each shard's state, 0: no bound

	mu    sync.Mutex
	slots []*slot // one for each shard
}

// NewProgram runs a ruleset. Source and partition name the log in dead letters.
func NewProgram(r *detectors.Ruleset, source string, partition int32) *Program {
	return &Program{rules: r, source: source, partition: partition}
}

// Bound sets about how many bytes the state of all trajectories may take, spread
// over so many shards (0: as many as stream.Options gives); 0 bytes bound
// nothing. It may be called by any goroutine, and counts from each shard's next
// step on.
func (p *Program) Bound(bytes int64, shards int) {
	if shards == 0 {
		shards = runtime.GOMAXPROCS(0)
	}
	p.memory.Store((bytes + int64(shards) - 1) / int64(shards))
}

// NewDecoder implements stream.Program.
func (p *Program) NewDecoder() stream.Decoder[event.Step] { return &decoder{program: p} }

// NewShard implements stream.Program.
func (p *Program) NewShard() stream.Shard[event.Step] {
	s := &shard{Shard: p.rules.NewShard(), slot: new(slot), memory: &p.memory}
	s.Limit(p.memory.Load())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slots = append(p.slots, s.slot)
	return s
}

type decoder struct {
	program *Program
	dec     event.Decoder
}

// Decode implements stream.Decoder.
func (d *decoder) Decode(b *stream.Batch[event.Step], r int32, out *stream.Emitter) {
	rec := &b.Records[r]
	if rec.Oversize > 0 {
		d.refuse(b, r, out, &event.DecodeError{
			Reason: event.ReasonSize, Msg: "the record is longer than its log reads; split it",
		})
		return
	}
	d.dec.Reset(rec.Value)
	for {
		s := b.Add(r)
		err := d.dec.Next(s)
		if err == nil && rec.Keyed {
			err = keyed(rec, s, &d.dec)
		}
		if err == nil {
			b.Hash[len(b.Hash)-1] = detectors.Key(s)
			if s.LogTime != event.None && b.Clock[r] < s.LogTime {
				b.Clock[r] = s.LogTime
			}
			continue
		}
		b.Cancel()
		if err == io.EOF {
			return
		}
		var de *event.DecodeError
		if !errors.As(err, &de) {
			de = &event.DecodeError{Reason: event.ReasonSyntax, Msg: err.Error()}
		}
		d.refuse(b, r, out, de)
	}
}

// keyed says why an event is not where its key is.
func keyed(rec *stream.Record, s *event.Step, d *event.Decoder) error {
	switch {
	case len(rec.Key) == 0:
		return d.Refused(event.ReasonKey, "trajectory_id", "the record has no key", "give it trajectory_id for its key")
	case string(rec.Key) != string(s.TrajectoryID):
		return d.Refused(event.ReasonKey, "trajectory_id", "the record's key is another", "give each record its trajectory_id for its key, and pack steps of one trajectory only")
	case rec.Misplaced:
		return d.Refused(event.ReasonKey, "trajectory_id", "the record is in a partition that its key does not belong to", "declare the partitioner that the producers use, or have all use the one that is declared")
	}
	return nil
}

func (d *decoder) refuse(b *stream.Batch[event.Step], r int32, out *stream.Emitter, e *event.DecodeError) {
	rec := &b.Records[r]
	message := e.Msg
	if e.Mend != "" {
		message += "; " + e.Mend
	}
	dl := &event.DeadLetter{
		Time: rec.Time, Source: d.program.source, Partition: d.program.partition, Offset: rec.Offset,
		Index: e.Index, Reason: e.Reason.String(), Field: e.Field, At: e.Offset, Message: message,
	}
	out.Event(r, int32(len(b.Events)), stream.Output{
		Topic: stream.DeadLetter, Value: event.AppendDeadLetter(nil, dl), Record: dl,
	})
}

// Reset implements stream.Decoder.
func (d *decoder) Reset() { d.dec.Release() }

type shard struct {
	*detectors.Shard
	slot   *slot
	memory *atomic.Int64
}

// AppendFrozen implements stream.Shard.
func (s *shard) AppendFrozen(dst []byte, most int) (part []byte, done bool, err error) {
	part, done = s.Shard.AppendFrozen(dst, most)
	return part, done, nil
}

// Step implements stream.Shard.
func (s *shard) Step(b *stream.Batch[event.Step], mine []int32, out *stream.Emitter) {
	s.Limit(s.memory.Load())
	batch := detectors.Batch{Steps: b.Events, At: b.At, Hash: b.Hash, Clock: b.Clock}
	s.Shard.Step(&batch, mine, emitter{out})
	s.slot.set(s.Counts())
}

// End implements stream.Shard.
func (s *shard) End(r int32, out *stream.Emitter) {
	s.Shard.End(r, emitter{out})
	s.slot.set(s.Counts())
}

type emitter struct{ *stream.Emitter }

func (e emitter) Event(at, i int32, o detectors.Output) { e.Emitter.Event(at, i, output(o)) }

func (e emitter) Deadline(at int32, deadline int64, key string, o detectors.Output) {
	e.Emitter.Deadline(at, deadline, key, output(o))
}

func output(o detectors.Output) stream.Output {
	out := stream.Output{Topic: stream.Tasks, Workflow: o.Workflow, Key: o.Key, Value: o.Value, Record: o.Record}
	if o.Topic == detectors.Failures {
		out.Topic, out.Class = stream.Failures, o.Class.String()
	}
	return out
}
