// Package app runs the detector: it puts the NATS server, the engine
// with the detect program, the sinks and the HTTP server together, and takes
// them apart again.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"misstep/detectors"
	"misstep/internal/config"
	"misstep/internal/httpd"
	"misstep/sinks"
)

// Options say what runs. Config, Out and Getenv are required.
type Options struct {
	Config  *config.Config
	Out     io.Writer           // takes the failures, for a reader
	Getenv  func(string) string // says of colours and widths, when Out is a terminal
	Banner  io.Writer           // takes a few lines once all is up; nil: they are logged
	Log     zerolog.Logger      // never told content, nor the ids of trajectories
	Started func(Running)       // called once all is up; nil: nobody is told
}

// Running says where a running detector is to be found.
type Running struct {
	HTTP    string // host:port
	NATS    string // URL
	Data    string // empty with a NATS server of the user's
	Stream  string // that holds the steps
	Ruleset string

	subject string // of steps
}

// The time that a stop may take in all, and its parts.
const (
	stopAll    = 10 * time.Second
	stopHTTP   = 3 * time.Second // requests under way
	stopEngine = 3 * time.Second // steps that were taken in but not applied
	stopSinks  = 2 * time.Second // a slow terminal
)

// Run runs a detector until ctx ends, and then stops it within ten seconds: it
// takes nothing more in, applies what it took, and closes. The error is nil
// when it was ctx that ended it.
func Run(ctx context.Context, o Options) (err error) {
	rules, err := o.Config.Ruleset()
	if err != nil {
		return fmt.Errorf("ruleset: %w", err)
	}
	// The stop has a time of its own, which begins when ctx has ended.
	stopCtx, cancelStop := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelStop()
	context.AfterFunc(ctx, func() { time.AfterFunc(stopAll, cancelStop) })

	broker, err := openBroker(ctx, o.Config, o.Log)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, broker.close()) }()
	// The port is taken before the engine reads the log, so that a mistake shows
	// at once.
	ln, err := listen(o.Config.HTTP.Listen)
	if err != nil {
		return err
	}
	a := &app{opts: o, rules: rules, broker: broker, registry: prometheus.NewRegistry()}
	if err := a.build(ctx); err != nil {
		if err = errors.Join(err, ln.Close()); ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	defer a.closeSinks(stopCtx)
	return a.run(ctx, stopCtx, ln)
}

// app is one running detector.
type app struct {
	opts      Options
	rules     *detectors.Ruleset
	broker    *broker
	registry  *prometheus.Registry
	terms     terms
	followers *followers
	http      *httpd.Server
	readiness readiness
}

