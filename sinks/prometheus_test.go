package sinks_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"misstep/event"
	"misstep/sinks"
	"misstep/sinks/sinktest"
)

func newPrometheus(t *testing.T, o sinks.PrometheusOptions) (*sinks.Prometheus, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	p, err := sinks.NewPrometheus(r, o)
	if err != nil {
		t.Fatal(err)
	}
	return p, r
}

// story is a small day of two workflows.
func story() []sinks.Record {
	failure := func(edit func(*event.Failure)) *event.Failure {
		f := sinktest.Failure(1)
		edit(f)
		return f
	}
	task := func(workflow string, edit func(*event.TaskRecord)) *event.TaskRecord {
		r := &event.TaskRecord{
			Labels: event.Labels{TrajectoryID: "run-1", Workflow: workflow}, Steps: 7, WallMS: 12_500,
			Now: event.TaskVerdict{Outcome: event.OutcomeSuccess},
		}
		edit(r)
		return r
	}
	values := []any{
		failure(func(f *event.Failure) { f.Severity = event.Warning }),
		failure(func(f *event.Failure) { f.Rev, f.State = 1, event.StateEscalated }),
		failure(func(f *event.Failure) { f.Rev, f.State = 2, event.StateResolved }),
		failure(func(f *event.Failure) { f.Class, f.Rule, f.Workflow = event.ToolMisuse, "schema_violation", "" }),
		task("support", func(r *event.TaskRecord) {
			r.CostMicroUSD, r.Tokens = 42_000, 900
			r.Tools = []event.ToolUse{{Tool: "search", OK: 3, AgentFault: 2, ToolFault: 1, UserFault: 4, Timeout: 5, Denied: 6, Unknown: 7}, {Tool: "__unknown__", AgentFault: 1}}
			r.Coverage = []event.Abstention{
				{Detector: "hallucinated_tool", Rule: "invented_tool", Reason: "no_catalogue"},
				{Detector: "hallucinated_tool", Rule: "misspelt_tool", Reason: "no_catalogue"},
				{Detector: "hallucinated_tool", Rule: "unknown_parameter", Reason: "no_schema"},
			}
		}),
		task("support", func(r *event.TaskRecord) {
			r.Now.Outcome, r.Steps, r.WallMS = event.OutcomeEscalated, 300, 7_200_000
			r.Escalated = []string{"guardrail", "human", "the moon"}
		}),
		task("", func(r *event.TaskRecord) { r.Now.Outcome = event.OutcomeAbandoned }),
		task("support", func(r *event.TaskRecord) {
			r.Rev, r.Was, r.Now.Outcome = 1, &event.TaskVerdict{Outcome: event.OutcomeSuccess}, event.OutcomeFailure
		}),
		task("support", func(r *event.TaskRecord) { // only the score changed
			r.Rev, r.Was = 2, &event.TaskVerdict{Outcome: event.OutcomeSuccess, ScoredBy: event.ScoredByJudge}
		}),
		&event.DeadLetter{Reason: "utf8"}, &event.DeadLetter{Reason: "utf8"}, &event.DeadLetter{Reason: "the moon"},
	}
	out := make([]sinks.Record, len(values))
	for i, v := range values {
		out[i].Value = v
	}
	return out
}

func TestPrometheusGolden(t *testing.T) {
	p, r := newPrometheus(t, sinks.PrometheusOptions{
		Detectors: []string{"hallucinated_tool", "retry_loop"}, MaxWorkflows: 10, MaxTools: 10,
	})
	if err := p.Write(t.Context(), story()); err != nil {
		t.Fatal(err)
	}
	want, err := os.Open("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	if err := testutil.GatherAndCompare(r, want); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// TestPrometheusBound lets hostile producers invent names.
func TestPrometheusBound(t *testing.T) {
	const workflows, tools, names = 5, 4, 10_000
	p, r := newPrometheus(t, sinks.PrometheusOptions{Detectors: []string{"retry_loop"}, MaxWorkflows: workflows, MaxTools: tools})
	for i := range names {
		f := sinktest.Failure(i)
		f.Workflow = fmt.Sprint("w", i)
		k := &event.TaskRecord{
			Labels: event.Labels{Workflow: fmt.Sprint("w", i%7)}, Steps: 1, CostMicroUSD: 1,
			Tools:     []event.ToolUse{{Tool: fmt.Sprint("tool", i), OK: 1}},
			Escalated: []string{fmt.Sprint("to", i)},
			Coverage:  []event.Abstention{{Detector: "retry_loop", Reason: "partial"}, {Detector: fmt.Sprint("d", i), Reason: fmt.Sprint("r", i)}},
		}
		if err := p.Write(t.Context(), []sinks.Record{{Value: f}, {Value: k}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, most := range map[string]int{
		"misstep_failures_total":        workflows + 1,
		"misstep_tasks_total":           workflows + 1,
		"misstep_tool_calls_total":      (workflows + 1) * (tools + 1),
		"misstep_escalations_total":     workflows + 1,
		"misstep_abstained_total":       1,
		"misstep_coverage_ratio":        workflows + 1,
		"misstep_task_steps":            workflows + 1,
		"misstep_task_cost_usd":         workflows + 1,
		"misstep_task_duration_seconds": workflows + 1,
	} {
		n, err := testutil.GatherAndCount(r, name)
		if err != nil {
			t.Fatal(err)
		}
		if n > most || n == 0 && most > 0 {
			t.Errorf("%s has %d series, want 1 to %d", name, n, most)
		}
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is lost: what has no series of its own is in the shared one.
	for _, f := range families {
		if f.GetName() != "misstep_failures_total" && f.GetName() != "misstep_tool_calls_total" {
			continue
		}
		var sum float64
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		if sum != names {
			t.Errorf("%s counts %v in all, want %d", f.GetName(), sum, names)
		}
	}
}

func TestPrometheusTwice(t *testing.T) {
	_, r := newPrometheus(t, sinks.PrometheusOptions{MaxWorkflows: 1, MaxTools: 1})
	if _, err := sinks.NewPrometheus(r, sinks.PrometheusOptions{MaxWorkflows: 1, MaxTools: 1}); err == nil {
		t.Error("the same names were registered twice")
	}
	if _, err := sinks.NewPrometheus(prometheus.NewRegistry(), sinks.PrometheusOptions{MaxTools: 1}); err == nil {
		t.Error("a cap of 0 workflows was accepted")
	}
}
