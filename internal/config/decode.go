package config

import (
	"errors"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"misstep/detectors"
	"misstep/event"
)

// Parse reads a configuration from src; file is its name in errors. An error
// about its content is an Errors.
func Parse(file string, src []byte) (*Config, error) {
	d := &decoder{file: file}
	c := Default()
	if root, ok := d.parse(src); ok {
		d.root(root, c)
	}
	if len(d.errs) == 0 {
		if _, err := c.Ruleset(); err != nil {
			d.fail(node{}, "%v", err)
		}
	}
	if len(d.errs) > 0 {
		sort.SliceStable(d.errs, func(i, j int) bool { return d.errs[i].Line < d.errs[j].Line })
		return nil, d.errs
	}
	return c, nil
}

func (d *decoder) root(n node, c *Config) {
	var nats node
	d.mapping(
		n,
		field{"data", func(n node) {
			if s, ok := d.text(n, "a folder, such as ./misstep-data"); ok {
				c.Data = s
			}
		}},
		field{"nats", func(n node) {
			nats = n
			d.nats(n, &c.NATS)
		}},
		field{"kafka", func(n node) { d.kafka(n, &c.Kafka) }},
		field{"http", func(n node) { d.http(n, &c.HTTP, func(n node) { d.listen(n, &c.HTTP.Listen) }) }},
		field{"admin", func(n node) {
			d.http(n, &c.Admin, func(n node) {
				if v, ok := n.ast.(*ast.StringNode); ok && v.Value == "off" {
					c.Admin.Listen = ""
					return
				}
				d.listen(n, &c.Admin.Listen)
			})
		}},
		field{"idle", func(n node) { d.duration(n, &c.Detect.Idle, time.Second, 720*time.Hour, "") }},
		field{"retain", func(n node) { d.duration(n, &c.Detect.Retain, time.Second, 720*time.Hour, "") }},
		field{"shards", func(n node) { d.count(n, &c.Shards, 0, 1024) }},
		field{"memory", func(n node) { d.size(n, &c.Memory, 16<<20, 1<<50, ", or none") }},
		field{"checkpoint", func(n node) {
			d.mapping(
				n,
				field{"work", func(n node) { d.duration(n, &c.Checkpoint.Work, 10*time.Millisecond, time.Minute, "") }},
				field{"interval", func(n node) { d.duration(n, &c.Checkpoint.Interval, 100*time.Millisecond, time.Hour, "") }},
			)
		}},
		field{"detectors", func(n node) { d.detectors(n, &c.Detect) }},
		field{"tools", func(n node) { d.list(n, func(n node) { d.tool(n, &c.Detect) }) }},
		field{"policies", func(n node) { d.list(n, func(n node) { d.policy(n, &c.Detect) }) }},
		field{"suppressions", func(n node) { d.list(n, func(n node) { d.suppression(n, &c.Detect) }) }},
		field{"feedback", func(n node) { d.list(n, func(n node) { d.feedback(n, &c.Detect) }) }},
		field{"observe_until", func(n node) { d.observe(n, &c.Detect) }},
		field{"prices", func(n node) { d.list(n, func(n node) { d.price(n, &c.Detect) }) }},
		field{"budgets", func(n node) {
			const most = 1_000_000_000
			b := &c.Detect.Budgets
			d.mapping(
				n,
				field{"max_calls", func(n node) { d.integer(n, &b.MaxCalls, 0, most) }},
				field{"max_calls_per_tool", func(n node) { d.integer(n, &b.MaxCallsPerTool, 0, most) }},
				field{"max_cost_usd", func(n node) { d.millionths(n, &b.MaxCostMicroUSD) }},
				field{"runaway_steps", func(n node) { d.integer(n, &b.RunawaySteps, 1, most) }},
			)
		}},
		field{"sinks", func(n node) { d.list(n, func(n node) { d.sink(n, c) }) }},
		field{"log", func(n node) {
			d.mapping(
				n,
				field{"level", func(n node) { d.choice(n, &c.Log.Level, LogLevels()...) }},
				field{"format", func(n node) { d.choice(n, &c.Log.Format, LogFormats()...) }},
			)
		}},
		field{"metrics", func(n node) {
			d.mapping(
				n,
				field{"max_workflows", func(n node) { d.count(n, &c.Metrics.MaxWorkflows, 1, 10_000) }},
				field{"max_tools", func(n node) { d.count(n, &c.Metrics.MaxTools, 1, 10_000) }},
			)
		}},
	)
	switch {
	case !c.Kafka.Used() || nats.ast == nil:
	case c.NATS.External():
		d.fail(nats, "nats.url names a NATS server and kafka.brokers a Kafka cluster, and the steps come from one of the two; remove nats, or kafka")
	default:
		d.fail(nats, "no NATS server is started when kafka.brokers names a Kafka cluster; remove nats, or kafka")
	}
}

func (d *decoder) count(n node, p *int, lo, hi int64) {
	i := int64(*p)
	d.integer(n, &i, lo, hi)
	*p = int(i)
}

