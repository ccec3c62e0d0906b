package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"misstep/stream"
)

const (
	// maxBatch is how many messages a server takes in one atomic batch.
	maxBatch = 1000
	// maxBatchBytes keeps a batch far below what a server queues for a stream.
	maxBatchBytes = 16 << 20
	// answerTimeout is how long an answer of the server may take.
	answerTimeout = 10 * time.Second
)

// Results takes outputs to ResultsStream. An Append is one atomic batch, or
// several in order where it is larger than the server takes; each batch ends
// with the partition's fence: the highest origin so far and whose it is, written
// only if it is the successor of the fence that this owner has seen. So each
// output is in the stream once, and a stale owner's are refused.
//
// Its methods may be called by any goroutine, but an Append holds up others.
type Results struct {
	nc      *nats.Conn
	owner   string
	timeout time.Duration // of an answer

	mu     sync.Mutex
	fences map[place]*fence
}

type place struct {
	source    string
	partition int32
}

// fence is what is known of a partition's fence, which is a message.
type fence struct {
	seq  uint64 // of the message in the stream, 0 when there is none
	body fenceBody
}

type fenceBody struct {
	Version   int    `json:"v"`
	Source    string `json:"source"` // percent-encoded, since JSON holds no other text than Unicode
	Partition int32  `json:"partition"`
	Owner     string `json:"owner"`            // of the last write
	Term      int64  `json:"term"`             // how often the owner changed
	Origin    string `json:"origin,omitempty"` // highest, absent when there is none
	Head      []byte `json:"head,omitempty"`   // of the checkpoints, see Checkpoints
}

const fenceVersion = 1

func percent(s string) string {
	return string(stream.AppendPercent(nil, s, func(c byte) bool { return c >= ' ' && c < 0x7f }))
}

// NewResults makes an owner of its own on the stream, which EnsureResults has
// made.
func NewResults(nc *nats.Conn) *Results {
	return &Results{nc: nc, owner: nuid.Next(), timeout: answerTimeout, fences: map[place]*fence{}}
}

// Fence takes a partition over: it writes its fence in this owner's name.
func (r *Results) Fence(ctx context.Context, source string, partition int32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.take(ctx, place{source, partition})
	return err
}

// take is Fence, with the lock held.
func (r *Results) take(ctx context.Context, p place) (*fence, error) {
	for {
		f, err := r.readFence(ctx, p)
		if err != nil {
			return nil, err
		}
		if f.body.Owner == r.owner {
			r.fences[p] = f // written, though the answer did not come
			return f, nil
		}
		next := f.body
		next.Version, next.Source, next.Partition = fenceVersion, percent(p.source), p.partition
		next.Owner = r.owner
		next.Term++
		msg, err := fenceMsg(p, next, f.seq)
		if err != nil {
			return nil, err
		}
		ack, err := r.request(ctx, msg)
		if isWrongSequence(err) {
			continue // another was quicker, and may be still at work
		}
		if err != nil {
			return nil, fmt.Errorf("write fence %s: %w", msg.Subject, err)
		}
		f = &fence{seq: ack.Sequence, body: next}
		r.fences[p] = f
		return f, nil
	}
}

// Last gives the highest origin of a partition in the stream. Its error is
// stream.ErrFenced when this owner had the partition and another has it now: so
// that what the other published does not count as this one's own.
func (r *Results) Last(ctx context.Context, source string, partition int32) (stream.Origin, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := place{source, partition}
	f, err := r.readFence(ctx, p)
	if err != nil {
		return stream.Origin{}, false, err
	}
	if f.body.Owner == r.owner {
		r.fences[p] = f // a batch landed whose answer did not come
	} else if r.fences[p] != nil {
		return stream.Origin{}, false, fmt.Errorf("last origin of %s/%d: %w (term %d)", source, partition, stream.ErrFenced, f.body.Term)
	}
	if f.body.Origin == "" {
		return stream.Origin{}, false, nil
	}
	o, err := stream.ParseOrigin(f.body.Origin)
	if err != nil {
		return stream.Origin{}, false, fmt.Errorf("fence %s: %w", fenceSubject(source, partition), err)
	}
	return o, true, nil
}

// head gives the head of the checkpoints that stands in a partition's fence.
func (r *Results) head(ctx context.Context, p place) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := r.readFence(ctx, p)
	if err != nil {
		return nil, err
	}
	return f.body.Head, nil
}

// swing writes another head into a partition's fence, if it is still this
// owner's.
func (r *Results) swing(ctx context.Context, p place, head []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.fences[p]
	if f == nil {
		var err error
		if f, err = r.take(ctx, p); err != nil {
			return err
		}
	}
	if !r.nc.IsConnected() {
		return ErrUnavailable // as in appendSome
	}
	next := f.body
	next.Head = head
	msg, err := fenceMsg(p, next, f.seq)
	if err != nil {
		return err
	}
	ack, err := r.request(ctx, msg)
	if isWrongSequence(err) {
		return r.refused(ctx, p, err)
	}
	if err != nil {
		return fmt.Errorf("write fence %s: %w", msg.Subject, err)
	}
	r.fences[p] = &fence{seq: ack.Sequence, body: next}
	return nil
}

// Append stores outs. Its errors are stream.ErrFenced, ErrUnavailable,
// ErrStorage and ErrTooLarge where they are one of those.
func (r *Results) Append(ctx context.Context, outs []stream.Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(outs) > 0 {
		n, err := r.appendSome(ctx, outs)
		if err != nil {
			return fmt.Errorf("append %d results to %s: %w", len(outs), ResultsStream, err)
		}
		outs = outs[n:]
	}
	return nil
}

