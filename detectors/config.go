package detectors

import (
	"time"

	"misstep/event"
)

// Config is everything that changes what the detect program puts out. It
// compiles to a ruleset with a hash.
type Config struct {
	// Detectors says what differs from the defaults, by detector name.
	Detectors map[string]DetectorConfig
	// Tools says what no catalogue says of a tool, by name or glob ("get_*").
	// The first that matches in the order given wins, field by field.
	Tools []ToolConfig
	// Policies are what is demanded of calls, the more important first.
	Policies []Policy
	// Suppressions quiet what is known and accepted.
	Suppressions []Suppression
	// Feedback is what people found of rules; the first that is about a rule in
	// a workflow counts.
	Feedback []Feedback
	// ObserveUntil is the event time until which nothing is more than
	// information; zero: never.
	ObserveUntil time.Time
	// Prices give the cost of a step that carries tokens but no cost, by model
	// name or glob, first match first.
	Prices []Price
	// Idle is the log time without a step after which a trajectory's task is
	// closed as abandoned. Default 30 min.
	Idle time.Duration
	// Retain is the log time for which a trajectory whose task has ended is
	// remembered: its ids, so that a late redelivery is known as one, its tools,
	// and the record that a late outcome revises. Default 24 h.
	Retain time.Duration
	// Budgets are caps for tasks whose task_start names none. 0: no cap.
	Budgets Budgets
}

// DetectorConfig adjusts one detector.
type DetectorConfig struct {
	Disabled bool
	Rules    map[string]RuleConfig
}

// RuleConfig adjusts one rule.
type RuleConfig struct {
	Disabled    bool
	MaxSeverity event.Severity // SeverityNone: no limit
}

// ToolConfig is what an operator knows of a tool.
type ToolConfig struct {
	Name     string       // name or glob
	Polls    *bool        // repeating it is normal
	Volatile []string     // top-level parameters that differ in every call and mean nothing
	Effect   event.Effect // EffectUnset: as the catalogue says
}

// Price is what a model costs, in millionths of a dollar for a million tokens.
type Price struct {
	Model                                string
	Input, Output, CacheRead, CacheWrite int64
}

// Budgets cap one task.
type Budgets struct {
	MaxCalls        int64 // tool calls
	MaxCallsPerTool int64 // calls of one tool
	MaxCostMicroUSD int64
	// RunawaySteps is from how many step events on a task counts as runaway,
	// whatever its caps. Default DefaultRunawaySteps.
	RunawaySteps int64
}

// DefaultRunawaySteps is far beyond the 64 steps of the longest of 2,257
// recorded runs, and still a bound on what one task may cost.
const DefaultRunawaySteps = 10_000
