package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// maxAfter is how many single outputs follow a fence before it is written anew:
// about what has to be looked at after a crash.
const maxAfter = 256

type place struct {
	source    string
	partition int32
}

// fence is what is known of a partition's fence, which is a message, and of what
// comes after it.
type fence struct {
	seq  uint64 // of the message in the stream, 0 when there is none
	body fenceBody
	last stream.Origin // highest that is in the stream, valid if any
	any  bool
	// after counts the single outputs since the fence.
	after int
	// unsure says that something was sent whose answer did not come, so it may
	// be in the stream, and may still come to be.
	unsure bool
}

type fenceBody struct {
	Version   int    `json:"v"`
	Source    string `json:"source"` // percent-encoded, since JSON holds no other text than Unicode
	Partition int32  `json:"partition"`
	Owner     string `json:"owner"`            // of the last write
	Term      int64  `json:"term"`             // how often the owner changed
	Origin    string `json:"origin,omitempty"` // highest, absent when there is none
	Head      []byte `json:"head,omitempty"`   // of the checkpoints, see Checkpoints
	// Open says that single outputs may follow whose origins are higher: after
	// the message Since or, where that is 0, after the fence itself.
	Open  bool   `json:"open,omitempty"`
	Since uint64 `json:"since,omitempty"`
}

// fenceVersion is 2; a fence of version 1 is never open.
const fenceVersion = 2

// reach counts an output that is in the stream.
func (f *fence) reach(o stream.Origin) {
	if !f.any || o.Compare(f.last) > 0 {
		f.last, f.any = o, true
	}
}

// next is the body of the fence that follows, closed.
func (f *fence) next(p place, owner string) fenceBody {
	b := f.body
	b.Version, b.Source, b.Partition = fenceVersion, percent(p.source), p.partition
	if b.Owner != owner {
		b.Owner = owner
		b.Term++
	}
	b.Open, b.Since = false, 0
	if b.Origin = ""; f.any {
		b.Origin = f.last.String()
	}
	return b
}

func percent(s string) string {
	return string(stream.AppendPercent(nil, s, func(c byte) bool { return c >= ' ' && c < 0x7f }))
}

// held gives the fence of a partition that this owner has, or takes, in a state
// in which it can be written to.
func (r *Results) held(ctx context.Context, p place) (*fence, error) {
	f := r.fences[p]
	if f == nil || f.unsure {
		var err error
		if f, err = r.move(ctx, p, f != nil); err != nil {
			return nil, err
		}
	}
	if !r.nc.IsConnected() {
		return nil, ErrUnavailable // rather than into a buffer, to land who knows when
	}
	return f, nil
}

// move writes a partition's fence anew, in this owner's name, and only then
// looks for what came after the old one: whatever was sent earlier, by whomever,
// has landed by then or never will, since it expects the old fence. mine says
// that the partition is to be this owner's already.
func (r *Results) move(ctx context.Context, p place, mine bool) (*fence, error) {
	for {
		f, err := r.readFence(ctx, p)
		if err != nil {
			return nil, err
		}
		if mine && f.body.Owner != r.owner {
			return nil, fmt.Errorf("%w (term %d)", stream.ErrFenced, f.body.Term)
		}
		body, from := f.next(p, r.owner), f.from()
		if f.body.Open {
			body.Open, body.Since = true, from // for whoever comes if this one does not get to look
		}
		g, err := r.writeFence(ctx, p, f, body)
		if isWrongSequence(err) {
			continue // another was quicker, and may be still at work
		}
		if err != nil {
			return nil, err
		}
		if body.Open {
			if err := r.scan(ctx, p, from+1, g.seq, g.reach); err != nil {
				return nil, fmt.Errorf("look for outputs after the fence %s: %w", fenceSubject(p.source, p.partition), err)
			}
		}
		r.fences[p] = g
		return g, nil
	}
}

