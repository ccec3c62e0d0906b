package jetstream

import (
	"context"
	"encoding/json"
	"fmt"

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

// lastOutput gives the origin of the last output of a partition that the stream
// holds, empty when there is none. They stand in the order of their origins, so
// the last one has the highest.
func (r *Results) lastOutput(ctx context.Context, p place) (string, error) {
	last, first, err := r.ends(ctx)
	if err != nil {
		return "", err
	}
	for seq, n := last, 0; seq >= max(first, 1) && n < maxSearched; seq, n = seq-1, n+1 {
		m, err := r.message(ctx, map[string]any{"seq": seq})
		if err != nil {
			return "", err
		}
		if m == nil || len(m.Header) == 0 {
			continue // removed, or no output
		}
		h, err := nats.DecodeHeadersMsg(m.Header)
		if err != nil {
			return "", fmt.Errorf("message %d: %w", seq, err)
		}
		o, err := stream.ParseOrigin(h.Get(HeaderOrigin))
		if err == nil && o.Source == p.source && o.Partition == p.partition {
			return o.String(), nil
		}
	}
	return "", nil
}

// ends gives the sequences of the last and the first message of the stream.
func (r *Results) ends(ctx context.Context) (last, first uint64, err error) {
	js, err := jetstream.New(r.nc, jetstream.WithDefaultTimeout(r.timeout))
	if err != nil {
		return 0, 0, err
	}
	s, err := js.Stream(ctx, ResultsStream)
	if err != nil {
		return 0, 0, classify(err)
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return 0, 0, nil
	}
	return state.LastSeq, state.FirstSeq, nil
}
