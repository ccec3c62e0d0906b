package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/internal/httpd"
	"misstep/stream"
	"misstep/stream/jetstream"
)

// broker is the embedded NATS server and all that is read and written there.
type broker struct {
	server    *jetstream.Embedded
	read      *nats.Conn // of the engine
	write     *nats.Conn // of intake, so that neither holds the other up
	js        natsjs.JetStream
	log       *jetstream.Log
	results   *jetstream.Results
	publisher *jetstream.Publisher
	ownership stream.Ownership
}

// openBroker starts the server on the data folder and opens its streams.
func openBroker(ctx context.Context, c *config.Config, s *secrets, log zerolog.Logger) (*broker, error) {
	server, err := jetstream.StartEmbedded(embedded(c, s, log))
	var port *jetstream.AddrInUseError
	var folder *stream.FolderInUseError
	switch {
	case errors.As(err, &port):
		return nil, anotherAddr(err, "NATS", "--nats", "nats.listen")
	case errors.As(err, &folder):
		return nil, fmt.Errorf("%w with --data, or data in the configuration", err)
	case err != nil:
		return nil, err
	}
	b := &broker{server: server, ownership: server.Ownership()}
	if err := b.open(ctx, c, log); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func embedded(c *config.Config, s *secrets, log zerolog.Logger) jetstream.EmbeddedOptions {
	return jetstream.EmbeddedOptions{
		Dir: c.Data, Listen: c.NATS.Listen, Auth: s.nats, TLS: s.natsTLS, MinFree: c.NATS.MinFree,
		SyncInterval: c.NATS.SyncInterval, SyncAlways: c.NATS.SyncInterval == 0,
		Logger: log.With().Str("from", "nats-server").Logger(),
	}
}

func (b *broker) open(ctx context.Context, c *config.Config, log zerolog.Logger) (err error) {
	if b.read, err = b.server.Connect("misstep engine"); err != nil {
		return err
	}
	if b.write, err = b.server.Connect("misstep intake"); err != nil {
		return err
	}
	if b.js, err = natsjs.New(b.read); err != nil {
		return fmt.Errorf("JetStream: %w", err)
	}
	steps := jetstream.Limits{MaxAge: c.NATS.Steps.MaxAge, MaxBytes: c.NATS.Steps.MaxBytes}
	results := jetstream.Limits{MaxAge: c.NATS.Results.MaxAge, MaxBytes: c.NATS.Results.MaxBytes}
	if err := jetstream.EnsureSteps(ctx, b.read, steps); err != nil {
		return err
	}
	if err := jetstream.EnsureResults(ctx, b.read, results); err != nil {
		return err
	}
	for name, l := range map[string]jetstream.Limits{jetstream.StepsStream: steps, jetstream.ResultsStream: results} {
		changed, err := jetstream.ApplyLimits(ctx, b.read, name, l)
		if err != nil {
			return err
		}
		if changed {
			log.Info().Str("stream", name).Int64("max_bytes", l.MaxBytes).Stringer("max_age", l.MaxAge).Msg("the stream has other limits now; 0 bounds nothing")
		}
	}
	if b.publisher, err = jetstream.NewPublisher(b.write, jetstream.PublisherOptions{}); err != nil {
		return err
	}
	b.results = jetstream.NewResults(b.read)
	b.log, err = jetstream.OpenLog(ctx, b.read, jetstream.LogOptions{
		OnGap: func(from, to int64) {
			log.Warn().Int64("from", from).Int64("to", to).Msg("the log of steps does not hold these records any more; trajectories that they were part of are judged without them")
		},
		OnError: func(err error) { log.Warn().Err(err).Msg("trying again") },
	})
	return err
}

// url is where clients connect.
func (b *broker) url() string { return b.server.URL() }

// end is the offset of the last record in the log of steps, 0 when there is
// none.
func (b *broker) end(ctx context.Context) (int64, error) {
	s, err := b.js.Stream(ctx, b.log.Source())
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", b.log.Source(), err)
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return 0, nil
	}
	return int64(state.LastSeq), nil
}

// space says how much room the disk has.
func (b *broker) space() jetstream.Space { return b.server.Space() }

// degraded says why steps are refused; nil: they are taken.
func (b *broker) degraded() error { return b.server.Space().Error }

// Publish implements httpd.Publisher.
func (b *broker) Publish(ctx context.Context, messages []httpd.Message) error {
	if err := b.degraded(); err != nil {
		return fmt.Errorf("%w: %w", httpd.ErrFull, err) // the server would say so later, or not at all
	}
	out := make([]jetstream.StepMessage, len(messages))
	for i, m := range messages {
		out[i] = jetstream.StepMessage{Workflow: m.Workflow, Value: m.Data}
	}
	err := b.publisher.Publish(ctx, out)
	if errors.Is(err, jetstream.ErrStorage) {
		return fmt.Errorf("%w: %w", httpd.ErrFull, err)
	}
	return err
}

// close ends the server and with it everything; what was acknowledged is on
// disk then.
func (b *broker) close() error {
	if b.log != nil {
		_ = b.log.Close() // gives nil
	}
	for _, c := range []*nats.Conn{b.write, b.read} {
		if c != nil {
			c.Close()
		}
	}
	return b.server.Close()
}
