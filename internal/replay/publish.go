package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"misstep/event"
	"misstep/stream"
)

// Speed is how many times faster than it was recorded traffic is sent; 0 as
// fast as it goes.
type Speed int

const maxSpeed = 1000

// ParseSpeed reads max, 1x, 10x and the like.
func ParseSpeed(s string) (Speed, error) {
	if s == "max" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "x"))
	if err != nil || !strings.HasSuffix(s, "x") || n < 1 || n > maxSpeed {
		return 0, fmt.Errorf("found %q; give max, or how many times faster than it was recorded, 1x to %dx", s, maxSpeed)
	}
	return Speed(n), nil
}

// PublishOptions say what is sent where.
type PublishOptions struct {
	Inputs *Inputs
	To     string // kafka://host:port/topic or nats://host:port/subject
	Access Access
	Speed  Speed
	Pack   int // steps in a message at most; below 2 each has its own
	// Shift moves all times by the same amount, so that the last step is of the
	// time at which it is sent.
	Shift    bool
	Progress *Progress // nil for none
}

// Published is what was sent.
type Published struct {
	To              string
	Steps, Messages int64 // that were acknowledged
	Refused         Refused
	Skipped         []string
}

// The largest message that is made by packing, and what is sent before
// acknowledgements are waited for.
const (
	maxPacked     = 900 << 10
	burstMessages = 512
	burstBytes    = 8 << 20
)

// publishForm is how the target of publish is named.
const publishForm = "kafka://HOST:PORT/TOPIC or nats://HOST:PORT/SUBJECT"

// message is what is sent at a time: steps, of one trajectory where keyed.
type message struct{ key, value []byte }

// sender stores messages, and returns when all are stored.
type sender interface {
	Publish(ctx context.Context, msgs []message) error
}

// Publish sends the steps of the inputs to a Kafka topic, or to a NATS subject
// that a stream takes. Ids are kept. After an error the result says what was
// acknowledged.
func Publish(ctx context.Context, o PublishOptions) (*Published, error) {
	switch {
	case isKafka(o.To):
		return publishKafka(ctx, &o)
	case isNATS(o.To):
		return publishNATS(ctx, &o)
	}
	return nil, fmt.Errorf("--to: found %q; give %s", redacted(o.To), publishForm)
}

// publish sends through a sender messages of most bytes; keyed ones hold steps of
// one trajectory.
func publish(ctx context.Context, o *PublishOptions, to sender, most int, keyed bool) (*Published, error) {
	p := &publishing{to: to, keyed: keyed, packs: map[string]*pack{}, speed: o.Speed, pack: int64(max(o.Pack, 1)), most: most, out: &Published{To: o.To, Skipped: o.Inputs.Skipped}}
	if o.Shift {
		done, err := o.Inputs.spool()
		if err != nil {
			return nil, err
		}
		defer done()
		first, last, err := span(ctx, o.Inputs)
		if err != nil {
			return nil, err
		}
		if last != event.None {
			at := time.Now()
			if o.Speed > 0 {
				at = at.Add(time.Duration(last-first) / time.Duration(o.Speed))
			}
			p.shift = at.UnixNano() - last
		}
	}
	c := newCollector(o.Inputs)
	log := NewChain(o.Inputs, c.refuse)
	defer func() { _ = log.Close() }() // read only
	c.locate = log.Locate
	stop := o.Progress.watch(func() (records, bytes int64) { return p.acked.Load(), log.Done() }, o.Inputs.Total())
	err := c.steps(ctx, log, func(rec *stream.Record, s *event.Step) error { return p.step(ctx, rec, s) })
	if err == nil {
		err = p.flush(ctx)
	}
	stop()
	p.out.Steps = p.acked.Load()
	p.out.Refused = c.dead
	p.out.Refused.merge(&c.read)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if err != nil {
		return p.out, fmt.Errorf("%w; %s acknowledged, %s perhaps stored besides; sending all again is harmless where steps have ids",
			err, count(p.out.Steps, "step was", "steps were"), count(p.inPack+p.inBurst, "more was", "more were"))
	}
	return p.out, nil
}

// span gives the first and the last time in the inputs, None when no step has
// one.
func span(ctx context.Context, in *Inputs) (first, last int64, err error) {
	first, last = event.None, event.None
	c := newCollector(in)
	log := NewChain(in, c.refuse)
	defer func() { _ = log.Close() }() // read only
	c.locate = log.Locate
	err = c.steps(ctx, log, func(rec *stream.Record, s *event.Step) error {
		if t := timeOf(rec, s); t != event.None {
			if first == event.None || t < first {
				first = t
			}
			last = max(last, t)
		}
		return nil
	})
	return first, last, err
}

