package app

import (
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/build"
	"misstep/stream"
	"misstep/stream/jetstream"
)

// engineMetrics reads the snapshots of the engine and the program whenever
// somebody asks.
type engineMetrics struct {
	engine  func() stream.Stats
	program func() detectors.Counts
	lag     func() (records int64, ok bool)
	skipped func() map[string]int64 // records that a sink did not show, by sink
	space   func() jetstream.Space
	ruleset func() string // hash of the one in force
	info    *prometheus.Desc
	version []string // labels of info, but for the ruleset
	free    *prometheus.Desc
	refuses *prometheus.Desc
	steps   *prometheus.Desc
	skips   *prometheus.Desc
	lagging *prometheus.Desc
	values  []value
}

// value is one metric without labels.
type value struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*stream.Stats, *detectors.Counts) float64
}

func newEngineMetrics(ruleset func() string) *engineMetrics {
	b := build.Read()
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("misstep_"+name, help, labels, nil)
	}
	m := &engineMetrics{
		ruleset: ruleset,
		info:    desc("build_info", "1, labelled with what is running.", "version", "commit", "goversion", "ruleset"),
		version: []string{b.Version, b.Commit, runtime.Version()},
		free:    desc("disk_free_bytes", "Bytes that can still be written where the data folder is."),
		refuses: desc("steps_refused_for_space", "1 while steps are refused because the disk is nearly full or does not take writes, else 0."),
		steps:   desc("steps_total", "Step events applied since the start, those replayed after a restart included, by kind.", "kind"),
		skips:   desc("sink_skipped_total", "Records that a slow sink did not take; all are in the results log.", "sink"),
		lagging: desc("applied_lag_records", "Records in the log of steps that were not applied yet."),
	}
	add := func(kind prometheus.ValueType, name, help string, of func(*stream.Stats, *detectors.Counts) float64) {
		m.values = append(m.values, value{desc(name, help), kind, of})
	}
	engine := func(name, help string, of func(*stream.Stats) int64) {
		add(prometheus.CounterValue, name, help, func(s *stream.Stats, _ *detectors.Counts) float64 { return float64(of(s)) })
	}
	program := func(name, help string, of func(*detectors.Counts) uint64) {
		add(prometheus.CounterValue, name, help, func(_ *stream.Stats, c *detectors.Counts) float64 { return float64(of(c)) })
	}
	engine("records_total", "Records of the log of steps applied since the start.", func(s *stream.Stats) int64 { return s.Records })
	engine("outputs_total", "Outputs that the results log took.", func(s *stream.Stats) int64 { return s.Outputs })
	engine("suppressed_outputs_total", "Outputs that the results log had taken in an earlier run.", func(s *stream.Stats) int64 { return s.Suppressed })
	engine("append_failures_total", "Writes to the results log that failed and were tried again.", func(s *stream.Stats) int64 { return s.AppendFails })
	engine("clock_regressions_total", "Records whose log time was before that of an earlier one.", func(s *stream.Stats) int64 { return s.Regressions })
	engine("checkpoints_total", "Checkpoints that became current.", func(s *stream.Stats) int64 { return s.Checkpoints })
	engine("checkpoint_failures_total", "Checkpoints that failed, so that the one before stayed current.", func(s *stream.Stats) int64 { return s.CheckpointFails })
	engine("checkpoint_fallbacks_total", "Checkpoints that a start could not use, so that it began with an earlier one or with the log.", func(s *stream.Stats) int64 { return s.Fallbacks })
	engine("idle_advances_total", "Times that the log clock was advanced without a record.", func(s *stream.Stats) int64 { return s.Advances })
	add(prometheus.CounterValue, "checkpoint_cpu_seconds_total", "Time spent on encoding the state, summed over all shards.",
		func(s *stream.Stats, _ *detectors.Counts) float64 { return s.CheckpointCost.Seconds() })
	add(prometheus.GaugeValue, "checkpoint_bytes", "Size of the current checkpoint.",
		func(s *stream.Stats, _ *detectors.Counts) float64 { return float64(s.CheckpointBytes) })
	add(prometheus.GaugeValue, "checkpoint_seconds", "Time from the freeze of the state until the checkpoint was current, of the last one.",
		func(s *stream.Stats, _ *detectors.Counts) float64 { return s.CheckpointTook.Seconds() })
	add(prometheus.GaugeValue, "checkpoint_position", "Offset of the last record that the current checkpoint holds, -1 when there is none.",
		func(s *stream.Stats, _ *detectors.Counts) float64 { return float64(s.CheckpointOffset) })
	add(prometheus.GaugeValue, "checkpoint_timestamp_seconds", "When the state of the last checkpoint was frozen, in seconds since 1970; 0 when none was since the start.",
		func(s *stream.Stats, _ *detectors.Counts) float64 { return float64(s.CheckpointTime/1e6) / 1000 })
	program("duplicates_total", "Step events dropped because their id was seen in the trajectory.", func(c *detectors.Counts) uint64 { return c.Duplicates })
	program("orphans_total", "Tool results without a call.", func(c *detectors.Counts) uint64 { return c.Orphans })
	program("late_total", "Outcomes and feedback that came when no task was left for them.", func(c *detectors.Counts) uint64 { return c.Late })
	program("time_ahead_total", "Event times too far ahead of log time, replaced by it.", func(c *detectors.Counts) uint64 { return c.TimeAhead })
	program("time_back_total", "Event times before an earlier one of the trajectory, replaced by it.", func(c *detectors.Counts) uint64 { return c.TimeBack })
	program("episodes_capped_total", "Failures not opened because too many were open in the trajectory.", func(c *detectors.Counts) uint64 { return c.EpisodesCapped })
	program("catalogues_refused_total", "Tool catalogues that could not be read.", func(c *detectors.Counts) uint64 { return c.BadCatalogues })
	program("schemas_compiled_total", "Parameter schemas made ready.", func(c *detectors.Counts) uint64 { return c.SchemasCompiled })
	program("schemas_refused_total", "Parameter schemas that cannot be used.", func(c *detectors.Counts) uint64 { return c.SchemasRefused })
	program("schemas_fallback_total", "Parameter schemas that the general, slower validator takes.", func(c *detectors.Counts) uint64 { return c.SchemasFallback })
	program("fallback_calls_total", "Tool calls that the general, slower validator judged.", func(c *detectors.Counts) uint64 { return c.Fallbacks })
	program("pressing_messages_total", "User messages that pressed an agent to decide or answer otherwise.", func(c *detectors.Counts) uint64 { return c.PressingMessages })
	program("pressed_decisions_total", "Denials of an agent that a user pressed against.", func(c *detectors.Counts) uint64 { return c.PressedDecisions })
	program("reversed_decisions_total", "Decisions turned round under pressure with nothing new.", func(c *detectors.Counts) uint64 { return c.ReversedDecisions })
	program("forgotten_total", "Ended trajectories forgotten before their time, for want of memory.", func(c *detectors.Counts) uint64 { return c.Forgotten })
	program("evicted_total", "Live trajectories closed for want of memory.", func(c *detectors.Counts) uint64 { return c.Evicted })
	program("evicted_open_total", "Those of them that had an open failure.", func(c *detectors.Counts) uint64 { return c.EvictedOpen })
	program("shortened_total", "Trajectories that keep fewer calls, since they grew too large.", func(c *detectors.Counts) uint64 { return c.Shortened })
	add(prometheus.GaugeValue, "state_bytes", "Memory of the state of all trajectories, about.",
		func(_ *stream.Stats, c *detectors.Counts) float64 { return float64(c.Bytes) })
	add(prometheus.GaugeValue, "ended_trajectories", "Trajectories in memory whose task has ended.",
		func(_ *stream.Stats, c *detectors.Counts) float64 { return float64(c.Ended) })
	add(prometheus.GaugeValue, "trajectories", "Trajectories in memory.",
		func(_ *stream.Stats, c *detectors.Counts) float64 { return float64(c.Live) })
	return m
}

