package sinks

import (
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"misstep/event"
)

// PrometheusOptions say what is counted, and bound the labels.
type PrometheusOptions struct {
	// Detectors are the names of the enabled ones, whose coverage is given.
	Detectors []string
	// MaxWorkflows is how many workflows have series of their own, and MaxTools
	// how many tools of each. The first to come take the places; all others
	// share the label Other.
	MaxWorkflows, MaxTools int
}

const (
	// Other is the label of all that came after a cap was reached.
	Other = "__other__"
	// NoWorkflow is the label of steps that name no workflow.
	NoWorkflow = "_"

	// maxLabel is how many columns of a foreign name make up a label.
	maxLabel = 96
)

// Prometheus counts failures and tasks since the process started. Its counters
// are approximate where the records are exact: they know nothing of what an
// earlier process saw, and never go back when a late outcome changes a task.
type Prometheus struct {
	opts      PrometheusOptions
	workflows map[string]*workflow
	closed    bool

	failures, tasks, revisions, toolCalls *prometheus.CounterVec
	escalations, abstained, refused       *prometheus.CounterVec
	steps, cost, duration                 *prometheus.HistogramVec
	coverage                              *prometheus.GaugeVec
}

// workflow is what is kept of one workflow label.
type workflow struct {
	label     string
	tools     map[string]bool // by label
	tasks     int64
	abstained []int64 // tasks that a detector could not judge in full, as Detectors are ordered
}

// NewPrometheus registers the metrics. It fails when the registry has others by
// the same names, or when a cap is below 1.
func NewPrometheus(r prometheus.Registerer, o PrometheusOptions) (*Prometheus, error) {
	if o.MaxWorkflows < 1 || o.MaxTools < 1 {
		return nil, fmt.Errorf("prometheus: caps are %d workflows and %d tools, want 1 at least", o.MaxWorkflows, o.MaxTools)
	}
	p := &Prometheus{opts: o, workflows: map[string]*workflow{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets ...float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"workflow"})
	}
	p.failures = counter("misstep_failures_total",
		"Failures found: each once at the severity at which it opened, and once more at each higher severity that it escalated to.",
		"class", "rule", "severity", "workflow")
	p.tasks = counter("misstep_tasks_total",
		"Tasks closed, by the outcome known then; abandoned ones went idle.", "workflow", "outcome")
	p.revisions = counter("misstep_task_revisions_total",
		"Tasks whose outcome a late verdict changed after they were counted: add by now and subtract by was.", "workflow", "was", "now")
	p.toolCalls = counter("misstep_tool_calls_total",
		"Tool calls of closed tasks, by how they ended or whose fault it was that they failed.", "workflow", "tool", "status")
	p.escalations = counter("misstep_escalations_total",
		"Tasks that were handed over, by to whom; each task once for each.", "workflow", "to")
	p.abstained = counter("misstep_abstained_total",
		"Tasks that a detector could not judge in full, by what was missing.", "detector", "reason")
	p.refused = counter("misstep_refused_total",
		"Step events that could not be decoded and went to the dead letter, by reason.", "reason")
	p.steps = histogram("misstep_task_steps",
		"Step events of each closed task.", 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
	p.cost = histogram("misstep_task_cost_usd",
		"Cost in US dollars of each closed task whose cost is known.", .001, .003, .01, .03, .1, .3, 1, 3, 10, 30)
	p.duration = histogram("misstep_task_duration_seconds",
		"Event time from the first step to the last of each closed task.", 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)
	p.coverage = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "misstep_coverage_ratio",
		Help: "Share of the tasks closed since the start that a detector could judge in full.",
	}, []string{"detector", "workflow"})
	for _, c := range []prometheus.Collector{
		p.failures, p.tasks, p.revisions, p.toolCalls, p.escalations, p.abstained, p.refused, p.steps, p.cost, p.duration, p.coverage,
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("prometheus: %w", err)
		}
	}
	return p, nil
}

// Name is prometheus.
func (p *Prometheus) Name() string { return "prometheus" }

// Write counts; it never blocks.
func (p *Prometheus) Write(ctx context.Context, records []Record) error {
	if p.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, r := range records {
		switch v := r.Value.(type) {
		case *event.Failure:
			p.failure(v)
		case *event.TaskRecord:
			p.task(v)
		case *event.DeadLetter:
			p.refused.WithLabelValues(reason(v.Reason)).Inc()
		}
	}
	return nil
}