// timeOf is when a step happened: its event time, else when a log took it.
func timeOf(rec *stream.Record, s *event.Step) int64 {
	switch {
	case s.Time != event.None:
		return s.Time
	case s.LogTime != event.None:
		return s.LogTime
	case rec.Time != stream.NoTime:
		return rec.Time
	}
	return event.None
}

// publishing is one run of Publish. The reader's goroutine alone has it, but for
// acked.
type publishing struct {
	to    sender
	keyed bool
	speed Speed
	pack  int64
	most  int // bytes of a message
	shift int64
	out   *Published
	acked atomic.Int64

	begun  time.Time // when the step of the time first was sent
	first  int64
	latest int64 // time sent so far
	timed  bool  // first and latest are set
	line   []byte

	packs   map[string]*pack // that are being made, by trajectory, or one of all
	order   []string         // of the packs, oldest first
	inPack  int64            // steps in them
	packed  int              // bytes in them
	burst   []message
	inBurst int64 // steps
	bytes   int
}

// pack is a message that is being made.
type pack struct {
	text  []byte
	steps int64
}

func (p *publishing) step(ctx context.Context, rec *stream.Record, s *event.Step) error {
	t := timeOf(rec, s)
	if err := p.pace(ctx, t); err != nil {
		return err
	}
	// What was without a time got its log's; another log would give another.
	s.Time, s.LogTime = t, event.None
	if t != event.None {
		s.Time += p.shift
	}
	p.line = event.AppendStep(p.line[:0], s)
	if len(p.line) > p.most {
		return fmt.Errorf("a step of %d bytes is larger than the server takes, %d; raise max_payload there", len(p.line), p.most)
	}
	key := ""
	if p.keyed {
		key = string(s.TrajectoryID)
	}
	if k := p.packs[key]; k != nil && len(k.text)+1+len(p.line) > min(p.most, maxPacked) {
		if err := p.close(ctx, key); err != nil {
			return err
		}
	}
	k := p.packs[key]
	if k == nil {
		k = &pack{}
		p.packs[key] = k
		p.order = append(p.order, key)
	} else {
		k.text = append(k.text, '\n')
	}
	k.text = append(k.text, p.line...)
	k.steps++
	p.inPack++
	p.packed += len(p.line)
	switch {
	case k.steps >= p.pack:
		return p.close(ctx, key)
	case p.packed > burstBytes:
		return p.closeAll(ctx)
	}
	return nil
}

// close ends a message that is being made.
func (p *publishing) close(ctx context.Context, key string) error {
	k := p.packs[key]
	delete(p.packs, key)
	p.order = slices.DeleteFunc(p.order, func(o string) bool { return o == key })
	return p.add(ctx, key, k)
}

// closeAll ends all of them.
func (p *publishing) closeAll(ctx context.Context) error {
	order := p.order
	p.order = nil
	for _, key := range order {
		k := p.packs[key]
		delete(p.packs, key)
		if err := p.add(ctx, key, k); err != nil {
			return err
		}
	}
	return nil
}

func (p *publishing) add(ctx context.Context, key string, k *pack) error {
	p.inPack -= k.steps
	p.packed -= len(k.text)
	p.burst = append(p.burst, message{key: []byte(key), value: k.text})
	p.bytes += len(k.text)
	p.inBurst += k.steps
	if len(p.burst) >= burstMessages || p.bytes >= burstBytes {
		return p.send(ctx)
	}
	return nil
}

func (p *publishing) send(ctx context.Context) error {
	if len(p.burst) == 0 {
		return nil
	}
	if err := p.to.Publish(ctx, p.burst); err != nil {
		return err
	}
	p.out.Messages += int64(len(p.burst))
	p.acked.Add(p.inBurst)
	p.burst, p.inBurst, p.bytes = p.burst[:0], 0, 0
	return nil
}

func (p *publishing) flush(ctx context.Context) error {
	if err := p.closeAll(ctx); err != nil {
		return err
	}
	return p.send(ctx)
}

// pace waits until a step is due. One without a time, or of an earlier one than
// the step before, is due at once.
func (p *publishing) pace(ctx context.Context, t int64) error {
	if p.speed == 0 || t == event.None {
		return nil
	}
	if !p.timed {
		p.begun, p.first, p.latest, p.timed = time.Now(), t, t, true
		return nil
	}
	if t <= p.latest {
		return nil
	}
	p.latest = t
	wait := time.Until(p.begun.Add(time.Duration(t-p.first) / time.Duration(p.speed)))
	if wait <= 0 {
		return nil
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(time.Until(p.begun.Add(time.Duration(t-p.first) / time.Duration(p.speed))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WriteSummary says what was sent and what was refused.
func (v *Published) WriteSummary(w io.Writer, s Style) error {
	p := &printer{w: w, style: s}
	p.line("published %s in %s to %s", count(v.Steps, "step", "steps"), count(v.Messages, "message", "messages"), v.To)
	p.skipped(v.Skipped)
	p.refused(&v.Refused)
	return p.err
}
