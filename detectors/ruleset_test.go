package detectors

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"misstep/event"
)

// TestGlobAgainstRegexp holds globs to the regular expressions that say the
// same.
func TestGlobAgainstRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab*?_")), 0, 8, -1).Draw(t, "pattern")
		name := rapid.StringOfN(rapid.RuneFrom([]rune("ab_*?")), 0, 10, -1).Draw(t, "name")
		re := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		if want := regexp.MustCompile("^(?s:" + re + ")$").MatchString(name); glob(pattern, name) != want {
			t.Fatalf("glob(%q, %q) = %t", pattern, name, !want)
		}
	})
}

// TestGlobIsLinear would not end if each * multiplied the work.
func TestGlobIsLinear(t *testing.T) {
	if glob(strings.Repeat("*a", 200)+"b", strings.Repeat("a", 20_000)) {
		t.Error("a name without b matches")
	}
}

func TestNewRulesetRefuses(t *testing.T) {
	cases := []struct {
		config Config
		want   string
	}{
		{Config{Idle: -time.Second}, "idle: must be above 0, found -1s"},
		{Config{Detectors: map[string]DetectorConfig{"loops": {}}}, "detectors.loops: no such detector; there are " + strings.Join(detectorNames(), ", ")},
		{
			Config{Detectors: map[string]DetectorConfig{"tool_misuse": {Rules: map[string]RuleConfig{"cycle": {}}}}},
			"detectors.tool_misuse.rules.cycle: no such rule; the rules of tool_misuse are " + ruleNames(ToolMisuse),
		},
		{Config{Tools: []ToolConfig{{Name: "a"}, {}}}, `tools[1].name: is empty; give a name or a glob such as "get_*"`},
		{Config{Prices: []Price{{}}}, `prices[0].model: is empty; give a name or a glob such as "get_*"`},
		{Config{Prices: []Price{{Model: "m", CacheWrite: -1}}}, "prices[0]: a price must not be negative"},
		{Config{Budgets: Budgets{MaxCallsPerTool: -1}}, "budgets: a cap must not be negative; leave it out for none"},
	}
	for _, c := range cases {
		if _, err := NewRuleset(c.config); err == nil || err.Error() != c.want {
			t.Errorf("%+v: error %v, want %s", c.config, err, c.want)
		}
	}
}

// TestHashTellsRulesetsApart checks that whatever changes output changes the
// hash, and nothing else does.
func TestHashTellsRulesetsApart(t *testing.T) {
	yes, no := true, false
	rule := func(name string, r RuleConfig) Config {
		return Config{Detectors: map[string]DetectorConfig{"retry_loop": {Rules: map[string]RuleConfig{name: r}}}}
	}
	configs := []Config{
		{},
		{Idle: time.Minute},
		{Detectors: map[string]DetectorConfig{"retry_loop": {Disabled: true}}},
		rule("cycle", RuleConfig{Disabled: true}), rule("budget", RuleConfig{Disabled: true}),
		rule("cycle", RuleConfig{MaxSeverity: event.Info}), rule("cycle", RuleConfig{MaxSeverity: event.Warning}),
		{Tools: []ToolConfig{{Name: "a"}}},
		{Tools: []ToolConfig{{Name: "b"}}},
		{Tools: []ToolConfig{{Name: "a"}, {Name: "b"}}},
		{Tools: []ToolConfig{{Name: "a", Polls: &yes}}},
		{Tools: []ToolConfig{{Name: "a", Polls: &no}}},
		{Tools: []ToolConfig{{Name: "a", Effect: event.EffectWrite}}},
		{Tools: []ToolConfig{{Name: "a", Volatile: []string{"x", "y"}}}},
		{Tools: []ToolConfig{{Name: "a", Volatile: []string{"x y"}}}},
		{Prices: []Price{{Model: "m", Input: 1}}},
		{Prices: []Price{{Model: "m", Output: 1}}},
		{Prices: []Price{{Model: "m", CacheRead: 1}}},
		{Budgets: Budgets{MaxCalls: 1}},
		{Budgets: Budgets{MaxCallsPerTool: 1}},
		{Budgets: Budgets{MaxCostMicroUSD: 1}},
	}
	seen := map[string]int{}
	for i, c := range configs {
		a, err := NewRuleset(c)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if b, _ := NewRuleset(c); b.Hash() != a.Hash() || len(a.Hash()) != 16 {
			t.Errorf("%+v has the hashes %s and %s", c, a.Hash(), b.Hash())
		}
		if j, ok := seen[a.Hash()]; ok {
			t.Errorf("%+v and %+v have the same hash", configs[j], c)
		}
		seen[a.Hash()] = i
	}
	said, _ := NewRuleset(Config{Idle: DefaultIdle, Detectors: map[string]DetectorConfig{"retry_loop": {Rules: map[string]RuleConfig{"cycle": {}}}}})
	if unsaid, _ := NewRuleset(Config{}); said.Hash() != unsaid.Hash() {
		t.Error("saying a default changes the hash")
	}
}

// TestPrices checks what a step without a cost costs.
func TestPrices(t *testing.T) {
	prices := []Price{{Model: "small-*", Input: 150_000, Output: 600_000, CacheRead: 75_000, CacheWrite: 190_000}, {Model: "*", Input: 1_000_000}}
	cases := []struct {
		model, usage string
		want         int64
	}{
		{"small-1", `"input_tokens":1000`, 150},
		{"small-1", `"output_tokens":1000`, 600},
		{"small-1", `"input_tokens":1000,"cache_read_tokens":600,"cache_write_tokens":200`, 30 + 45 + 38},
		{"small-1", `"input_tokens":10,"cache_read_tokens":600`, 45}, // input that leaves out what was cached
		{"small-1", `"input_tokens":3`, 0},                           // 0.45
		{"small-1", `"input_tokens":4`, 1},                           // 0.6
		{"small-1", `"input_tokens":1000,"cost_usd":0.5`, 500_000},
		{"small-1", `"input_tokens":1000,"cost_usd":0`, 0},
		{"large", `"input_tokens":7`, 7},
		{"", `"input_tokens":7`, 7},
	}
	rules, err := NewRuleset(Config{Prices: prices})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		f := &feeder{shard: rules.NewShard(), clock: event.None}
		line := `{"trajectory_id":"t1","kind":"task_end","model":"` + c.model + `","usage":{` + c.usage + `}}`
		f.feed(t, wireStep{line: line})
		if got := f.outs[0].Record.(*event.TaskRecord).CostMicroUSD; got != c.want {
			t.Errorf("%s with %s costs %d micro-USD, want %d", c.model, c.usage, got, c.want)
		}
	}
}

func detectorNames() []string {
	var names []string
	for _, d := range All() {
		names = append(names, d.Name)
	}
	return names
}
