package facts

import (
	"misstep/detectors/lexicon"
	"misstep/detectors/schema"
	"misstep/event"
)

// Workspace is what the trajectories of one shard share: interned names,
// compiled catalogues and scratch space. It belongs to one goroutine, and
// nothing in it decides what comes out.
type Workspace struct {
	Counts Counts
	// Cur is what the latest Apply found out about its step.
	Cur Current

	needs    Needs
	rules    []ToolRule
	policies []Policy
	prices   []PriceRule

	names         map[string]string
	catalogues    map[uint64][]cachedCatalogue
	numCatalogues int
	looseTools    map[string]*Tool
	spare         []*Agent // of retired trajectories, for reuse
	params        map[string]param
	kinds         map[string]uint32
	restored      map[string]*Tool // by ToolSpec, while states are restored

	spareProvenance []*Provenance

	canon    event.Canonicalizer
	path     []byte
	args     []byte
	argNames []uint64
	text     []byte
	masked   []byte
	drop     func(key []byte) bool
	dropFor  *Tool

	scanner        lexicon.Scanner
	toolNames      lexicon.Scanner
	message        []byte // the text that Cur.Said reads
	tokens         []token
	things         []uint32
	stems          []uint16
	content        []uint16 // of the user's latest message
	answerWords    []uint16
	shift          Shift
	scalarFlip     ScalarFlip
	flips          []Flip
	spareDecisions []*Decisions // of ended tasks, for reuse
	slot           slotLexer
	leaves         []Leaf
	asks           []Ask
	leafText       []byte
	branches       int
	spareSlots     []*Slots // of ended tasks, for reuse
	plan           []byte   // a plan or a result that stood in a string
	said           callText // by the call at hand
	words          []word
	tokenSet       [setWords]uint64
}

// Counts are what a workspace met, for metrics; they only grow.
type Counts struct {
	Duplicates      uint64 // steps dropped because their id was seen
	Orphans         uint64 // results without a call
	SchemasCompiled uint64
	SchemasRefused  uint64
	SchemasFallback uint64 // schemas that the general validator takes
	Fallbacks       uint64 // calls that the general validator took
	BadCatalogues   uint64
	// Pressure on agents: user messages that pressed, denials that a user pressed
	// against, and those of them that were turned round with nothing new.
	PressingMessages, PressedDecisions, ReversedDecisions uint64
}

// Add adds the counts of another workspace.
func (c *Counts) Add(d Counts) {
	c.Duplicates += d.Duplicates
	c.Orphans += d.Orphans
	c.SchemasCompiled += d.SchemasCompiled
	c.SchemasRefused += d.SchemasRefused
	c.SchemasFallback += d.SchemasFallback
	c.Fallbacks += d.Fallbacks
	c.BadCatalogues += d.BadCatalogues
	c.PressingMessages += d.PressingMessages
	c.PressedDecisions += d.PressedDecisions
	c.ReversedDecisions += d.ReversedDecisions
}

// PriceRule is what the models whose name matches cost, in micro-USD for a
// million tokens.
type PriceRule struct {
	Match                                func(model string) bool
	Input, Output, CacheRead, CacheWrite int64
}

// Options are what a workspace is made of.
type Options struct {
	Needs  Needs // what the enabled rules need; nothing else is computed
	Tools  []ToolRule
	Prices []PriceRule
	// Policies are what is demanded of calls, the more important first.
	Policies []Policy
}

// NewWorkspace gives an empty workspace.
func NewWorkspace(o Options) *Workspace {
	w := &Workspace{
		needs: o.Needs, rules: o.Tools, policies: o.Policies, prices: o.Prices,
		names:      map[string]string{},
		catalogues: map[uint64][]cachedCatalogue{},
		looseTools: map[string]*Tool{},
		params:     map[string]param{},
		kinds:      map[string]uint32{},
	}
	w.drop = func(key []byte) bool { return w.dropFor.volatile[string(key)] }
	return w
}

// Current is what one step brought.
type Current struct {
	Step  *event.Step
	Now   int64 // event time of the step, monotone in its trajectory, ns; 0 when Time is None
	Time  int64 // the same, event.None while the trajectory has shown no time at all
	Agent *Agent
	// Call is the call that a tool_call makes or that a tool_result answers;
	// nil for other kinds and for a result without a call.
	Call *Call
	// Catalogue is what the agent was offered when it made the call; nil when
	// it was never seen.
	Catalogue *Catalogue
	// Violations are what is wrong with the arguments of a tool_call, when the
	// tool's schema is known.
	Violations schema.Violations
	// Leaves are the scalar arguments of a tool_call, where slots are asked for
	// and a user pinned something; scratch space of the workspace.
	Leaves []Leaf
	// Asks is what an agent_message asks the user for, in the same case.
	Asks []Ask
	// Output are what is wrong with a tool_result, when the tool's output schema
	// is known.
	Output schema.Violations
	// Grounds say where the identifiers and amounts in the arguments of a
	// tool_call come from.
	Grounds []Ground
	Lacks   Needs // what could not be known of this step
	// ErrorText is the text of a failed result in lower case, cut at 2 KiB;
	// scratch space of the workspace.
	ErrorText []byte
	// Said is the user's or agent's message, read; nil for other kinds, and for one
	// that nobody can read.
	Said *lexicon.Text
	// Flips are the decisions that the step turned round under pressure.
	Flips []Flip
	// ScalarFlip is a short answer that the step changed under pressure, Shift how
	// an answer under pressure compares with the one before; nil for none.
	ScalarFlip *ScalarFlip
	Shift      *Shift
	// Plan is how the step fits the agent's plan.
	Plan Matched
	// Fresh is what it brought that was new.
	Fresh Fresh
}

// maxNames bounds the interned names; hostile labels only cost copies.
const maxNames = 16384

// intern gives an owned copy of a name, shared while the table has room.
func (w *Workspace) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := w.names[string(b)]; ok {
		return s
	}
	if len(w.names) >= maxNames {
		clear(w.names)
	}
	s := string(b)
	w.names[s] = s
	return s
}

// share is intern of a string.
func (w *Workspace) share(s string) string {
	if s == "" {
		return ""
	}
	if have, ok := w.names[s]; ok {
		return have
	}
	return w.intern([]byte(s))
}