// Describe implements prometheus.Collector.
func (m *engineMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.info
	out <- m.free
	out <- m.refuses
	out <- m.steps
	out <- m.skips
	out <- m.lagging
	for _, v := range m.values {
		out <- v.desc
	}
}

// Collect implements prometheus.Collector.
func (m *engineMetrics) Collect(out chan<- prometheus.Metric) {
	stats, counts := m.engine(), m.program()
	out <- prometheus.MustNewConstMetric(m.info, prometheus.GaugeValue, 1, append(slices.Clip(m.version), m.ruleset())...)
	space := m.space()
	if space.Free >= 0 {
		out <- prometheus.MustNewConstMetric(m.free, prometheus.GaugeValue, float64(space.Free))
	}
	refuses := 0.0
	if space.Error != nil {
		refuses = 1
	}
	out <- prometheus.MustNewConstMetric(m.refuses, prometheus.GaugeValue, refuses)
	for k, n := range counts.Kinds {
		out <- prometheus.MustNewConstMetric(m.steps, prometheus.CounterValue, float64(n), event.Kind(k).String())
	}
	for name, n := range m.skipped() {
		out <- prometheus.MustNewConstMetric(m.skips, prometheus.CounterValue, float64(n), name)
	}
	if lag, ok := m.lag(); ok {
		out <- prometheus.MustNewConstMetric(m.lagging, prometheus.GaugeValue, float64(lag))
	}
	for _, v := range m.values {
		out <- prometheus.MustNewConstMetric(v.desc, v.kind, v.of(&stats, &counts))
	}
}
