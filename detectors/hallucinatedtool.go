package detectors

import (
	"fmt"
	"slices"
	"strings"

	"misstep/detectors/facts"
	"misstep/detectors/schema"
	"misstep/event"
)

// Rules of hallucinated_tool.
var (
	aliasTool = &Rule{
		Name: "alias_tool", Code: "H1a", Family: "name", Fault: event.FaultAgent,
		Doc:       "The called name differs from a tool's only in its spelling: case, separators or a namespace.",
		Threshold: "At once: info, never more.",
		Guards:    "As misspelt_tool.",
		Source:    "ToolScan IFN, less severe where only the form differs.",
		Needs:     facts.NeedCatalogue,
	}
	misspeltTool = &Rule{
		Name: "misspelt_tool", Code: "H1b", Family: "name", Fault: event.FaultAgent,
		Doc:       "The called tool does not exist, but one of a similar name does.",
		Threshold: "At once: warning. Similar: edit distance (OSA) at most a quarter of the length or 2, or similarity (OSA or words in common) of 0.6 and more.",
		Guards:    "The catalogue as it stood at the call. Hosted tools that the model's vendor runs (web_search, code_interpreter, ...), parallel wrappers and hand-offs, tools that the configuration names, and names that have answered before are not judged.",
		Source:    "ToolScan IFN, BFCL wrong_func_name.",
		Needs:     facts.NeedCatalogue,
	}
	inventedTool = &Rule{
		Name: "invented_tool", Code: "H1c", Family: "name", Fault: event.FaultAgent,
		Doc:       "The called tool does not exist, and none has a similar name.",
		Threshold: "At once: error.",
		Guards:    "As misspelt_tool.",
		Source:    "ToolScan IFN, BFCL wrong_func_name.",
		Needs:     facts.NeedCatalogue,
	}
	unknownParameter = &Rule{
		Name: "unknown_parameter", Code: "H2", Family: "signature", Fault: event.FaultAgent,
		Doc:       "The call has a parameter that the tool's signature does not know.",
		Threshold: "At once: warning, also where the schema does not set additionalProperties.",
		Guards:    "additionalProperties true or a schema, patternProperties, and schemas that declare no properties at all accept any.",
		Source:    "BFCL unexpected_param, ToolScan IAN.",
		Needs:     facts.NeedSchema | facts.NeedPlainArguments,
	}
	variantStorm = &Rule{
		Name: "variant_storm", Code: "H3", Family: "repetition", Fault: event.FaultAgent,
		Doc:       "The agent keeps calling tools that do not exist, the same or one after another.",
		Threshold: "A second such call, in another turn and within 10 calls: error.",
		Guards:    "As misspelt_tool; aliases do not count.",
		Source:    "AutoGPT issue 920 (unknown commands, one after another); openclaw breaks at 10.",
		Needs:     facts.NeedCatalogue,
	}
	runtimeUnknownTool = &Rule{
		Name: "runtime_unknown_tool", Code: "H4", Family: "runtime", Fault: event.FaultAgent,
		Doc:       "The runtime answered that it knows no such tool.",
		Threshold: "At once: warning. A tool that the catalogue lists is then the tool's fault: registry and runtime disagree.",
		Guards:    "Phrases that also speak of files or functions count only where they name the called tool.",
		Source:    "openclaw's two patterns, JSON-RPC -32602.",
		Needs:     facts.NeedErrorText,
	}
)

// HallucinatedTool finds calls of tools, and of parameters, that do not exist.
var HallucinatedTool = &Detector{
	Name: "hallucinated_tool", Version: 1, Class: event.HallucinatedTool,
	Doc:   "The agent calls a tool, uses a parameter, or tells of a call or a result, that does not exist.\nNames are compared with the catalogue that the agent was offered; without one only the runtime's own word counts.",
	Rules: []*Rule{aliasTool, misspeltTool, inventedTool, unknownParameter, variantStorm, runtimeUnknownTool, phantomCall, callInText, phantomResult},
	Kinds: []event.Kind{event.ToolCall, event.ToolResult, event.AgentMessage, event.UserMessage, event.ModelCall},
	New:   func(*Config) Watcher { return &hallucinated{} },
}

type hallucinated struct {
	sentences [][]byte
	lower     []byte
}

// stormWindow is within how many calls two calls of unknown tools are a storm.
const stormWindow = 10

// Memory of hallucinated_tool: when the latest unknown tool was called.
const (
	stormCall = iota // number of the task's call, from 1
	stormTurn
	stormAgent // its place in the trajectory
	agreement  // whether the user has just agreed to a proposal, as in tool_misuse
)

// Observe implements Watcher.
func (h *hallucinated) Observe(p *Pass) {
	switch p.Step.Kind {
	case event.AgentMessage:
		h.told(p)
		return
	case event.UserMessage:
		h.agreed(p)
		return
	case event.ModelCall:
		h.thought(p)
		return
	}
	c := p.Call
	if c == nil {
		return
	}
	if p.Step.Kind == event.ToolResult {
		answered(p, c)
		return
	}
	if len(p.Violations.Unknown) > 0 {
		unknownParameters(p, c)
	}
	if p.Catalogue == nil || c.Tool.Listed || hosted(c.Tool.Name, p.Catalogue) || answeredBefore(p.Agent, c) {
		return
	}
	unknownTool(p, c)
}