// appendSome stores as many of outs as fit into one batch.
func (r *Results) appendSome(ctx context.Context, outs []stream.Output) (int, error) {
	p := place{outs[0].Origin.Source, outs[0].Origin.Partition}
	f := r.fences[p]
	if f == nil {
		var err error
		if f, err = r.take(ctx, p); err != nil {
			return 0, err
		}
	}
	if !r.nc.IsConnected() {
		return 0, ErrUnavailable // rather than into a buffer, to land who knows when
	}
	batch := nuid.Next()
	n, size := 0, 0
	for n < len(outs) && n < maxBatch-1 && size < maxBatchBytes {
		o := &outs[n]
		if (place{o.Origin.Source, o.Origin.Partition}) != p {
			break
		}
		msg, err := outputMsg(o)
		if err != nil {
			return 0, err
		}
		n++
		inBatch(msg, batch, n)
		if err := r.nc.PublishMsg(msg); err != nil {
			return 0, fmt.Errorf("output %v of %d bytes: %w", o.Origin, len(o.Value), classify(err))
		}
		size += len(msg.Data)
	}
	next := f.body
	next.Origin = outs[n-1].Origin.String()
	msg, err := fenceMsg(p, next, f.seq)
	if err != nil {
		return 0, err
	}
	inBatch(msg, batch, n+1)
	msg.Header.Set("Nats-Batch-Commit", "1")
	ack, err := r.request(ctx, msg)
	if isWrongSequence(err) {
		return 0, r.refused(ctx, p, err)
	}
	if err != nil {
		return 0, err
	}
	if ack.BatchSize != n+1 {
		return 0, fmt.Errorf("server acknowledged a batch of %d messages, sent %d; NATS 2.12 or later is needed", ack.BatchSize, n+1)
	}
	r.fences[p] = &fence{seq: ack.Sequence, body: next}
	return n, nil
}

// refused tells why a batch did not find the fence that it expected.
func (r *Results) refused(ctx context.Context, p place, cause error) error {
	f, err := r.readFence(ctx, p)
	if err != nil {
		return err
	}
	if f.body.Owner != r.owner {
		return fmt.Errorf("%w (term %d)", stream.ErrFenced, f.body.Term)
	}
	r.fences[p] = f
	return fmt.Errorf("an earlier batch landed whose answer did not come: %w", cause)
}

func inBatch(msg *nats.Msg, batch string, seq int) {
	msg.Header.Set("Nats-Batch-Id", batch)
	msg.Header.Set("Nats-Batch-Sequence", strconv.Itoa(seq))
}

func outputMsg(o *stream.Output) (*nats.Msg, error) {
	subject, err := subjectOf(o)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{
		Subject: subject,
		Data:    o.Value,
		Header: nats.Header{
			HeaderOrigin:     {o.Origin.String()},
			HeaderTrajectory: {headerValue(o.Key)},
		},
	}, nil
}

// fenceMsg writes a fence over the one with the sequence given.
func fenceMsg(p place, body fenceBody, seq uint64) (*nats.Msg, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	msg := nats.NewMsg(fenceSubject(p.source, p.partition))
	msg.Data = data
	msg.Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(seq, 10))
	msg.Header.Set("Nats-Rollup", "sub")
	msg.Header.Set("Nats-TTL", "never")
	return msg, nil
}

// pubAck is the server's answer to what was published.
type pubAck struct {
	Error     *jetstream.APIError `json:"error"`
	Stream    string              `json:"stream"`
	Sequence  uint64              `json:"seq"`
	BatchID   string              `json:"batch"`
	BatchSize int                 `json:"count"`
}

func (r *Results) request(ctx context.Context, msg *nats.Msg) (*pubAck, error) {
	ctx, stop := answered(ctx, r.nc, r.timeout)
	defer stop()
	resp, err := r.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return nil, classify(why(ctx, err))
	}
	var ack pubAck
	if err := json.Unmarshal(resp.Data, &ack); err != nil {
		return nil, fmt.Errorf("answer to %s: %w", msg.Subject, err)
	}
	if ack.Error != nil {
		return nil, classify(ack.Error)
	}
	if ack.Stream != ResultsStream {
		return nil, fmt.Errorf("subject %s belongs to the stream %q, want %s", msg.Subject, ack.Stream, ResultsStream)
	}
	return &ack, nil
}

func isWrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == codeWrongLastSequence || api.ErrorCode == codeWrongLastConstant)
}

// readFence reads a partition's fence from the stream's leader. One that is gone
// has what it said of the outputs from these.
func (r *Results) readFence(ctx context.Context, p place) (*fence, error) {
	subject := fenceSubject(p.source, p.partition)
	m, err := r.message(ctx, map[string]any{"last_by_subj": subject})
	if err != nil {
		return nil, fmt.Errorf("read fence %s: %w", subject, err)
	}
	if m == nil {
		f := &fence{}
		if f.body.Origin, err = r.lastOutput(ctx, p); err != nil {
			return nil, fmt.Errorf("look for the outputs of %s, which is not there: %w", subject, err)
		}
		return f, nil
	}
	f := &fence{seq: m.Sequence}
	if err := json.Unmarshal(m.Data, &f.body); err != nil {
		return nil, fmt.Errorf("read fence %s: %w; remove it with `nats stream rmm %s %d`, and the outputs tell where to go on", subject, err, ResultsStream, m.Sequence)
	}
	if f.body.Version != fenceVersion || f.body.Source != percent(p.source) || f.body.Partition != p.partition {
		return nil, fmt.Errorf("read fence %s: it is of version %d and %s/%d, want version %d and %s/%d",
			subject, f.body.Version, f.body.Source, f.body.Partition, fenceVersion, percent(p.source), p.partition)
	}
	return f, nil
}
