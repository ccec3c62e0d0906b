package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/intake"
	"misstep/stream"
)

// Explanation is one failure with what stands behind it.
type Explanation struct {
	Entry    *Entry
	Detector *detectors.Detector
	Rules    []*detectors.Rule // that concur, the one that opened it first
	Steps    []Step            // of its trajectory, in log order
}

// Step is one step of a trajectory, ready to be shown.
type Step struct {
	Seq      int64  // event.None when the producer gave none
	ID       string // the producer's, else the ordinal in its trajectory
	Time     int64  // event time, event.None when there is none
	Text     string // kind and content, safe to print
	Facts    []string
	Evidence string // note of the evidence that it is, empty when it is none
	Marked   bool   // it is evidence
	File     string
	Line     int64
}

// Explain finds the failure whose id begins with prefix. It reads the inputs
// twice: for the failure, and for the steps of its trajectory.
func Explain(ctx context.Context, o Options, prefix string) (*Explanation, error) {
	given := prefix
	prefix = strings.ToLower(prefix)
	if prefix == "" || strings.Trim(prefix, "0123456789abcdef") != "" || len(prefix) > 32 {
		return nil, fmt.Errorf("%q is no failure id: those have 32 hexadecimal digits, of which the first few suffice", given)
	}
	done, err := o.Inputs.spool()
	if err != nil {
		return nil, err
	}
	defer done()
	c := newCollector(o.Inputs)
	c.fold.keep = func(f *event.Failure) bool { return strings.HasPrefix(f.ID, prefix) }
	if _, _, err := replay(ctx, &o, c); err != nil {
		return nil, err
	}
	switch n := len(c.fold.entries); {
	case n == 0 && c.fold.total == 0:
		return nil, errors.New("no failure was found in the inputs")
	case n == 0:
		return nil, fmt.Errorf("none of the %s has an id that begins with %s; replayer run lists them, and the configuration has to be the same", count(int64(c.fold.total), "failure", "failures"), prefix)
	case n > 1:
		return nil, fmt.Errorf("%d failures have an id that begins with %s, among them %s and %s; give more digits", n, prefix, c.fold.entries[0].Last.ID, c.fold.entries[1].Last.ID)
	}
	e := &Explanation{Entry: c.fold.entries[0]}
	e.name()
	e.Steps, err = trajectory(ctx, &o, e.Entry)
	return e, err
}

// name finds the detector and the rules.
func (e *Explanation) name() {
	for _, d := range detectors.All() {
		if d.Name != e.Entry.Last.Detector.Name {
			continue
		}
		e.Detector = d
		for _, name := range e.Entry.Last.Rules {
			for _, r := range d.Rules {
				if r.Name == name {
					e.Rules = append(e.Rules, r)
				}
			}
		}
	}
}

// trajectory replays the steps of the failure's trajectory alone, with the same
// facts as in the run, since a trajectory never depends on its neighbours.
func trajectory(ctx context.Context, o *Options, e *Entry) ([]Step, error) {
	log := NewChain(o.Inputs, func(string, intake.Refusal) {})
	defer func() { _ = log.Close() }() // read only
	t := newTeller(o.Rules.NewShard(), e)
	var dec event.Decoder
	recs := make([]stream.Record, stream.DefaultBatchRecords)
	var steps []event.Step
	for {
		n, err := log.Read(ctx, recs)
		for _, rec := range recs[:n] {
			if rec.Oversize > 0 {
				continue
			}
			steps = decode(&dec, rec.Value, steps[:0])
			for i := range steps {
				t.clock = max(t.clock, steps[i].LogTime)
			}
			for i := range steps {
				if s := &steps[i]; t.wants(s) {
					file, line := log.Locate(rec.Offset)
					t.tell(s, file, line)
				}
			}
			dec.Release()
		}
		if errors.Is(err, io.EOF) {
			return t.steps, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// decode appends the steps of one record that are not refused.
func decode(dec *event.Decoder, record []byte, steps []event.Step) []event.Step {
	dec.Reset(record)
	for {
		var s event.Step
		err := dec.Next(&s)
		if err == nil {
			steps = append(steps, s)
			continue
		}
		if errors.Is(err, io.EOF) {
			return steps
		}
		var refused *event.DecodeError
		if !errors.As(err, &refused) {
			return steps
		}
	}
}

// spool copies the standard input to a temporary file, so that it can be read
// again. done removes that.
func (in *Inputs) spool() (done func(), err error) {
	done = func() {}
	for i := range in.Files {
		f := &in.Files[i]
		if f.stdin == nil {
			continue
		}
		tmp, err := os.CreateTemp("", "replayer-*")
		if err != nil {
			return done, err
		}
		done = func() { _ = os.Remove(tmp.Name()) } // in the folder for what may go at any time
		n, err := io.Copy(tmp, f.stdin)
		if cerr := tmp.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			done()
			return func() {}, fmt.Errorf("keep the standard input: %w", err)
		}
		f.path, f.size, f.stdin = tmp.Name(), n, nil
	}
	return done, nil
}
