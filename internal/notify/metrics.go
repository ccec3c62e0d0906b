package notify

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics shows what notifiers count.
type Metrics struct {
	all                                         []*Notifier
	lag, sent, filtered, retries, dead, failing *prometheus.Desc
	age                                         *prometheus.Desc
}

// NewMetrics gives a collector for notifiers.
func NewMetrics(all []*Notifier) *Metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("misstep_sink_"+name, help, append([]string{"sink"}, labels...), nil)
	}
	return &Metrics{
		all:      all,
		lag:      desc("lag_records", "Records of the log of results that a sink has not been given yet; 0 where another process feeds it."),
		sent:     desc("sent_total", "Records that a sink took."),
		filtered: desc("filtered_total", "Records that a sink's filter left out."),
		retries:  desc("retries_total", "Tries that failed for a reason that may pass."),
		dead:     desc("dead_letters_total", "Records that went to the dead letter: refused for good, or expired.", "reason"),
		failing:  desc("failing", "1 while the last try of a sink failed, else 0."),
		age:      desc("age_seconds", "How old the last record was when the sink took it, since the log took it."),
	}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.lag, m.sent, m.filtered, m.retries, m.dead, m.failing, m.age} {
		out <- d
	}
}

// askLag bounds how long a log may take to say how far a sink lags.
const askLag = 2 * time.Second

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askLag)
	defer cancel()
	for _, n := range m.all {
		put := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, kind, v, append([]string{n.Name()}, labels...)...)
		}
		s := &n.Stats
		if lag, err := n.Lag(ctx); err == nil {
			put(m.lag, prometheus.GaugeValue, float64(lag))
		}
		put(m.sent, prometheus.CounterValue, float64(s.Sent.Load()))
		put(m.filtered, prometheus.CounterValue, float64(s.Filtered.Load()))
		put(m.retries, prometheus.CounterValue, float64(s.Retries.Load()))
		put(m.dead, prometheus.CounterValue, float64(s.Refused.Load()), "refused")
		put(m.dead, prometheus.CounterValue, float64(s.Expired.Load()), "expired")
		failing := 0.0
		if s.Failing.Load() {
			failing = 1
		}
		put(m.failing, prometheus.GaugeValue, failing)
		put(m.age, prometheus.GaugeValue, time.Duration(s.Age.Load()).Seconds())
	}
}
