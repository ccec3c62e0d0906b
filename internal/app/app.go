// Package app runs the detector: it puts the NATS server, the engine
// with the detect program, the sinks and the HTTP server together, and takes
// them apart again.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/internal/httpd"
	"misstep/internal/notify"
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

	// Reload has the configuration read again by Load, and the files that it
	// names, whenever something comes. Both may be nil.
	Reload <-chan os.Signal
	Load   func() (*config.Config, error)
}

// Running says where a running detector is to be found.
type Running struct {
	HTTP    string // host:port
	NATS    string // URL
	Admin   string // host:port, empty when there is none
	Data    string // empty with a NATS server of the user's
	Stream  string // that holds the steps, or the topic
	Kafka   string // addresses of brokers, empty with NATS
	Group   string // with Kafka
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
	if err := o.Config.CheckAccess(); err != nil {
		return err
	}
	secrets, err := openSecrets(o.Config, o.Log)
	if err != nil {
		return err
	}
	// The stop has a time of its own, which begins when ctx has ended.
	stopCtx, cancelStop := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelStop()
	context.AfterFunc(ctx, func() { time.AfterFunc(stopAll, cancelStop) })

	broker, err := openBroker(ctx, o.Config, secrets, o.Log)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, broker.close()) }()
	// The port is taken before the engine reads the log, so that a mistake shows
	// at once.
	servers, err := listenAll(o.Config)
	if err != nil {
		return err
	}
	a := &app{opts: o, secrets: secrets, broker: broker, registry: prometheus.NewRegistry()}
	a.rules.set(rules)
	a.shares.Store(1)
	if err := a.build(ctx); err != nil {
		if err = errors.Join(err, servers.close()); ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
	defer a.closeSinks(stopCtx)
	return a.run(ctx, stopCtx, servers)
}

// app is one running detector.
type app struct {
	opts      Options
	rules     inForce
	secrets   *secrets
	reloader  *reloader
	broker    backend
	registry  *prometheus.Registry
	terms     terms
	shares    atomic.Int64 // partitions that share the memory
	beginning sync.Mutex   // from the rules that a term begins with to its place in terms
	followers *followers
	notifiers *notifiers
	http      *httpd.Server
	admin     *httpd.Admin // nil: there is none
	readiness readiness
}

func (a *app) build(ctx context.Context) error {
	c := a.opts.Config
	var names []string
	for _, d := range a.rules.get().Detectors() {
		names = append(names, d.Name)
	}
	counts, err := sinks.NewPrometheus(a.registry, sinks.PrometheusOptions{
		Detectors: names, MaxWorkflows: c.Metrics.MaxWorkflows, MaxTools: c.Metrics.MaxTools,
	})
	if err != nil {
		return err
	}
	a.http, err = httpd.New(httpd.Options{
		Publisher: a.broker, Keyed: a.broker.keyed(), Ready: a.readiness.check, Degraded: a.broker.degraded, Access: a.secrets.http,
		Gatherer: a.registry, Register: a.registry, Log: a.opts.Log,
	})
	if err != nil {
		return err
	}
	if c.Admin.Listen != "" {
		a.admin, err = httpd.NewAdmin(httpd.AdminOptions{
			Ready: a.readiness.check, Degraded: a.broker.degraded, Access: a.secrets.admin, Gatherer: a.registry, Log: a.opts.Log,
		})
		if err != nil {
			return err
		}
	}
	a.reloader = newReloader(c, a.rules.get().Hash(), time.Now, a.opts.Log)
	a.reloader.load, a.reloader.secrets, a.reloader.apply = a.opts.Load, a.secrets.reload, a.change
	if err := a.reloader.register(a.registry); err != nil {
		return err
	}
	if err := a.broker.first(ctx, a); err != nil {
		return err
	}
	a.readiness.engine, a.readiness.lag, a.readiness.degraded = a.ready, a.lag, a.broker.degraded
	metrics := newEngineMetrics(a.reloader.ruleset)
	metrics.space = a.broker.space
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
	if err := a.broker.register(a.registry); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if a.notifiers, err = a.openNotifiers(ctx); err != nil {
		return err
	}
	if err := a.registry.Register(notify.NewMetrics(a.notifiers.all)); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	// Last, since it starts a goroutine.
	a.followers = newFollowers(counts, sinks.NewTerminal(a.opts.Out, sinks.TerminalOptionsFor(a.opts.Out, a.opts.Getenv)), a.opts.Log)
	return nil
}

func (a *app) run(ctx, stopCtx context.Context, servers *servers) error {
	engineCtx, stopEngineNow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngineNow()
	engineDone, httpDone, adminDone, reloadDone := make(chan error, 1), make(chan error, 1), make(chan error, 1), make(chan struct{})
	a.notifiers.start()
	go func() { engineDone <- a.broker.work(engineCtx, a) }()
	go func() { httpDone <- a.http.Serve(servers.http) }()
	r := Running{HTTP: servers.http.Addr().String(), Ruleset: a.rules.get().Hash()}
	a.broker.where(&r)
	if a.admin != nil {
		r.Admin = servers.admin.Addr().String()
		go func() { adminDone <- a.admin.Serve(servers.admin) }()
	}
	reloadCtx, stopReload := context.WithCancel(ctx)
	defer stopReload()
	go func() {
		defer close(reloadDone)
		a.reloader.run(reloadCtx, a.opts.Reload)
	}()
	if a.opts.Banner != nil {
		banner(a.opts.Banner, r, a.opts.Config)
	} else {
		a.opts.Log.Info().Str("http", r.HTTP).Str("nats", r.NATS).Str("admin", r.Admin).Str("data", r.Data).Str("stream", r.Stream).Str("ruleset", r.Ruleset).Msg("started")
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
	case err := <-adminDone:
		adminDone <- nil
		failed = ended("admin server", err)
	}
	stopReload()
	<-reloadDone
	a.within(stopCtx, stopHTTP, "requests were cut off", a.http.Shutdown)
	<-httpDone
	if failed == nil {
		a.within(stopCtx, stopEngine, "steps were not applied yet; the next start does", func(ctx context.Context) error {
			return a.broker.drain(ctx, a, engineDone)
		})
	}
	stopEngineNow()
	a.notifiers.stop()
	if a.admin != nil {
		// Last, so that a stop that hangs can be looked into; nobody waits for a
		// profile.
		now, cancel := context.WithCancel(stopCtx)
		cancel()
		_ = a.admin.Shutdown(now) // gives now's error
		<-adminDone
	}
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

func (a *app) closeSinks(ctx context.Context) {
	a.within(ctx, stopSinks, "the terminal is too slow for the last failures; they are in the results log", a.followers.close)
}
