package detectors

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"misstep/detectors/facts"
	"misstep/event"
)

// DefaultIdle is the log time without a step after which a task is closed as
// abandoned as web analytics ends a session.
const DefaultIdle = 30 * time.Minute

// DefaultRetain is how long an ended task is remembered: a verdict that comes
// within a day still counts.
const DefaultRetain = 24 * time.Hour

// Ruleset is a configuration made ready: everything that changes what the
// detect program puts out, with a hash that says which it was. It is
// immutable and may be used by many shards.
type Ruleset struct {
	config    Config
	hash      string
	detectors []*Detector // the enabled ones
	rules     map[*Rule]*setting
	needs     facts.Needs
	options   facts.Options

	suppressed []suppression
	feedback   []feedback
	observe    int64 // event time until which nothing is more than information, 0: never
}

// setting is how a ruleset treats one rule.
type setting struct {
	detector *Detector
	off      bool
	most     event.Severity // SeverityNone: no limit
}

func (s *setting) limit(v event.Severity) event.Severity {
	if s.most != event.SeverityNone {
		return min(v, s.most)
	}
	return v
}

// NewRuleset checks a configuration and makes it ready. An error names the
// field by its path in the configuration file.
func NewRuleset(c Config) (*Ruleset, error) {
	if c.Idle == 0 {
		c.Idle = DefaultIdle
	}
	if c.Retain == 0 {
		c.Retain = DefaultRetain
	}
	if c.Retain < 0 {
		return nil, fmt.Errorf("retain: must be above 0, found %s", c.Retain)
	}
	if c.Idle < 0 {
		return nil, fmt.Errorf("idle: must be above 0, found %s", c.Idle)
	}
	c.Budgets.RunawaySteps = cmp.Or(c.Budgets.RunawaySteps, DefaultRunawaySteps)
	r := &Ruleset{config: c, rules: map[*Rule]*setting{}}
	known := map[string]*Detector{}
	for _, d := range All() {
		known[d.Name] = d
		dc := c.Detectors[d.Name]
		rules := map[string]bool{}
		for _, rule := range d.Rules {
			rules[rule.Name] = true
			rc := dc.Rules[rule.Name]
			off := dc.Disabled || rc.Disabled
			r.rules[rule] = &setting{detector: d, off: off, most: rc.MaxSeverity}
			if !off {
				r.needs |= rule.Needs
			}
		}
		for _, name := range sortedKeys(dc.Rules) {
			if !rules[name] {
				return nil, fmt.Errorf("detectors.%s.rules.%s: no such rule; the rules of %s are %s", d.Name, name, d.Name, ruleNames(d))
			}
		}
		if !dc.Disabled {
			r.detectors = append(r.detectors, d)
		}
	}
	for _, name := range sortedKeys(c.Detectors) {
		if known[name] == nil {
			return nil, fmt.Errorf("detectors.%s: no such detector; there are %s", name, strings.Join(sortedKeys(known), ", "))
		}
	}
	if err := r.compile(); err != nil {
		return nil, err
	}
	if err := r.policies(); err != nil {
		return nil, err
	}
	if !c.ObserveUntil.IsZero() {
		r.observe = c.ObserveUntil.UnixNano()
	}
	r.hash = r.digest()
	return r, nil
}

// Hash names the ruleset: 16 hexadecimal digits. Two with the same hash put out
// the same.
func (r *Ruleset) Hash() string { return r.hash }

// Config is the configuration that the ruleset was made of, with defaults.
func (r *Ruleset) Config() Config { return r.config }

// Detectors are the enabled ones.
func (r *Ruleset) Detectors() []*Detector { return slices.Clone(r.detectors) }

// compile turns names and globs into matchers.
func (r *Ruleset) compile() error {
	r.options.Needs = r.needs
	for i, t := range r.config.Tools {
		match, err := matcher(t.Name)
		if err != nil {
			return fmt.Errorf("tools[%d].name: %w", i, err)
		}
		r.options.Tools = append(r.options.Tools, facts.ToolRule{
			Match: match, Listed: !isGlob(t.Name), Polls: t.Polls, Effect: t.Effect, Volatile: t.Volatile,
		})
	}
	for i, p := range r.config.Prices {
		match, err := matcher(p.Model)
		if err != nil {
			return fmt.Errorf("prices[%d].model: %w", i, err)
		}
		if min(p.Input, p.Output, p.CacheRead, p.CacheWrite) < 0 {
			return fmt.Errorf("prices[%d]: a price must not be negative", i)
		}
		r.options.Prices = append(r.options.Prices, facts.PriceRule{
			Match: match, Input: p.Input, Output: p.Output, CacheRead: p.CacheRead, CacheWrite: p.CacheWrite,
		})
	}
	b := r.config.Budgets
	if min(b.MaxCalls, b.MaxCallsPerTool, b.MaxCostMicroUSD, b.RunawaySteps) < 0 {
		return fmt.Errorf("budgets: a cap must not be negative; leave it out for none")
	}
	return nil
}

func isGlob(s string) bool { return strings.ContainsAny(s, "*?") }

// matcher compiles a name or a glob: * stands for any characters, ? for one.
func matcher(pattern string) (func(string) bool, error) {
	if pattern == "" {
		return nil, fmt.Errorf("is empty; give a name or a glob such as %q", "get_*")
	}
	if !isGlob(pattern) {
		return func(s string) bool { return s == pattern }, nil
	}
	return func(s string) bool { return glob(pattern, s) }, nil
}

// glob matches in time proportional to both lengths: after a mismatch only the
// latest * is tried further on.
func glob(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// digest hashes everything that changes output, each part under its name.
func (r *Ruleset) digest() string {
	h := sha256.New()
	for _, d := range r.detectors {
		fmt.Fprintf(h, "detector %s %d\n", d.Name, d.Version)
		for _, rule := range d.Rules {
			s := r.rules[rule]
			fmt.Fprintf(h, "rule %s %t %s\n", rule.Name, s.off, s.most)
		}
	}
	for _, t := range r.config.Tools {
		polls := "unset"
		if t.Polls != nil {
			polls = fmt.Sprint(*t.Polls)
		}
		fmt.Fprintf(h, "tool %q %s %s %q\n", t.Name, polls, t.Effect, t.Volatile)
	}
	for _, p := range r.config.Prices {
		fmt.Fprintf(h, "price %q %d %d %d %d\n", p.Model, p.Input, p.Output, p.CacheRead, p.CacheWrite)
	}
	r.digestPolicies(h)
	b := r.config.Budgets
	fmt.Fprintf(h, "idle %d\nretain %d\nbudgets %d %d %d %d\n", r.config.Idle, r.config.Retain, b.MaxCalls, b.MaxCallsPerTool, b.MaxCostMicroUSD, b.RunawaySteps)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func ruleNames(d *Detector) string {
	names := make([]string, len(d.Rules))
	for i, r := range d.Rules {
		names[i] = r.Name
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
