package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/detect"
	"misstep/stream"
	"misstep/stream/jetstream"
)

// bench is an embedded server with its streams, in a folder of its own.
type bench struct {
	dir    string
	server *jetstream.Embedded
	conns  []*nats.Conn
}

func newBench(ctx context.Context) (*bench, error) {
	dir, err := os.MkdirTemp("", "misstep-pipebench-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir}
	b.server, err = jetstream.StartEmbedded(jetstream.EmbeddedOptions{Dir: dir, Listen: "127.0.0.1:0", SyncInterval: time.Second})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	nc, err := b.connect("streams")
	if err == nil {
		err = errors.Join(jetstream.EnsureSteps(ctx, nc, jetstream.Limits{}), jetstream.EnsureResults(ctx, nc, jetstream.Limits{}),
			jetstream.EnsureCheckpoints(ctx, nc, jetstream.Limits{}))
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) connect(name string) (*nats.Conn, error) {
	nc, err := b.server.Connect(name)
	if err == nil {
		b.conns = append(b.conns, nc)
	}
	return nc, err
}

func (b *bench) close() error {
	for _, nc := range b.conns {
		nc.Close()
	}
	return errors.Join(b.server.Close(), os.RemoveAll(b.dir))
}

// consume reads n messages of the stream of steps.
type consume func(ctx context.Context, b *bench, n int) error

// measure publishes values and gives the time until all of them are consumed.
func measure(ctx context.Context, values [][]byte, use consume) (took time.Duration, err error) {
	b, err := newBench(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	nc, err := b.connect("publisher")
	if err != nil {
		return 0, err
	}
	published := make(chan error, 1)
	began := time.Now()
	go func() { published <- publish(ctx, nc, values) }()
	err = use(ctx, b, len(values))
	took = time.Since(began)
	return took, errors.Join(err, <-published)
}

func publish(ctx context.Context, nc *nats.Conn, values [][]byte) error {
	p, err := jetstream.NewPublisher(nc, jetstream.PublisherOptions{})
	if err != nil {
		return err
	}
	const at = 256 // messages in one call
	for len(values) > 0 {
		n := min(at, len(values))
		msgs := make([]jetstream.StepMessage, n)
		for i, v := range values[:n] {
			msgs[i].Value = v
		}
		if err := p.Publish(ctx, msgs); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// plain is an ordered consumer of the client library.
func plain(ctx context.Context, b *bench, n int) error {
	nc, err := b.connect("consumer")
	if err != nil {
		return err
	}
	js, err := natsjs.New(nc)
	if err != nil {
		return err
	}
	c, err := js.OrderedConsumer(ctx, jetstream.StepsStream, natsjs.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	done := make(chan struct{})
	read := 0
	cc, err := c.Consume(func(natsjs.Msg) {
		if read++; read == n {
			close(done)
		}
	})
	if err != nil {
		return err
	}
	defer cc.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until ends a log after so many records.
type until struct {
	*jetstream.Log
	left int
	stop context.CancelFunc
}

func (u *until) Read(ctx context.Context, dst []stream.Record) (int, error) {
	if u.left == 0 {
		u.stop()
		<-ctx.Done()
		return 0, ctx.Err()
	}
	n, err := u.Log.Read(ctx, dst[:min(len(dst), u.left)])
	u.left -= n
	return n, err
}

// engine is the detector's, reading from b.
func engine(ctx context.Context, b *bench, checkpoints bool, log func(*jetstream.Log) stream.Log, tap func([]stream.Output)) (*stream.Engine[event.Step], error) {
	nc, err := b.connect("engine")
	if err != nil {
		return nil, err
	}
	l, err := jetstream.OpenLog(ctx, nc, jetstream.LogOptions{})
	if err != nil {
		return nil, err
	}
	rules, err := detectors.NewRuleset(detectors.Config{})
	if err != nil {
		return nil, err
	}
	results := jetstream.NewResults(nc)
	var c stream.Checkpointing
	if checkpoints {
		c.Ruleset = rules.Hash()
		if c.Store, err = jetstream.NewCheckpoints(nc, results); err != nil {
			return nil, err
		}
	}
	return stream.New(stream.Options[event.Step]{
		Program: detect.NewProgram(rules, l.Source(), l.Partition()), Log: log(l), Results: results,
		Ownership: b.server.Ownership(), Checkpoint: c, Tap: tap,
	})
}

func withCheckpoints(ctx context.Context, b *bench, n int) error { return detector(ctx, b, n, true) }

func withoutCheckpoints(ctx context.Context, b *bench, n int) error {
	return detector(ctx, b, n, false)
}

// detector reads n messages with the engine, and ends it.
func detector(ctx context.Context, b *bench, n int, checkpoints bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e, err := engine(ctx, b, checkpoints, func(l *jetstream.Log) stream.Log { return &until{l, n, cancel} }, nil)
	if err != nil {
		return err
	}
	if err := e.Run(ctx); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}
