package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/internal/httpd"
	"misstep/stream"
	"misstep/stream/jetstream"
)

// broker is the NATS server, embedded or the user's, and all that is read and
// written there.
type broker struct {
	server    *jetstream.Embedded // nil: it is the user's
	data      string              // its folder
	term      *term               // the first
	config    *config.NATS
	logger    zerolog.Logger
	connect   func(name string) (*nats.Conn, error)
	read      *nats.Conn // of the engine
	write     *nats.Conn // of intake, so that neither holds the other up
	notify    *nats.Conn // of the sinks; nil without any
	own       *nats.Conn // of the leases; nil with the embedded server
	js        natsjs.JetStream
	gaps      gaps
	publisher *jetstream.Publisher
	ownership stream.Ownership
	leases    *jetstream.Leases // the ownership; nil with the embedded server
}

// openBroker starts the server on the data folder, or connects to the user's,
// and opens what is read and written there.
func openBroker(ctx context.Context, c *config.Config, s *secrets, log zerolog.Logger) (backend, error) {
	if c.Kafka.Used() {
		b, err := openKafka(ctx, c, log)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	b, err := openNATS(ctx, c, s, log)
	if err != nil {
		return nil, err
	}
	return b, nil
}

func openNATS(ctx context.Context, c *config.Config, s *secrets, log zerolog.Logger) (*broker, error) {
	if c.NATS.External() {
		return openExternal(ctx, c, log)
	}
	b := &broker{config: &c.NATS, logger: log}
	b.watchGaps()
	opts := embedded(c, s, log)
	opts.Prepare = func(nc *nats.Conn) error { return b.prepare(ctx, nc) }
	server, err := jetstream.StartEmbedded(opts)
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
	b.server, b.data, b.connect, b.ownership = server, c.Data, server.Connect, server.Ownership()
	if err := b.open(ctx); err != nil {
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

func (b *broker) open(ctx context.Context) (err error) {
	if b.read, err = b.connect("misstep engine"); err != nil {
		return err
	}
	if b.write, err = b.connect("misstep intake"); err != nil {
		return err
	}
	if b.js, err = natsjs.New(b.read); err != nil {
		return fmt.Errorf("JetStream: %w", err)
	}
	if err := b.streams(ctx); err != nil {
		return err
	}
	b.publisher, err = jetstream.NewPublisher(b.write, jetstream.PublisherOptions{Stream: b.config.Stream, Subject: b.config.PublishSubject})
	return err
}

// watchGaps has data gaps told, with events on the connection of intake.
func (b *broker) watchGaps() {
	b.gaps = gaps{log: b.logger, source: b.config.Stream, now: time.Now, publish: func(ctx context.Context, _ int32, from, to int64) error {
		return jetstream.PublishGap(ctx, b.write, jetstream.Gap{Time: time.Now().UTC(), Source: b.config.Stream, From: from, To: to})
	}}
}

// prepare sees to the streams of the embedded server before anybody publishes
// to it.
func (b *broker) prepare(ctx context.Context, nc *nats.Conn) error {
	b.read, b.write = nc, nc
	defer func() { b.read, b.write = nil, nil }()
	if err := b.ownStreams(ctx); err != nil {
		return err
	}
	return jetstream.MendTail(ctx, nc, b.gaps.lost)
}

// openLog opens the log of steps from its beginning, for its caller to close.
func (b *broker) openLog(ctx context.Context) (*jetstream.Log, error) {
	return jetstream.OpenLog(ctx, b.read, jetstream.LogOptions{
		Stream: b.config.Stream, Subject: b.config.Subject, OnGap: func(from, to int64) { b.gaps.found(0, from, to) },
		OnError: func(err error) { b.logger.Warn().Err(err).Msg("trying again") },
	})
}

// newOwner gives a new owner of the results log, and of the checkpoints.
func (b *broker) newOwner() (*jetstream.Results, *jetstream.Checkpoints, error) {
	results := jetstream.NewResults(b.read)
	checkpoints, err := jetstream.NewCheckpoints(b.read, results)
	return results, checkpoints, err
}

// url is where clients connect.
func (b *broker) url() string {
	if b.server == nil {
		return b.read.ConnectedUrlRedacted()
	}
	return b.server.URL()
}

// end is the offset of the last record in the log of steps, 0 when there is
// none.
func (b *broker) end(ctx context.Context) (int64, error) {
	if !b.read.IsConnected() {
		return 0, fmt.Errorf("stream %s: %w", b.config.Stream, jetstream.ErrUnavailable)
	}
	s, err := b.js.Stream(ctx, b.config.Stream)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", b.config.Stream, err)
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return 0, nil
	}
	return int64(state.LastSeq), nil
}

// ownStreams sees to the streams of the embedded server.
func (b *broker) ownStreams(ctx context.Context) error {
	limits := func(c config.Limits) jetstream.Limits {
		return jetstream.Limits{MaxAge: c.MaxAge, MaxBytes: c.MaxBytes}
	}
	steps, results := limits(b.config.Steps), limits(b.config.Results)
	if err := jetstream.EnsureSteps(ctx, b.read, steps); err != nil {
		return err
	}
	if err := jetstream.EnsureResults(ctx, b.read, results); err != nil {
		return err
	}
	if err := jetstream.EnsureCheckpoints(ctx, b.read, jetstream.Limits{}); err != nil {
		return err
	}
	for name, l := range map[string]jetstream.Limits{jetstream.StepsStream: steps, jetstream.ResultsStream: results} {
		changed, err := jetstream.ApplyLimits(ctx, b.read, name, l)
		if err != nil {
			return err
		}
		if changed {
			b.logger.Info().Str("stream", name).Int64("max_bytes", l.MaxBytes).Stringer("max_age", l.MaxAge).
				Msg("the stream has other limits now; 0 bounds nothing")
		}
	}
	return nil
}

// space says how much room the disk has. That of the user's server is its own
// concern.
func (b *broker) space() jetstream.Space {
	if b.server == nil {
		return jetstream.Space{Free: -1}
	}
	return b.server.Space()
}

// degraded says why steps are refused; nil: they are taken.
func (b *broker) degraded() error { return b.space().Error }

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

// close ends the connections, and the embedded server; what was acknowledged is
// on disk then.
func (b *broker) close() error {
	for _, c := range []*nats.Conn{b.notify, b.write, b.read, b.own} {
		if c != nil {
			c.Close()
		}
	}
	if b.server == nil {
		return nil
	}
	return b.server.Close()
}
