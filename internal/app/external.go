package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/stream/jetstream"
)

// openExternal connects to the user's NATS server and opens its streams.
func openExternal(ctx context.Context, c *config.Config, log zerolog.Logger) (*broker, error) {
	n := &c.NATS
	b := &broker{config: n, logger: log, connect: func(name string) (nc *nats.Conn, err error) {
		err = patiently(ctx, log, func() error {
			nc, err = jetstream.Connect(ctx, ConnectOptions(n, name, log))
			return err
		})
		return nc, err
	}}
	b.watchGaps()
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	if err := b.lease(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// A cluster that has just lost a node answers nobody for some seconds, which is
// no reason not to start.
const (
	startPatience = 30 * time.Second
	startRetry    = 500 * time.Millisecond
)

// patiently does f again while the server is connected but does not answer. All
// other errors are mistakes, which are told at once.
func patiently(ctx context.Context, log zerolog.Logger, f func() error) error {
	for end := time.Now().Add(startPatience); ; {
		err := f()
		if err == nil || !errors.Is(err, jetstream.ErrUnavailable) || time.Now().After(end) {
			return err
		}
		log.Warn().Err(err).Msg("cannot start yet; trying again")
		if err := pause(ctx, startRetry); err != nil {
			return err
		}
	}
}

// ConnectOptions says how the configuration reaches the user's NATS server.
func ConnectOptions(n *config.NATS, name string, log zerolog.Logger) jetstream.ConnectOptions {
	return jetstream.ConnectOptions{
		URLs: n.URLs, Name: name, User: n.User, PasswordFile: n.PasswordFile, TokenFile: n.TokenFile,
		NKeyFile: n.NKeyFile, CredentialsFile: n.CredentialsFile,
		TLS: jetstream.TLSOptions{
			CAFile: n.TLS.CAFile, ServerName: n.TLS.ServerName, InsecureSkipVerify: n.TLS.InsecureSkipVerify,
			CertFile: n.TLS.CertFile, KeyFile: n.TLS.KeyFile,
		},
		Logger: log,
	}
}

// streams sees to it that all streams are there. Those of the embedded server are
// since its start.
func (b *broker) streams(ctx context.Context) error {
	if b.server != nil {
		return nil
	}
	var found jetstream.External
	err := patiently(ctx, b.logger, func() (err error) {
		found, err = jetstream.OpenExternal(ctx, b.read, jetstream.ExternalOptions{
			Stream: b.config.Stream, Subject: b.config.Subject, PublishSubject: b.config.PublishSubject, Create: b.config.Create, Replicas: b.config.Replicas,
		})
		return err
	})
	if err == nil && !found.TakesSteps {
		b.logger.Warn().Str("stream", b.config.Stream).Str("subject", b.config.PublishSubject).
			Msg("steps that come over HTTP are refused: the stream does not take their subject, or those of workflows below it; set nats.publish_subject to one that it takes")
	}
	return err
}

// lease opens the bucket of owners, on a connection that what is read does not
// hold up.
func (b *broker) lease(ctx context.Context) (err error) {
	if b.own, err = b.connect("misstep owner"); err != nil {
		return err
	}
	opts := jetstream.LeaseOptions{
		Name: processName(), Lease: b.config.Lease, Subject: b.config.Subject,
		Identity: func(ctx context.Context) (string, error) {
			return jetstream.StreamIdentity(ctx, b.own, b.config.Stream)
		},
		OnStanding: func(holder string) {
			b.logger.Info().Str("owner", holder).Msg("standing by: another process owns the log of steps")
		},
		OnError: func(err error) { b.logger.Warn().Err(err).Msg("lease of the log of steps") },
	}
	err = patiently(ctx, b.logger, func() (err error) {
		b.leases, err = jetstream.OpenLeases(ctx, b.own, opts)
		return err
	})
	b.ownership = b.leases
	return err
}

// processName tells a reader which process this is.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return fmt.Sprintf("process %d on %s", os.Getpid(), host)
}

// WriteTopics writes the commands that make what the configuration needs on a
// NATS server of the user's, and the rights.
func WriteTopics(w io.Writer, n *config.NATS) error {
	return jetstream.WriteTopics(w, jetstream.TopicsOptions{Stream: n.Stream, PublishSubject: n.PublishSubject, Replicas: n.Replicas})
}