// from is the sequence after which outputs may follow that an open fence does
// not count.
func (f *fence) from() uint64 {
	if f.body.Since > 0 {
		return f.body.Since
	}
	return f.seq
}

// writeFence writes a fence over the one given, and gives it.
func (r *Results) writeFence(ctx context.Context, p place, f *fence, body fenceBody) (*fence, error) {
	msg, err := fenceMsg(p, body, f.seq)
	if err != nil {
		return nil, err
	}
	ack, err := r.publish(ctx, f, msg)
	if err != nil {
		return nil, fmt.Errorf("write fence %s: %w", msg.Subject, err)
	}
	return &fence{seq: ack.Sequence, body: body, last: f.last, any: f.any}, nil
}

// fenceMsg writes a fence over the one with the sequence given.
func fenceMsg(p place, body fenceBody, seq uint64) (*nats.Msg, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	msg := nats.NewMsg(fenceSubject(p.source, p.partition))
	msg.Data = data
	msg.Header.Set(headerExpected, strconv.FormatUint(seq, 10))
	msg.Header.Set("Nats-Rollup", "sub")
	msg.Header.Set("Nats-TTL", "never")
	return msg, nil
}

// publish sends what is written only if the fence is still f, and waits for the
// answer. Whether it is stored is known only when the error is nil, or a wrong
// sequence.
func (r *Results) publish(ctx context.Context, f *fence, msg *nats.Msg) (*pubAck, error) {
	was := f.unsure
	f.unsure = true
	ack, err := r.request(ctx, msg)
	if err == nil || isWrongSequence(err) {
		f.unsure = was
	}
	return ack, err
}

// refused tells why a write did not find the fence that it expected.
func (r *Results) refused(ctx context.Context, p place, cause error) error {
	f, err := r.readFence(ctx, p)
	if err != nil {
		return err
	}
	if f.body.Owner != r.owner {
		return fmt.Errorf("%w (term %d)", stream.ErrFenced, f.body.Term)
	}
	r.fences[p].unsure = true
	return fmt.Errorf("an earlier write landed whose answer did not come: %w", cause)
}

func isWrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == codeWrongLastSequence || api.ErrorCode == codeWrongLastConstant)
}

// isBusy says that a clustered stream has not finished the write before.
func isBusy(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == codeWrongLastConstant
}

// readFence reads a partition's fence from the stream's leader. One that is gone
// has what it said of the outputs from these.
func (r *Results) readFence(ctx context.Context, p place) (*fence, error) {
	subject := fenceSubject(p.source, p.partition)
	m, err := r.message(ctx, map[string]any{"last_by_subj": subject})
	if err != nil {
		return nil, fmt.Errorf("read fence %s: %w", subject, err)
	}
	f := &fence{}
	if m == nil {
		if err := r.lastOutput(ctx, p, f.reach); err != nil {
			return nil, fmt.Errorf("look for the outputs of %s, which is not there: %w", subject, err)
		}
		return f, nil
	}
	f.seq = m.Sequence
	if err := json.Unmarshal(m.Data, &f.body); err != nil {
		return nil, fmt.Errorf("read fence %s: %w; remove it with `nats stream rmm %s %d`, and the outputs tell where to go on", subject, err, ResultsStream, m.Sequence)
	}
	if f.body.Version < 1 || f.body.Version > fenceVersion || f.body.Source != percent(p.source) || f.body.Partition != p.partition {
		return nil, fmt.Errorf("read fence %s: it is of version %d and %s/%d, want version 1 to %d and %s/%d",
			subject, f.body.Version, f.body.Source, f.body.Partition, fenceVersion, percent(p.source), p.partition)
	}
	if f.body.Origin != "" {
		o, err := stream.ParseOrigin(f.body.Origin)
		if err != nil {
			return nil, fmt.Errorf("read fence %s: %w", subject, err)
		}
		f.reach(o)
	}
	return f, nil
}
