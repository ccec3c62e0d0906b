package app

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"misstep/detectors"
	"misstep/internal/config"
)

// reloader reads the configuration again while the detector runs. One goroutine
// uses it at a time.
type reloader struct {
	load    func() (*config.Config, error) // nil: there is nothing to read again
	secrets func() error
	// apply puts rules in force from here on and returns once they are. nil: they
	// cannot be changed while the detector runs.
	apply func(ctx context.Context, rules *detectors.Ruleset) error
	now   func() time.Time
	log   zerolog.Logger

	started *config.Config // has the settings that are in force until a restart
	rules   *config.Config // has those of the ruleset in force

	mu   sync.Mutex
	hash string // of the ruleset in force

	failures prometheus.Counter
	good     prometheus.Gauge
	when     prometheus.Gauge
}

func newReloader(started *config.Config, hash string, now func() time.Time, log zerolog.Logger) *reloader {
	r := &reloader{
		started: started, rules: started, hash: hash, now: now, log: log, secrets: func() error { return nil },
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "misstep_config_reload_failures_total", Help: "Reloads of the configuration that failed, so that the one before stayed in force.",
		}),
		good: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "misstep_config_last_reload_successful", Help: "1 when the last reload of the configuration, or the start, was successful, else 0.",
		}),
		when: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "misstep_config_last_reload_success_timestamp_seconds", Help: "When the configuration was last read successfully, in seconds since 1970.",
		}),
	}
	r.succeeded()
	return r
}

// ruleset gives the hash of the ruleset in force. It may be called by any
// goroutine.
func (r *reloader) ruleset() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hash
}

func (r *reloader) succeeded() {
	r.good.Set(1)
	r.when.Set(float64(r.now().UnixMilli()) / 1000)
}

func (r *reloader) register(to prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{r.failures, r.good, r.when} {
		if err := to.Register(c); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}

// run reloads whenever it is asked to, until ctx ends.
func (r *reloader) run(ctx context.Context, asked <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			if ctx.Err() == nil {
				r.reload(ctx)
			}
		}
	}
}

// reload reads the configuration and the secrets again, and puts in force what
// can be without a restart. After a failure all is as it was, but for secrets
// that could be read.
func (r *reloader) reload(ctx context.Context) {
	err := r.try(ctx)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		// It stops, so there is nothing to keep in force.
	default:
		r.failures.Inc()
		r.good.Set(0)
		r.log.Error().Err(err).Str("ruleset", r.hash).Msg("reload failed; the configuration before stays in force")
	}
}

func (r *reloader) try(ctx context.Context) error {
	if r.load == nil {
		r.log.Warn().Msg("asked to reload, but there is no configuration file")
		return nil
	}
	c, err := r.load()
	if err != nil {
		return err
	}
	rules, err := c.Ruleset()
	if err != nil {
		return fmt.Errorf("ruleset: %w", err)
	}
	if err := r.secrets(); err != nil {
		return err
	}
	if _, settings := r.started.Diff(c); len(settings) > 0 {
		r.log.Warn().Strs("settings", settings).Msg("these settings changed and wait for a restart")
	}
	if rules.Hash() == r.hash {
		r.succeeded()
		r.log.Info().Str("ruleset", r.hash).Msg("reloaded; the ruleset is the same")
		return nil
	}
	if r.apply == nil {
		r.succeeded()
		r.log.Warn().Str("old", r.hash).Str("new", rules.Hash()).Msg("the ruleset changed and waits for a restart")
		return nil
	}
	if err := r.apply(ctx, rules); err != nil {
		return fmt.Errorf("put the ruleset %s in force: %w", rules.Hash(), err)
	}
	changed, _ := r.rules.Diff(c)
	old := r.hash
	r.mu.Lock()
	r.hash = rules.Hash()
	r.mu.Unlock()
	r.rules = c
	r.succeeded() // before it is told, so that who reads that finds it so
	r.log.Info().Str("old", old).Str("new", r.hash).Strs("settings", changed).Msg("reloaded; another ruleset is in force")
	return nil
}
