package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"misstep/detectors"
	"misstep/internal/config"
)

func parsed(t *testing.T, src string) *config.Config {
	t.Helper()
	c, err := config.Parse("c", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hashOf(t *testing.T, c *config.Config) string {
	t.Helper()
	rules, err := c.Ruleset()
	if err != nil {
		t.Fatal(err)
	}
	return rules.Hash()
}

// TestReload: what is good is put in force and what is bad is not, and both are
// told, in the log and in the metrics.
func TestReload(t *testing.T) {
	first := parsed(t, "idle: 10m")
	var log bytes.Buffer
	var now int64 = 1000
	r := newReloader(first, hashOf(t, first), func() time.Time { return time.Unix(now, 0) }, zerolog.New(&log))
	var loaded *config.Config
	var loadErr, secretErr, applyErr error
	var applied []string
	r.load = func() (*config.Config, error) { return loaded, loadErr }
	r.secrets = func() error { return secretErr }
	apply := func(_ context.Context, rules *detectors.Ruleset) error {
		if applyErr == nil {
			applied = append(applied, rules.Hash())
		}
		return applyErr
	}
	r.apply = apply
	registry := prometheus.NewPedanticRegistry()
	if err := r.register(registry); err != nil {
		t.Fatal(err)
	}
	other := parsed(t, "idle: 20m\nbudgets: {max_calls: 3}")
	bad := errors.New("c:1:1: idle: found nothing")
	secret := errors.New("token file t: is empty")
	inForce := hashOf(t, first)
	failures := 0.0
	var when int64 = 1000
	for _, c := range []struct {
		name                string
		load                *config.Config
		loadErr, secret, to error
		noApply             bool
		applied             bool
		says                string // in the log
	}{
		{name: "the same", load: first, says: `"message":"reloaded; the ruleset is the same"`},
		{name: "a bad file", loadErr: bad, says: `"error":"c:1:1: idle: found nothing"`},
		{name: "a bad secret", load: other, secret: secret, says: `"error":"token file t: is empty"`},
		{name: "the engine does not take it", load: other, to: errors.New("no"), says: "in force: no"},
		{name: "another", load: other, applied: true, says: `"settings":["budgets.max_calls","idle"],"message":"reloaded; another ruleset is in force"`},
		{name: "again", load: other, says: "the ruleset is the same"},
		{name: "back", load: first, applied: true, says: `"old":"` + hashOf(t, other) + `","new":"` + hashOf(t, first) + `"`},
		{name: "what waits", load: parsed(t, "idle: 10m\nshards: 3\ndata: x"), says: `"settings":["data","shards"],"message":"these settings changed and wait for a restart"`},
		{name: "nobody to take it", load: other, noApply: true, says: "the ruleset changed and waits for a restart"},
	} {
		now++
		log.Reset()
		applied = nil
		loaded, loadErr, secretErr, applyErr = c.load, c.loadErr, c.secret, c.to
		r.apply = apply
		if c.noApply {
			r.apply = nil
		}
		r.reload(t.Context())
		failed := c.loadErr != nil || c.secret != nil || c.to != nil
		good := 1.0
		if failed {
			failures++
			good = 0
		} else {
			when = now
		}
		if c.applied {
			inForce = hashOf(t, c.load)
		}
		if c.applied != (len(applied) == 1) || r.ruleset() != inForce {
			t.Errorf("%s: applied %q, in force is %s, want %s", c.name, applied, r.ruleset(), inForce)
		}
		if !strings.Contains(log.String(), c.says) || failed != strings.Contains(log.String(), `"level":"error"`) {
			t.Errorf("%s: the log says %s, want %s", c.name, log.String(), c.says)
		}
		if testutil.ToFloat64(r.failures) != failures || testutil.ToFloat64(r.good) != good || testutil.ToFloat64(r.when) != float64(when) {
			t.Errorf("%s: metrics are %v, %v, %v, want %v, %v, %v", c.name,
				testutil.ToFloat64(r.failures), testutil.ToFloat64(r.good), testutil.ToFloat64(r.when), failures, good, when)
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	r.load = nil
	log.Reset()
	r.reload(t.Context())
	if !strings.Contains(log.String(), "there is no configuration file") {
		t.Errorf("without a file the log says %s", log.String())
	}
}

// TestReloadWhileStopping: an apply that the stop cuts off is no failure, and
// nothing is read after it.
func TestReloadWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, other := parsed(t, ""), parsed(t, "idle: 20m")
		var log bytes.Buffer
		r := newReloader(first, hashOf(t, first), time.Now, zerolog.New(&log))
		loads := 0
		r.load = func() (*config.Config, error) { loads++; return other, nil }
		r.apply = func(ctx context.Context, _ *detectors.Ruleset) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan os.Signal, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.run(ctx, asked)
		}()
		// A storm of signals while one is worked on is one more at most.
		for range 100 {
			select {
			case asked <- os.Interrupt:
			default:
			}
			synctest.Wait()
		}
		cancel()
		<-done
		if loads != 1 || testutil.ToFloat64(r.failures) != 0 || strings.Contains(log.String(), "failed") {
			t.Errorf("%d loads, %v failures: %s", loads, testutil.ToFloat64(r.failures), log.String())
		}
	})
}
