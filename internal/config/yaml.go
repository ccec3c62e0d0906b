package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"misstep/detectors"
	"misstep/event"
)

// YAML writes the whole configuration, defaults included, in the form in which
// Parse reads it.
func (c *Config) YAML() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("data: %s", quote(c.Data))
	if !c.Kafka.Used() {
		c.NATS.yaml(p)
	}
	c.Kafka.yaml(p)
	c.HTTP.yaml("http", p)
	c.Admin.yaml("admin", p)
	p("idle: %s", short(c.Detect.Idle))
	p("retain: %s", short(c.Detect.Retain))
	p("shards: %d", c.Shards)
	memory := none
	if c.Memory > 0 {
		memory = FormatSize(c.Memory)
	}
	p("memory: %s", memory)
	p("checkpoint: {work: %s, interval: %s}", short(c.Checkpoint.Work), short(c.Checkpoint.Interval))
	p("detectors:")
	for _, d := range detectors.All() {
		dc := c.Detect.Detectors[d.Name]
		p("  %s:\n    enabled: %t\n    rules:", d.Name, !dc.Disabled)
		for _, r := range d.Rules {
			rc := dc.Rules[r.Name]
			most := rc.MaxSeverity
			if most == event.SeverityNone {
				most = event.Critical
			}
			p("      %s: {enabled: %t, max_severity: %s}", r.Name, !rc.Disabled, most)
		}
	}
	if len(c.Detect.Tools) == 0 {
		p("tools: []")
	} else {
		p("tools:")
	}
	for _, t := range c.Detect.Tools {
		p("  - name: %s", quote(t.Name))
		if t.Polls != nil {
			p("    polls: %t", *t.Polls)
		}
		if len(t.Volatile) > 0 {
			words := make([]string, len(t.Volatile))
			for i, v := range t.Volatile {
				words[i] = quote(v)
			}
			p("    volatile: [%s]", strings.Join(words, ", "))
		}
		if t.Effect != event.EffectUnset {
			p("    effect: %s", t.Effect)
		}
	}
	policyYAML(&c.Detect, p)
	if len(c.Detect.Prices) == 0 {
		p("prices: []")
	} else {
		p("prices:")
	}
	for _, m := range c.Detect.Prices {
		p("  - model: %s", quote(m.Model))
		p("    input_usd_per_mtok: %s", formatMillionths(m.Input))
		p("    output_usd_per_mtok: %s", formatMillionths(m.Output))
		p("    cache_read_usd_per_mtok: %s", formatMillionths(m.CacheRead))
		p("    cache_write_usd_per_mtok: %s", formatMillionths(m.CacheWrite))
	}
	u := c.Detect.Budgets
	p("budgets:\n  max_calls: %d\n  max_calls_per_tool: %d\n  max_cost_usd: %s\n  runaway_steps: %d", u.MaxCalls, u.MaxCallsPerTool, formatMillionths(u.MaxCostMicroUSD), u.RunawaySteps)
	sinksYAML(c.Sinks, p)
	p("log:\n  level: %s\n  format: %s", c.Log.Level, c.Log.Format)
	p("metrics:\n  max_workflows: %d\n  max_tools: %d", c.Metrics.MaxWorkflows, c.Metrics.MaxTools)
	return b.String()
}

func syncWord(t time.Duration) string {
	if t == 0 {
		return "always"
	}
	return short(t)
}

// address quotes what would begin a list: an IPv6 address.
func address(s string) string {
	if strings.HasPrefix(s, "[") {
		return quote(s)
	}
	return s
}

// plain is what YAML reads as a string without quotes, whatever it says: a
// letter or a path at the start, and none of the words for other types.
var (
	plain = regexp.MustCompile(`^(\./|/)?[A-Za-z][A-Za-z0-9_./-]*$`)
	other = regexp.MustCompile(`^(?i:true|false|null|yes|no|on|off|y|n)$`)
)

func quote(s string) string {
	if plain.MatchString(s) && !other.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}