func (d *decoder) sync(n node, p *time.Duration) {
	if v, ok := n.ast.(*ast.StringNode); ok && v.Value == "always" {
		*p = 0
		return
	}
	d.duration(n, p, 10*time.Millisecond, 10*time.Minute, ", or always")
}

func (d *decoder) detectors(n node, c *detectors.Config) {
	known := map[string]*detectors.Detector{}
	var names []string
	for _, det := range detectors.All() {
		known[det.Name] = det
		names = append(names, det.Name)
	}
	d.entries(n, func(key string, at, v node) {
		det := known[key]
		if det == nil {
			d.unknown(at, "no such detector", key, names)
			return
		}
		dc := d.detector(v, det)
		if !dc.Disabled && len(dc.Rules) == 0 {
			return
		}
		if c.Detectors == nil {
			c.Detectors = map[string]detectors.DetectorConfig{}
		}
		c.Detectors[key] = dc
	})
}

func (d *decoder) detector(n node, det *detectors.Detector) detectors.DetectorConfig {
	var dc detectors.DetectorConfig
	var names []string
	for _, r := range det.Rules {
		names = append(names, r.Name)
	}
	d.mapping(
		n,
		field{"enabled", func(n node) { d.enabled(n, &dc.Disabled) }},
		field{"rules", func(n node) {
			d.entries(n, func(key string, at, v node) {
				if !slices.Contains(names, key) {
					d.unknown(at, "no such rule of "+det.Name, key, names)
					return
				}
				rc := d.rule(v)
				if rc == (detectors.RuleConfig{}) {
					return
				}
				if dc.Rules == nil {
					dc.Rules = map[string]detectors.RuleConfig{}
				}
				dc.Rules[key] = rc
			})
		}},
	)
	return dc
}

func (d *decoder) enabled(n node, disabled *bool) {
	on := true
	d.boolean(n, &on)
	*disabled = !on
}

func (d *decoder) rule(n node) detectors.RuleConfig {
	var rc detectors.RuleConfig
	d.mapping(
		n,
		field{"enabled", func(n node) { d.enabled(n, &rc.Disabled) }},
		field{"max_severity", func(n node) {
			all := []event.Severity{event.Info, event.Warning, event.Error, event.Critical}
			words := make([]string, len(all))
			for i, s := range all {
				words[i] = s.String()
			}
			var word string
			d.choice(n, &word, words...)
			// There is nothing above critical, so it limits nothing.
			if i := slices.Index(words, word); i >= 0 && all[i] != event.Critical {
				rc.MaxSeverity = all[i]
			}
		}},
	)
	return rc
}

func (d *decoder) tool(n node, c *detectors.Config) {
	var t detectors.ToolConfig
	d.mapping(
		n,
		field{"name", func(n node) { d.glob(n, &t.Name, "a tool's name, or a glob such as get_*") }},
		field{"polls", func(n node) {
			t.Polls = new(bool)
			d.boolean(n, t.Polls)
		}},
		field{"volatile", func(n node) {
			d.list(n, func(n node) {
				if s, ok := d.text(n, "a parameter's name"); ok {
					t.Volatile = append(t.Volatile, s)
				}
			})
		}},
		field{"effect", func(n node) {
			all := []event.Effect{event.EffectRead, event.EffectWrite, event.EffectIrreversible}
			words := make([]string, len(all))
			for i, e := range all {
				words[i] = e.String()
			}
			var word string
			d.choice(n, &word, words...)
			if i := slices.Index(words, word); i >= 0 {
				t.Effect = all[i]
			}
		}},
	)
	d.require(n, t.Name, "name")
	c.Tools = append(c.Tools, t)
}

func (d *decoder) price(n node, c *detectors.Config) {
	var p detectors.Price
	d.mapping(
		n,
		field{"model", func(n node) { d.glob(n, &p.Model, "a model's name, or a glob such as gpt-4o*") }},
		field{"input_usd_per_mtok", func(n node) { d.millionths(n, &p.Input) }},
		field{"output_usd_per_mtok", func(n node) { d.millionths(n, &p.Output) }},
		field{"cache_read_usd_per_mtok", func(n node) { d.millionths(n, &p.CacheRead) }},
		field{"cache_write_usd_per_mtok", func(n node) { d.millionths(n, &p.CacheWrite) }},
	)
	d.require(n, p.Model, "model")
	c.Prices = append(c.Prices, p)
}

// require complains of a mapping that lacks a field, unless the field was
// complained of already.
func (d *decoder) require(n node, value, name string) {
	sub := n.path + "." + name
	if value != "" || slices.ContainsFunc(d.errs, func(e *Error) bool {
		return strings.HasPrefix(e.Path, sub) || e.Path == n.path
	}) {
		return
	}
	d.fail(n, "%s is missing; add it", name)
}

// glob sets p to a name or a glob.
func (d *decoder) glob(n node, p *string, want string) {
	s, ok := d.text(n, want)
	if !ok {
		return
	}
	if _, err := path.Match(s, ""); errors.Is(err, path.ErrBadPattern) {
		d.fail(n, "found %s; a glob knows *, ? and [a-z], and a backslash before any of them", n.found())
		return
	}
	*p = s
}
