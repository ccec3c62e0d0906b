package app

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/config"
	"misstep/sinks"
	"misstep/stream"
	"misstep/stream/jetstream"
)

func TestReadiness(t *testing.T) {
	var engine error
	lag, ok := int64(7), true
	r := readiness{engine: func() error { return engine }, lag: func() (int64, bool) { return lag, ok }}
	for i, step := range []struct {
		engine error
		lag    int64
		ok     bool
		want   string // empty: ready
	}{
		{errors.New("engine is not running"), 0, true, "engine is not running"},
		{nil, 0, false, "the log of steps does not answer"},
		{nil, 7, true, "catching up: 7 records to go"},
		{nil, 0, true, ""},
		{nil, 5000, true, ""}, // it has caught up once; this is load
		{nil, 0, false, ""},
		{errors.New("results log is out of reach"), 0, true, "results log is out of reach"},
	} {
		engine, lag, ok = step.engine, step.lag, step.ok
		got := ""
		if err := r.check(); err != nil {
			got = err.Error()
		}
		if got != step.want {
			t.Errorf("step %d: got %q, want %q", i, got, step.want)
		}
	}
}

func TestEmbedded(t *testing.T) {
	c := config.Default()
	if o := embedded(c, &secrets{}, zerolog.Nop()); o.SyncAlways || o.SyncInterval != time.Second || o.Dir != c.Data || o.Listen != c.NATS.Listen {
		t.Errorf("the defaults give %+v", o)
	}
	c.NATS.SyncInterval = 0
	if o := embedded(c, &secrets{}, zerolog.Nop()); !o.SyncAlways {
		t.Errorf("always gives %+v", o)
	}
}

func TestEnded(t *testing.T) {
	cause := errors.New("x")
	if err := ended("engine", cause); !errors.Is(err, cause) || err.Error() != "engine: x" {
		t.Error(err)
	}
	if err := ended("engine", nil); err == nil || err.Error() != "engine: has ended of itself" {
		t.Error(err)
	}
}

// hung is a terminal that takes nothing until it is released.
type hung struct{ release chan struct{} }

func (h hung) Write(p []byte) (int, error) {
	<-h.release
	return len(p), nil
}

// TestFollowersTell: what a slow terminal does not show is said, seldom, and
// counted; what counts does not wait for it.
func TestFollowersTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts, err := sinks.NewPrometheus(prometheus.NewRegistry(), sinks.PrometheusOptions{MaxWorkflows: 1, MaxTools: 1})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		terminal := hung{make(chan struct{})}
		f := newFollowers(counts, sinks.NewTerminal(terminal, sinks.TerminalOptions{}), zerolog.New(&log))
		outs := make([]stream.Output, 2*terminalQueue)
		for i := range outs {
			outs[i].Record = &event.Failure{ID: fmt.Sprint(i)}
		}
		warnings := func() int { return strings.Count(log.String(), "the terminal is too slow") }
		f.write(outs[:10])
		synctest.Wait()
		if warnings() != 0 {
			t.Errorf("it warned too early: %s", log.String())
		}
		f.write(outs)
		f.write(outs)
		if warnings() != 1 || f.skipped()["terminal"] == 0 {
			t.Errorf("%d warnings, skipped %v: %s", warnings(), f.skipped(), log.String())
		}
		time.Sleep(tellEvery + time.Second)
		f.write(outs)
		if warnings() != 2 {
			t.Errorf("%d warnings, want a second one: %s", warnings(), log.String())
		}
		close(terminal.release)
		if err := f.close(t.Context()); err != nil {
			t.Error(err)
		}
		f.write(outs[:1])
		if !strings.Contains(log.String(), sinks.ErrClosed.Error()) {
			t.Errorf("a write after the close was not told: %s", log.String())
		}
	})
}

func TestEngineMetrics(t *testing.T) {
	m := newEngineMetrics(func() string { return "0123456789abcdef" })
	stats := stream.Stats{Records: 1, Outputs: 2, Suppressed: 3, AppendFails: 4, Regressions: 5}
	counts := detectors.Counts{Late: 6, TimeAhead: 7, TimeBack: 8, EpisodesCapped: 9, Live: 10}
	counts.Duplicates, counts.Orphans, counts.BadCatalogues = 11, 12, 13
	counts.SchemasCompiled, counts.SchemasRefused, counts.SchemasFallback, counts.Fallbacks = 14, 15, 16, 17
	counts.PressingMessages, counts.PressedDecisions, counts.ReversedDecisions = 22, 23, 24
	counts.Kinds[event.ToolCall] = 18
	lag, known := int64(19), true
	m.engine, m.program = func() stream.Stats { return stats }, func() detectors.Counts { return counts }
	m.lag = func() (int64, bool) { return lag, known }
	m.skipped = func() map[string]int64 { return map[string]int64{"terminal": 20} }
	space := jetstream.Space{Free: 21, Error: errors.New("full")}
	m.space = func() jetstream.Space { return space }
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(m)
	want := map[string]string{
		"records_total": " 1", "outputs_total": " 2", "suppressed_outputs_total": " 3", "append_failures_total": " 4",
		"clock_regressions_total": " 5", "late_total": " 6", "time_ahead_total": " 7", "time_back_total": " 8",
		"episodes_capped_total": " 9", "trajectories": " 10", "duplicates_total": " 11", "orphans_total": " 12",
		"catalogues_refused_total": " 13", "schemas_compiled_total": " 14", "schemas_refused_total": " 15",
		"schemas_fallback_total": " 16", "fallback_calls_total": " 17", "steps_total": `{kind="tool_call"} 18`,
		"applied_lag_records": " 19", "sink_skipped_total": `{sink="terminal"} 20`,
		"pressing_messages_total": " 22", "pressed_decisions_total": " 23", "reversed_decisions_total": " 24",
		"disk_free_bytes": " 21", "steps_refused_for_space": " 1",
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	for name, value := range want {
		if !strings.Contains(text, "\nmisstep_"+name+value+"\n") {
			t.Errorf("there is no misstep_%s%s in\n%s", name, value, text)
		}
	}
	known, space = false, jetstream.Space{Free: -1}
	if n, err := testutil.GatherAndCount(r, "misstep_applied_lag_records"); n != 0 || err != nil {
		t.Errorf("a lag that is not known is shown: %d, %v", n, err)
	}
	if n, err := testutil.GatherAndCount(r, "misstep_disk_free_bytes"); n != 0 || err != nil {
		t.Errorf("a space that is not known is shown: %d, %v", n, err)
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