func unknownTool(p *Pass, c *facts.Call) {
	name := c.Tool.Name
	best, kind := schema.Nearest(name, p.Catalogue.Names)
	f := Finding{Rule: inventedTool, Severity: event.Error, Message: fmt.Sprintf("%s was called, but there is no such tool, nor one of a similar name.", quote(name))}
	switch kind {
	case schema.Alias:
		f.Rule, f.Severity = aliasTool, event.Info
		f.Message = fmt.Sprintf("%s was called; the tool is spelt %s.", quote(name), quote(best))
	case schema.NearMiss:
		f.Rule, f.Severity = misspeltTool, event.Warning
		f.Message = fmt.Sprintf("%s was called, but there is no such tool; %s is the most similar.", quote(name), quote(best))
	}
	f.Subject, f.Confidence = name, 1000
	f.Tokens, f.CostMicroUSD = c.Tokens, c.Cost
	if p.Sees(f.Rule, name, f.Severity) {
		f.Evidence = []event.Evidence{p.Here("call of " + quote(name))}
		p.Report(f)
	}
	if kind == schema.Alias {
		return
	}
	calls := p.T.Task.Calls
	last, sameTurn := p.Memory[stormCall], p.Memory[stormTurn] == int64(c.Turn) && p.Memory[stormAgent] == p.agentPlace()
	p.Memory[stormCall], p.Memory[stormTurn], p.Memory[stormAgent] = calls, int64(c.Turn), p.agentPlace()
	if last == 0 || calls-last >= stormWindow || sameTurn || !p.Sees(variantStorm, name, event.Error) {
		return
	}
	p.Report(Finding{
		Rule: variantStorm, Subject: name, Severity: event.Error, Confidence: 990,
		Message:  fmt.Sprintf("%s is again no tool: the agent goes on with names that do not exist.", quote(name)),
		Evidence: []event.Evidence{p.Here("call of " + quote(name))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

func unknownParameters(p *Pass, c *facts.Call) {
	for _, v := range p.Violations.Unknown {
		subject := c.Tool.Name + "." + anyIndex(v.Path)
		if !p.Sees(unknownParameter, subject, event.Warning) {
			continue
		}
		hint := ""
		if v.Nearest != "" {
			hint = fmt.Sprintf("; %s is the most similar that it has", quote(v.Nearest))
		}
		p.Report(Finding{
			Rule: unknownParameter, Subject: subject, Severity: event.Warning, Confidence: 950,
			Message:  fmt.Sprintf("%s was called with the parameter %s, which it does not have%s.", c.Tool.Name, quote(v.Path), hint),
			Evidence: []event.Evidence{p.Here("parameter " + quote(v.Path))},
			Tokens:   c.Tokens, CostMicroUSD: c.Cost,
		})
	}
}

// answered looks at a result: the runtime's word that there is no such tool,
// or the success that ends the trouble.
func answered(p *Pass, c *facts.Call) {
	name := c.Tool.Name
	if c.Class == facts.UnknownTool {
		fault, what := event.FaultAgent, "The runtime knows no tool %s."
		if c.Tool.Listed {
			fault, what = event.FaultTool, "The runtime knows no tool %s, although the catalogue lists it."
		}
		if p.Sees(runtimeUnknownTool, name, event.Warning) {
			p.Report(Finding{
				Rule: runtimeUnknownTool, Subject: name, Severity: event.Warning, Confidence: 900, Fault: fault,
				Message:  fmt.Sprintf(what, quote(name)),
				Evidence: []event.Evidence{p.Agent.Step(c, "call of "+quote(name)), p.Here("the runtime's answer")},
				Tokens:   c.Tokens, CostMicroUSD: c.Cost,
			})
		}
		return
	}
	if c.Failed() || !p.Troubled(event.HallucinatedTool) {
		return
	}
	// A success of a real tool ends what was wrong with names; one of the same
	// tool, rightly called, ends what was wrong with its parameters.
	p.Resolve(event.HallucinatedTool, func(r *Rule, subject string) bool {
		if r == unknownParameter {
			return !c.Misfit && strings.HasPrefix(subject, name+".")
		}
		return c.Tool.Listed || p.Catalogue == nil || subject == name
	})
}

// answeredBefore reports whether an unlisted tool has worked: then it exists,
// and the catalogue that was seen is not all there is. What it did while it was
// listed does not count, since it may have been taken away.
func answeredBefore(a *facts.Agent, c *facts.Call) bool {
	for i := c.Index - 1; i >= c.Index-facts.RingSize; i-- {
		q := a.Call(i)
		if q == nil {
			return false
		}
		if q.Done && q.Status == event.StatusOK && !q.Tool.Listed && q.Tool.Name == c.Tool.Name {
			return true
		}
	}
	return false
}

// hostedTools are run by a model's vendor, or by the framework, and stand in
// no catalogue.
var hostedTools = []string{
	"web_search", "web_search_preview", "web_fetch", "code_interpreter", "code_execution",
	"file_search", "computer", "computer_use_preview", "image_generation", "local_shell",
	"bash_code_execution", "text_editor_code_execution", "google_search", "url_context",
	"multi_tool_use.parallel", "handoff",
}

// hostedPrefixes are those of hand-offs that frameworks make into calls.
var hostedPrefixes = []string{"transfer_to_", "handoff_to_"}

// hosted reports whether a tool may well exist although the catalogue does not
// list it. A catalogue that lists hand-offs of the same form lists all of them.
func hosted(name string, c *facts.Catalogue) bool {
	if slices.Contains(hostedTools, name) {
		return true
	}
	for _, p := range hostedPrefixes {
		if strings.HasPrefix(name, p) {
			return !slices.ContainsFunc(c.Names, func(n string) bool { return strings.HasPrefix(n, p) })
		}
	}
	return false
}

// quote shows a name that may hold anything.
func quote(s string) string {
	const longest = 80
	if len(s) > longest {
		s = s[:longest] + "..."
	}
	return fmt.Sprintf("%q", s)
}