// Close ends the sink; the metrics stay registered.
func (p *Prometheus) Close() error {
	p.closed = true
	return nil
}

func (p *Prometheus) failure(f *event.Failure) {
	if f.State == event.StateResolved {
		return
	}
	p.failures.WithLabelValues(f.Class.String(), cleanLabel(f.Rule), f.Severity.String(), p.workflow(f.Workflow).label).Inc()
}

func (p *Prometheus) task(r *event.TaskRecord) {
	w := p.workflow(r.Workflow)
	if r.Rev > 0 {
		if r.Was != nil && r.Was.Outcome != r.Now.Outcome {
			p.revisions.WithLabelValues(w.label, r.Was.Outcome.String(), r.Now.Outcome.String()).Inc()
		}
		return
	}
	p.tasks.WithLabelValues(w.label, r.Now.Outcome.String()).Inc()
	p.steps.WithLabelValues(w.label).Observe(float64(max(r.Steps, 0)))
	p.duration.WithLabelValues(w.label).Observe(float64(max(r.WallMS, 0)) / 1e3)
	if r.CostMicroUSD > 0 {
		p.cost.WithLabelValues(w.label).Observe(float64(r.CostMicroUSD) / 1e6)
	}
	for _, to := range r.Escalated {
		p.escalations.WithLabelValues(w.label, escalation(to)).Inc()
	}
	for i := range r.Tools {
		p.tool(w, &r.Tools[i])
	}
	p.judged(w, r.Coverage)
}

func (p *Prometheus) tool(w *workflow, u *event.ToolUse) {
	label := w.tool(u.Tool, p.opts.MaxTools)
	for _, c := range [...]struct {
		status string
		n      int64
	}{
		{"ok", u.OK},
		{"agent_fault", u.AgentFault},
		{"tool_fault", u.ToolFault},
		{"user_fault", u.UserFault},
		{"timeout", u.Timeout},
		{"denied", u.Denied},
		{"unknown", u.Unknown},
	} {
		if c.n > 0 {
			p.toolCalls.WithLabelValues(w.label, label, c.status).Add(float64(c.n))
		}
	}
}

// judged counts which detectors could judge one task, and why the others could
// not: a reason counts once for a task, however many rules it kept quiet.
func (p *Prometheus) judged(w *workflow, missing []event.Abstention) {
	w.tasks++
	for i, name := range p.opts.Detectors {
		var reasons []string
		for _, a := range missing {
			if a.Detector == name && !slices.Contains(reasons, a.Reason) {
				reasons = append(reasons, a.Reason)
			}
		}
		for _, reason := range reasons {
			p.abstained.WithLabelValues(name, cleanLabel(reason)).Inc()
		}
		if len(reasons) > 0 {
			w.abstained[i]++
		}
		p.coverage.WithLabelValues(name, w.label).Set(1 - float64(w.abstained[i])/float64(w.tasks))
	}
}

// workflow gives the state of a workflow, or of those beyond the cap.
func (p *Prometheus) workflow(name string) *workflow {
	label := NoWorkflow
	if name != "" {
		label = cleanLabel(name)
	}
	if w := p.workflows[label]; w != nil {
		return w
	}
	if len(p.workflows) >= p.opts.MaxWorkflows {
		label = Other
		if w := p.workflows[label]; w != nil {
			return w
		}
	}
	w := &workflow{label: label, tools: map[string]bool{}, abstained: make([]int64, len(p.opts.Detectors))}
	p.workflows[label] = w
	return w
}

// tool gives the label of a tool, of which a workflow remembers so many.
func (w *workflow) tool(name string, most int) string {
	label := cleanLabel(name)
	if w.tools[label] {
		return label
	}
	if len(w.tools) >= most {
		return Other
	}
	w.tools[label] = true
	return label
}

// cleanLabel makes a foreign name fit to be a label: valid, printable and
// short. Names that it makes the same share a series.
func cleanLabel(name string) string { return clean(name, maxLabel) }

// escalation gives the label of whom a task was handed to, one of four.
func escalation(to string) string {
	for i := range event.NumEscalations {
		if s := event.EscalationTo(i).String(); s == to {
			return s
		}
	}
	return event.EscalationUnknown.String()
}

// reason gives the label of why an event was refused, one of few.
func reason(word string) string {
	for i := range event.NumReasons {
		if s := event.Reason(i).String(); s == word {
			return s
		}
	}
	return Other
}
