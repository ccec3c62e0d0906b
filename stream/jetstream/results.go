package jetstream

import (
	"context"
	"encoding/json"
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
	// maxSingles is how many outputs are published without a batch: as many as
	// take no longer than one.
	maxSingles = 8
	// busyTries is how often a single output is sent to a clustered stream that
	// has not finished the one before.
	busyTries = 8
	// answerTimeout is how long an answer of the server may take.
	answerTimeout = 10 * time.Second
)

const (
	headerExpected   = "Nats-Expected-Last-Subject-Sequence"
	headerExpectedOf = headerExpected + "-Subject"
)

// Results takes outputs to ResultsStream. Every write is conditional on the
// partition's fence, a message that says whose the partition is and up to which
// origin it is published: the server stores what is written only while the fence
// is the one that this owner has seen. Whoever takes a partition over writes its
// fence anew, and so do those who are not sure what became of a write, before
// they look; what was sent earlier is refused from then on, however late it
// arrives. So each output is in the stream once, and a stale owner's are refused.
//
// Few outputs are published one after the other, each when the one before it is
// stored, so that there are never holes: those after the fence count as well as
// those that it names, and whoever takes over looks for them. Many outputs are
// one atomic batch with the next fence as its last message, or several in order
// where it is larger than the server takes. A batch of one would do, but a server
// that keeps one replica stages each batch in a folder of its own, which it syncs
// three times: milliseconds, where a single message costs a tenth of one.
//
// Its methods may be called by any goroutine, but an Append holds up others.
type Results struct {
	nc      *nats.Conn
	owner   string
	timeout time.Duration // of an answer
	// send asks for the answer to a message; another function in tests.
	send func(context.Context, *nats.Msg) (*nats.Msg, error)

	mu     sync.Mutex
	fences map[place]*fence
}

// NewResults makes an owner of its own on the stream, which EnsureResults has
// made.
func NewResults(nc *nats.Conn) *Results {
	return &Results{nc: nc, owner: nuid.Next(), timeout: answerTimeout, send: nc.RequestMsgWithContext, fences: map[place]*fence{}}
}

// Fence takes a partition over: it writes its fence in this owner's name.
func (r *Results) Fence(ctx context.Context, source string, partition int32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.move(ctx, place{source, partition}, false)
	return err
}

// Last gives the highest origin of a partition in the stream. Its error is
// stream.ErrFenced when this owner had the partition and another has it now: so
// that what the other published does not count as this one's own.
func (r *Results) Last(ctx context.Context, source string, partition int32) (stream.Origin, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := place{source, partition}
	f, err := r.lastFence(ctx, p)
	if err != nil {
		return stream.Origin{}, false, fmt.Errorf("last origin of %s/%d: %w", source, partition, err)
	}
	return f.last, f.any, nil
}

// lastFence gives the fence of a partition, with the outputs after it.
func (r *Results) lastFence(ctx context.Context, p place) (*fence, error) {
	f, err := r.readFence(ctx, p)
	if err != nil {
		return nil, err
	}
	if known := r.fences[p]; known != nil {
		if f.body.Owner == r.owner && f.seq == known.seq && !known.unsure {
			return known, nil
		}
		return r.move(ctx, p, true)
	}
	if f.body.Open {
		end, err := r.end(ctx)
		if err != nil {
			return nil, err
		}
		return f, r.scan(ctx, p, f.from()+1, end, f.reach)
	}
	return f, nil
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
	f, err := r.held(ctx, p)
	if err != nil {
		return err
	}
	body := f.next(p, r.owner)
	body.Head = head
	return r.renew(ctx, p, f, body)
}

// renew writes the next fence of a partition that this owner has.
func (r *Results) renew(ctx context.Context, p place, f *fence, body fenceBody) error {
	g, err := r.writeFence(ctx, p, f, body)
	if isWrongSequence(err) {
		return r.refused(ctx, p, err)
	}
	if err != nil {
		return err
	}
	r.fences[p] = g
	return nil
}

// Append stores outs. Its errors are stream.ErrFenced, ErrUnavailable,
// ErrStorage and ErrTooLarge where they are one of those. After an error Last
// tells how many of outs are stored.
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

// appendSome stores as many of outs as fit into one batch, or go without one.
func (r *Results) appendSome(ctx context.Context, outs []stream.Output) (int, error) {
	p := place{outs[0].Origin.Source, outs[0].Origin.Partition}
	f, err := r.held(ctx, p)
	if err != nil {
		return 0, err
	}
	if f.any && outs[0].Origin.Compare(f.last) <= 0 {
		return 0, fmt.Errorf("output %v is not after %v, which is there: an earlier write landed whose answer did not come", outs[0].Origin, f.last)
	}
	n := 1
	for n < len(outs) && n < maxBatch-1 && (place{outs[n].Origin.Source, outs[n].Origin.Partition}) == p {
		n++
	}
	if n <= maxSingles {
		return n, r.appendSingles(ctx, p, f, outs[:n])
	}
	return r.appendBatch(ctx, p, f, outs[:n])
}

// appendSingles stores outs one after the other.
func (r *Results) appendSingles(ctx context.Context, p place, f *fence, outs []stream.Output) error {
	if !f.body.Open || f.after >= maxAfter {
		body := f.next(p, r.owner)
		body.Open = true
		if err := r.renew(ctx, p, f, body); err != nil {
			return err
		}
		f = r.fences[p]
	}
	for i := range outs {
		msg, err := outputMsg(&outs[i])
		if err != nil {
			return err
		}
		msg.Header.Set(headerExpected, strconv.FormatUint(f.seq, 10))
		msg.Header.Set(headerExpectedOf, fenceSubject(p.source, p.partition))
		_, err = r.publish(ctx, f, msg)
		for try := 1; isBusy(err) && try < busyTries; try++ {
			_, err = r.publish(ctx, f, msg)
		}
		if isWrongSequence(err) {
			return r.refused(ctx, p, err)
		}
		if err != nil {
			return fmt.Errorf("output %v of %d bytes: %w", outs[i].Origin, len(outs[i].Value), err)
		}
		f.reach(outs[i].Origin)
		f.after++
	}
	return nil
}

// appendBatch stores as many of outs as fit into one batch.
func (r *Results) appendBatch(ctx context.Context, p place, f *fence, outs []stream.Output) (int, error) {
	batch := nuid.Next()
	n, size := 0, 0
	for n < len(outs) && size < maxBatchBytes {
		o := &outs[n]
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
	g := &fence{last: outs[n-1].Origin, any: true}
	next := *f
	next.reach(g.last)
	g.body = next.next(p, r.owner)
	g.body.Open = true
	msg, err := fenceMsg(p, g.body, f.seq)
	if err != nil {
		return 0, err
	}
	inBatch(msg, batch, n+1)
	msg.Header.Set("Nats-Batch-Commit", "1")
	ack, err := r.publish(ctx, f, msg)
	if isWrongSequence(err) {
		return 0, r.refused(ctx, p, err)
	}
	if err != nil {
		return 0, err
	}
	if ack.BatchSize != n+1 {
		return 0, fmt.Errorf("server acknowledged a batch of %d messages, sent %d; NATS 2.12 or later is needed", ack.BatchSize, n+1)
	}
	g.seq = ack.Sequence
	r.fences[p] = g
	return n, nil
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
	resp, err := r.send(ctx, msg)
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
