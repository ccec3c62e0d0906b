package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// GapsSubject takes an event for each data gap.
const GapsSubject = "agent.gaps"

// Gap is a run of records that a log does not hold any more, or never did: what
// they were part of is judged without them. It is the event on GapsSubject.
type Gap struct {
	Version   int       `json:"v"`
	Time      time.Time `json:"time"` // when it was found
	Source    string    `json:"source"`
	Partition int32     `json:"partition"`
	From      int64     `json:"from"` // first and last offset
	To        int64     `json:"to"`
}

// PublishGap puts a data gap into ResultsStream, unless it lies within the last
// one there: a restart finds the same again.
func PublishGap(ctx context.Context, nc *nats.Conn, g Gap) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("publish data gap: %w", err)
	}
	last, err := lastGap(ctx, nc)
	if err != nil {
		return fmt.Errorf("publish data gap: %w", err)
	}
	if last.Source == g.Source && last.Partition == g.Partition && last.From <= g.From && g.To <= last.To {
		return nil
	}
	g.Version = 1
	data, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("publish data gap: %w", err)
	}
	if _, err := js.Publish(ctx, GapsSubject, data, jetstream.WithExpectStream(ResultsStream)); err != nil {
		return fmt.Errorf("publish data gap: %w", classify(err))
	}
	return nil
}

// lastGap reads the newest event, the zero value when there is none.
func lastGap(ctx context.Context, nc *nats.Conn) (Gap, error) {
	var g Gap
	resp, err := nc.RequestWithContext(ctx, apiMessageGet+ResultsStream, []byte(`{"last_by_subj":"`+GapsSubject+`"}`))
	if err != nil {
		return g, classify(err)
	}
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Data []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(resp.Data, &got); err != nil {
		return g, err
	}
	if got.Error != nil {
		if got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return g, nil
		}
		return g, classify(got.Error)
	}
	if err := json.Unmarshal(got.Message.Data, &g); err != nil {
		return Gap{}, nil // not one of ours: it says nothing
	}
	return g, nil
}
