package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// maxSearched is how many of the newest results are looked at for the last one
// of a partition that has no fence: a partition that is new has none either.
const maxSearched = 20_000

// stored is a message of ResultsStream as the server gives it.
type stored struct {
	Sequence uint64 `json:"seq"`
	Header   []byte `json:"hdrs"`
	Data     []byte `json:"data"`
}

// message asks the stream's leader for one message, and gives nil when there is
// none.
func (r *Results) message(ctx context.Context, which map[string]any) (*stored, error) {
	req, err := json.Marshal(which)
	if err != nil {
		return nil, err
	}
	ctx, stop := answered(ctx, r.nc, r.timeout)
	defer stop()
	resp, err := r.nc.RequestWithContext(ctx, apiMessageGet+ResultsStream, req)
	if err != nil {
		return nil, classify(why(ctx, err))
	}
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message stored              `json:"message"`
	}
	if err := json.Unmarshal(resp.Data, &got); err != nil {
		return nil, err
	}
	if got.Error != nil {
		if got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, nil
		}
		return nil, classify(got.Error)
	}
	return &got.Message, nil
}

// lastOutput tells of outputs of a partition that has no fence, the last one that
// the stream holds among them.
func (r *Results) lastOutput(ctx context.Context, p place, found func(stream.Origin)) error {
	end, err := r.end(ctx)
	if err != nil || end == 0 {
		return err
	}
	return r.scan(ctx, p, max(end, maxSearched)-maxSearched+1, end, found)
}

// end gives the sequence of the last message that the stream got, 0 when there
// was none.
func (r *Results) end(ctx context.Context) (uint64, error) {
	js, err := jetstream.New(r.nc, jetstream.WithDefaultTimeout(r.timeout))
	if err != nil {
		return 0, err
	}
	s, err := js.Stream(ctx, ResultsStream)
	if err != nil {
		return 0, classify(err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

const (
	scanners = 8   // requests that are under way in a scan
	scanRun  = 128 // sequences that one goes through in turn
)

// scan tells of each output of a partition among the messages from first to
// last, in no order, never two at a time.
func (r *Results) scan(ctx context.Context, p place, first, last uint64, found func(stream.Origin)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	next := first
	take := func() (from, to uint64) {
		mu.Lock()
		defer mu.Unlock()
		from = next
		next += scanRun
		return from, min(next-1, last)
	}
	tell := func(o stream.Origin) {
		mu.Lock()
		defer mu.Unlock()
		found(o)
	}
	var wg sync.WaitGroup
	for range scanners {
		wg.Go(func() {
			for from, to := take(); from <= last && ctx.Err() == nil; from, to = take() {
				if err := r.scanRun(ctx, p, from, to, tell); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// scanRun is scan, one message after the other.
func (r *Results) scanRun(ctx context.Context, p place, first, last uint64, found func(stream.Origin)) error {
	for seq := max(first, 1); seq <= last; seq++ {
		m, err := r.message(ctx, map[string]any{"seq": seq, "next_by_subj": ">"})
		if err != nil {
			return err
		}
		if m == nil || m.Sequence > last {
			return nil
		}
		seq = m.Sequence
		if len(m.Header) == 0 {
			continue // no output
		}
		h, err := nats.DecodeHeadersMsg(m.Header)
		if err != nil {
			return fmt.Errorf("message %d: %w", seq, err)
		}
		if o, err := stream.ParseOrigin(h.Get(HeaderOrigin)); err == nil && o.Source == p.source && o.Partition == p.partition {
			found(o)
		}
	}
	return nil
}
