package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"misstep/internal/httpd"
	"misstep/stream"
	"misstep/stream/jetstream"
)

// backend is where steps come from and results go to: a NATS server, embedded or
// the user's, or a Kafka cluster of the user's.
type backend interface {
	httpd.Publisher // of steps that come over HTTP

	// first makes what must be there before the detector says that it is up.
	first(ctx context.Context, a *app) error
	// work owns what it can, one term after the other, until ctx ends or
	// something goes wrong that does not pass.
	work(ctx context.Context, a *app) error
	// standingBy says for whom this process waits; nil when it does not.
	standingBy() error
	// lag is how many records of a term's partition were not applied yet.
	lag(ctx context.Context, t *term) (int64, error)
	// drain has all that was taken in applied, if nothing but this process would
	// do so, and returns once the terms have left a checkpoint. ended has the end
	// of work.
	drain(ctx context.Context, a *app, ended chan error) error
	// space says how much room the disk has, and degraded why steps are refused;
	// nil: they are taken.
	space() jetstream.Space
	degraded() error
	// follow gives a follower of the results with a position of its own, and where
	// its dead letters go.
	follow(ctx context.Context, name string) (stream.Follower, deadLetter, error)
	// keyed says that the log of steps keeps each trajectory in one partition.
	keyed() bool
	// where tells where things are.
	where(r *Running)
	// register adds metrics of its own.
	register(r prometheus.Registerer) error
	close() error
}