func (a *app) build(ctx context.Context) error {
	c := a.opts.Config
	var names []string
	for _, d := range a.rules.Detectors() {
		names = append(names, d.Name)
	}
	counts, err := sinks.NewPrometheus(a.registry, sinks.PrometheusOptions{
		Detectors: names, MaxWorkflows: c.Metrics.MaxWorkflows, MaxTools: c.Metrics.MaxTools,
	})
	if err != nil {
		return err
	}
	a.http, err = httpd.New(httpd.Options{
		Publisher: a.broker, Ready: a.readiness.check, Gatherer: a.registry, Register: a.registry, Log: a.opts.Log,
	})
	if err != nil {
		return err
	}
	if err := a.begin(ctx); err != nil {
		return err
	}
	a.readiness.engine, a.readiness.lag = a.ready, a.lag
	metrics := newEngineMetrics(a.rules.Hash())
	metrics.engine, metrics.program = a.terms.stats, a.terms.counts
	metrics.lag = a.lag
	metrics.skipped = func() map[string]int64 { return a.followers.skipped() }
	for _, m := range []prometheus.Collector{
		metrics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := a.registry.Register(m); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	if err := a.broker.gaps.register(a.registry); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	// Last, since it starts a goroutine.
	a.followers = newFollowers(counts, sinks.NewTerminal(a.opts.Out, sinks.TerminalOptionsFor(a.opts.Out, a.opts.Getenv)), a.opts.Log)
	return nil
}

func (a *app) run(ctx, stopCtx context.Context, ln net.Listener) error {
	engineCtx, stopEngineNow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngineNow()
	engineDone, httpDone := make(chan error, 1), make(chan error, 1)
	go func() { engineDone <- a.work(engineCtx) }()
	go func() { httpDone <- a.http.Serve(ln) }()
	r := Running{HTTP: ln.Addr().String(), NATS: a.broker.url(), Data: a.opts.Config.Data, Ruleset: a.rules.Hash(), Stream: a.opts.Config.NATS.Stream, subject: a.opts.Config.NATS.PublishSubject}
	if a.broker.server == nil {
		r.Data = ""
	}
	if a.opts.Banner != nil {
		banner(a.opts.Banner, r)
	} else {
		a.opts.Log.Info().Str("http", r.HTTP).Str("nats", r.NATS).Str("data", r.Data).Str("stream", r.Stream).Str("ruleset", r.Ruleset).Msg("started")
	}
	if a.opts.Started != nil {
		a.opts.Started(r)
	}

	var failed error
	select {
	case <-ctx.Done():
		a.opts.Log.Info().Msg("stopping")
	case err := <-engineDone:
		engineDone <- nil
		failed = ended("engine", err)
	case err := <-httpDone:
		httpDone <- nil
		failed = ended("HTTP server", err)
	}
	a.within(stopCtx, stopHTTP, "requests were cut off", a.http.Shutdown)
	<-httpDone
	if failed == nil {
		a.within(stopCtx, stopEngine, "steps were not applied yet; the next start does", func(ctx context.Context) error {
			return a.drain(ctx, engineDone)
		})
	}
	stopEngineNow()
	if err := <-engineDone; err != nil && !errors.Is(err, context.Canceled) && failed == nil {
		failed = fmt.Errorf("engine: %w", err)
	}
	a.opts.Log.Info().Err(failed).Msg("stopped")
	return failed
}

// ended tells of a part that was to go on.
func ended(part string, err error) error {
	if err == nil {
		return fmt.Errorf("%s: has ended of itself", part)
	}
	return fmt.Errorf("%s: %w", part, err)
}

// within does one part of the stop in its time, and logs what it means when
// that was not enough.
func (a *app) within(ctx context.Context, most time.Duration, otherwise string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if err := do(ctx); err != nil {
		a.opts.Log.Warn().Err(err).Msg(otherwise)
	}
}

// drain lets the engine apply all that is in the log, and waits for that.
func (a *app) drain(ctx context.Context, engineDone chan error) error {
	if a.standingBy() != nil {
		return nil // nothing was taken in here
	}
	end, err := a.broker.end(ctx)
	if err != nil {
		return err
	}
	a.terms.get().log.endAt(end)
	select {
	case err := <-engineDone:
		engineDone <- err
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *app) closeSinks(ctx context.Context) {
	a.within(ctx, stopSinks, "the terminal is too slow for the last failures; they are in the results log", a.followers.close)
}

// banner tells a person where things are, and what to try.
func banner(w io.Writer, r Running) {
	where := "data in " + r.Data
	if r.Data == "" {
		where = "steps in the stream " + r.Stream
	}
	fmt.Fprintf(w, `misstep is up: ruleset %s, %s
  HTTP  http://%s (POST /v1/steps, /metrics, /readyz)
  NATS  %s (steps to %s, failures from agent.failures.>)
  try   curl -sS http://%s/v1/steps -H 'content-type: application/json' -d '%s'
`, r.Ruleset, where, r.HTTP, r.NATS, r.subject, r.HTTP, trySteps)
}

// trySteps is the shortest story with a failure: a tool that is not there.
const trySteps = `[{"trajectory_id":"t1","kind":"task_start","task":{"tools":[{"name":"search"}]}},` +
	`{"trajectory_id":"t1","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}]`
