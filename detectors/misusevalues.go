package detectors

import (
	"fmt"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of tool_misuse that look at where the values of a call come from.
var (
	fabricatedArgument = &Rule{
		Name: "fabricated_argument", Code: "T2", Family: "provenance", Fault: event.FaultAgent,
		Doc:       "An identifier in the arguments was shown to the agent by nobody: it is made up or garbled.",
		Threshold: "At once: warning; error for a tool that writes. Info for a tool that makes something new, and where the agent named the identifier itself before.",
		Guards:    "Identifiers are words with digits; they are compared by their runs of letters and digits, without case, leading zeros and the way that digits are grouped. Dates, times, paths, texts, quantities and parameters that the agent fills freely (queries, names, file names, nonces, ...) are not judged, nor is what the tool's own schema mentions. `grounded` in the configuration says strict, soft or off.",
		Source:    "Measured: 5 of 1,957 calls, all confirmed by the environment's own error; 641 of 642 identifiers with one digit changed are found.",
		Needs:     facts.NeedProvenance | facts.NeedProvenanceWhole | facts.NeedBeginning | facts.NeedPlainArguments,
	}
	ungroundedAmount = &Rule{
		Name: "ungrounded_amount", Code: "T2n", Family: "provenance", Fault: event.FaultAgent,
		Doc:       "An amount of money that the agent moves was neither shown nor follows from what was.",
		Threshold: "At once: warning, for tools that write.",
		Guards:    "Sums and differences of two, sums of three, multiples and parts up to twelve of the amounts that were shown are known; amounts below 10 are not judged, nor any where a number was spelt out or a percentage was shown.",
		Source:    "Measured: 1 of 157 successful and 14 of 143 failed runs; half of such calls fail.",
		Needs:     facts.NeedProvenance | facts.NeedProvenanceWhole | facts.NeedBeginning | facts.NeedPlainArguments,
	}
	actsOnFailed = &Rule{
		Name: "acts_on_failed", Code: "T3b", Family: "dependence", Fault: event.FaultAgent,
		Doc:       "The agent changes something whose look-up failed.",
		Threshold: "At once: warning; error where the effect is irreversible.",
		Guards:    "The failed call must have named the same identifier and have failed for good (not found, denied, conflict), and no call with it has worked since. A repeat of the failed call itself is retry_loop.",
		Source:    "Tools Fail (2406.19228): errors are passed over.",
		Needs:     facts.NeedProvenance | facts.NeedPlainArguments,
	}
	foreignEntity = &Rule{
		Name: "foreign_entity", Code: "T8", Family: "kind", Fault: event.FaultAgent,
		Doc:       "The identifier of one kind of thing is passed where the tool wants another's.",
		Threshold: "At once: warning.",
		Guards:    "Kinds are learned in the trajectory, from the keys in results and from what the user called so: the identifier's form (capital letters, signs, runs of digits) must be known of another kind and not of this one, and this kind must be known with another form.",
		Source:    "TRAIL tool selection errors; measured on planted look-ups.",
		Needs:     facts.NeedProvenance | facts.NeedPlainArguments,
	}
	unmetPrecondition = &Rule{
		Name: "unmet_precondition", Code: "T5", Family: "order", Fault: event.FaultPolicy,
		Doc:       "A tool was called before one that must come first has worked.",
		Threshold: "At once: error where the configuration's policies say `after`; warning where a tool's description names the other tool and the order.",
		Guards:    "A success of the tool that is demanded, anywhere earlier in the task.",
		Source:    "Invariant's flow rules, AgentSpec (2503.18666).",
	}
	valuePolicy = &Rule{
		Name: "value_policy", Code: "T7", Family: "policy", Fault: event.FaultPolicy,
		Doc:       "An argument lies outside of what the policy allows.",
		Threshold: "At once: error. Silent unless the configuration's policies give `bounds`.",
		Guards:    "Numbers in quotes count as numbers; an absent parameter breaks nothing.",
		Source:    "AgentSpec (2503.18666).",
		Needs:     facts.NeedPlainArguments,
	}
)

// values judges the arguments of a call by where they come from and by policy.
func (m *toolMisuse) values(p *Pass, c *facts.Call) {
	workflow := p.T.Labels.Workflow
	grounding := c.Tool.Grounding(workflow)
	if v := p.T.Provenance(); v != nil && v.Heard(facts.FromUser) && grounding != facts.GroundedOff {
		for i := range p.Grounds {
			g := &p.Grounds[i]
			switch {
			case g.Foreign:
				m.foreign(p, c, g)
			case g.From&facts.FromOutside != 0:
			case g.Shape == facts.Told:
				if v.Heard(facts.FromUser) {
					m.fabricated(p, c, g, grounding)
				}
			case g.Shape == facts.Identifier:
				m.fabricated(p, c, g, grounding)
			case c.Tool.Changes && g.From == 0 && !v.Spelled && !v.Derives(g.Amount):
				m.amount(p, c, g)
			}
		}
	}
	if c.Tool.Changes {
		m.dependent(p, c)
	}
	if p.Catalogue != nil {
		for _, tool := range p.Catalogue.Before(c.Tool.Name) {
			m.precondition(p, c, tool, "the catalogue")
		}
	}
	c.Tool.Policies(workflow, func(policy *facts.Policy) {
		for _, tool := range policy.After {
			m.precondition(p, c, tool, "the policy")
		}
		for i := range policy.Bounds {
			m.bound(p, c, &policy.Bounds[i])
		}
	})
}

func (m *toolMisuse) fabricated(p *Pass, c *facts.Call, g *facts.Ground, grounding facts.Grounding) {
	s, conf, said := event.Warning, 950, "nobody mentioned"
	if c.Tool.Effect.Writes() {
		s = event.Error
	}
	if g.From == facts.FromAgent {
		conf, said = 600, "the agent alone mentioned"
		s = event.Info
	}
	if grounding == facts.GroundedSoft {
		s = event.Info
	}
	subject := c.Tool.Name + "." + g.Path
	if !p.Sees(fabricatedArgument, subject, s) {
		return
	}
	p.Report(Finding{
		Rule: fabricatedArgument, Subject: subject, Severity: s, Confidence: conf,
		Message:  fmt.Sprintf("%s was called with %s as %s, which %s before.", c.Tool.Name, quote(string(g.Value)), g.Path, said),
		Evidence: []event.Evidence{p.Here(g.Path + " " + quote(string(g.Value)))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

func (m *toolMisuse) foreign(p *Pass, c *facts.Call, g *facts.Ground) {
	subject := c.Tool.Name + "." + g.Path
	if !p.Sees(foreignEntity, subject, event.Warning) {
		return
	}
	p.Report(Finding{
		Rule: foreignEntity, Subject: subject, Severity: event.Warning, Confidence: 600,
		Message:  fmt.Sprintf("%s was called with %s as %s, which is the identifier of something else.", c.Tool.Name, quote(string(g.Value)), g.Path),
		Evidence: []event.Evidence{p.Here(g.Path + " " + quote(string(g.Value)))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

func (m *toolMisuse) amount(p *Pass, c *facts.Call, g *facts.Ground) {
	subject := c.Tool.Name + "." + g.Path
	if !p.Sees(ungroundedAmount, subject, event.Warning) {
		return
	}
	p.Report(Finding{
		Rule: ungroundedAmount, Subject: subject, Severity: event.Warning, Confidence: 600,
		Message:  fmt.Sprintf("%s was called with the %s %s, which follows from no amount seen before.", c.Tool.Name, g.Path, quote(string(g.Value))),
		Evidence: []event.Evidence{p.Here(g.Path + " " + quote(string(g.Value)))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

// dependent looks for a change of what an earlier call failed on.
func (m *toolMisuse) dependent(p *Pass, c *facts.Call) {
	for i := range p.Grounds {
		g := &p.Grounds[i]
		if g.Shape != facts.Identifier {
			continue
		}
		failed, agent := p.T.FailedOn(g.Hash, c)
		if failed == nil || failed.Tool.Name == c.Tool.Name {
			continue
		}
		s := event.Warning
		if c.Tool.Effect == event.EffectIrreversible {
			s = event.Error
		}
		if !p.Sees(actsOnFailed, c.Tool.Name, s) {
			return
		}
		p.Report(Finding{
			Rule: actsOnFailed, Subject: c.Tool.Name, Severity: s, Confidence: 800,
			Message:  fmt.Sprintf("%s changes %s, although %s failed on it (%s).", c.Tool.Name, quote(string(g.Value)), failed.Tool.Name, failed.Class),
			Evidence: []event.Evidence{agent.ResultStep(failed, failed.Tool.Name+" failed: "+failed.Class.String()), p.Here("call with " + quote(string(g.Value)))},
			Tokens:   c.Tokens, CostMicroUSD: c.Cost,
		})
		return
	}
}

func (m *toolMisuse) precondition(p *Pass, c *facts.Call, before, who string) {
	for i, t := range p.T.Task.Tools {
		if t.Name == before && p.T.Task.Counts[i].OK > 0 {
			return
		}
	}
	subject := c.Tool.Name
	s, conf := event.Error, 1000
	if who != "the policy" {
		s, conf = event.Warning, 850
	}
	if !p.Sees(unmetPrecondition, subject, s) {
		return
	}
	p.Report(Finding{
		Rule: unmetPrecondition, Subject: subject, Severity: s, Confidence: conf,
		Message:  fmt.Sprintf("%s was called, but %s, which %s demands first, has not worked in this task.", c.Tool.Name, before, who),
		Evidence: []event.Evidence{p.Here("no success of " + before + " before")},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

func (m *toolMisuse) bound(p *Pass, c *facts.Call, b *facts.Bound) {
	args := p.Step.Call.Arguments
	if args.Form != event.Object || p.Lacks&facts.NeedPlainArguments != 0 {
		return
	}
	cur := event.NewCursor(args)
	m.bounded(p, c, b, &cur, strings.Split(b.Param, "."))
}

// bounded follows the path of a bound and holds what stands there against it.
func (m *toolMisuse) bounded(p *Pass, c *facts.Call, b *facts.Bound, cur *event.Cursor, path []string) {
	switch form := cur.Form(); {
	case form == event.Array:
		cur.Enter()
		for cur.More() {
			m.bounded(p, c, b, cur, path)
		}
	case len(path) == 0:
		m.holds(p, c, b, cur.Value())
	case form == event.Object:
		cur.Enter()
		for cur.More() {
			if k := cur.Key(); k.EqualText(path[0]) {
				m.bounded(p, c, b, cur, path[1:])
			} else {
				cur.Skip()
			}
		}
	default:
		cur.Skip()
	}
}

func (m *toolMisuse) holds(p *Pass, c *facts.Call, b *facts.Bound, v event.Value) {
	if !v.Present() {
		return
	}
	m.text = v.AppendText(m.text[:0])
	broken := ""
	if b.HasMin || b.HasMax {
		n, ok := millionths(m.text)
		switch {
		case !ok:
			broken = "is no number"
		case b.HasMin && n < b.Min:
			broken = "is below " + decimal(b.Min)
		case b.HasMax && n > b.Max:
			broken = "is above " + decimal(b.Max)
		}
	}
	if len(b.In) > 0 && !isOneOf(m.text, b.In) {
		broken = "is none of " + strings.Join(b.In, ", ")
	}
	subject := c.Tool.Name + "." + b.Param
	if broken == "" || !p.Sees(valuePolicy, subject, event.Error) {
		return
	}
	p.Report(Finding{
		Rule: valuePolicy, Subject: subject, Severity: event.Error, Confidence: 1000,
		Message:  fmt.Sprintf("%s was called with the %s %s, which the policy refuses: it %s.", c.Tool.Name, b.Param, quote(string(m.text)), broken),
		Evidence: []event.Evidence{p.Here(b.Param + " " + quote(string(m.text)))},
		Tokens:   c.Tokens, CostMicroUSD: c.Cost,
	})
}

// millionths reads a decimal number; digits beyond the sixth decimal are
// dropped. It refuses numbers of more than twelve digits before the point.
func millionths(b []byte) (int64, bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	n, whole, decimals, seen := int64(0), 0, -1, false
	for _, c := range b {
		switch {
		case c == '.' && decimals < 0:
			decimals = 0
		case c < '0' || c > '9':
			return 0, false
		case decimals >= 6:
		case decimals >= 0:
			n, decimals = n*10+int64(c-'0'), decimals+1
		default:
			if whole++; whole > 12 {
				return 0, false
			}
			n, seen = n*10+int64(c-'0'), true
		}
	}
	for decimals = max(decimals, 0); decimals < 6; decimals++ {
		n *= 10
	}
	if negative {
		n = -n
	}
	return n, seen
}

// decimal writes millionths as short as can be.
func decimal(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	s := fmt.Sprintf("%s%d.%06d", sign, n/1_000_000, n%1_000_000)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
