package detectors

import (
	"bytes"
	"fmt"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of hallucinated_tool that look at what the agent tells.
var (
	phantomCall = &Rule{
		Name: "phantom_call", Code: "H5", Family: "claim", Fault: event.FaultAgent,
		Doc:       "The agent tells that it did something with a tool that it never called.",
		Threshold: "At once, in a message to the user: warning.",
		Guards:    "The claim must be in the first person or say \"successfully\", in words of the name of a tool that changes something, in a sentence that neither asks, promises nor denies. No tool that changes something was called since the user spoke last, and the tool itself never in this task.",
		Source:    "Tool bypass (2601.05214); TRAIL, fabricated tool output.",
		Needs:     facts.NeedMessages | facts.NeedBeginning | facts.NeedCatalogue,
	}
	phantomResult = &Rule{
		Name: "phantom_result", Code: "H6", Family: "claim", Fault: event.FaultAgent,
		Doc:       "The agent cites what a tool or a source is said to have told, but nothing was looked up.",
		Threshold: "At once: warning for a claim to have searched, or to know from a record, where no call has worked in the trajectory.",
		Guards:    "Context that was added, results, and long texts that the user gave count as sources. Promises are no claims.",
		Source:    "TRAIL, tool-related hallucination: answers \"according to the record\" after no call at all.",
		Needs:     facts.NeedProvenance | facts.NeedMessages | facts.NeedBeginning,
	}
)

// sourceClaims tell of a look-up that was done.
var sourceClaims = []string{
	"according to the record", "according to our record", "according to the database", "according to our database", "according to the search", "according to the result",
	"according to the system", "according to our system", "according to the tool", "according to the web", "according to the document", "according to the file", "according to the page",
	"based on the search", "based on the result", "based on the record", "based on my search", "based on my research", "based on the information retrieved", "based on the information found",
	"based on the information i found", "based on the data retrieved", "the search results show", "the search results indicate", "search results confirm", "the search revealed", "my search revealed",
	"i searched", "i have searched", "i've searched", "i looked up", "i have looked up", "i've looked up", "i looked into", "i checked the", "i have checked the", "i've checked the", "i've checked your", "i have checked your", "i checked your",
	"i found in the", "i retrieved", "i have retrieved", "i've retrieved", "i accessed", "i have accessed", "i've accessed", "i queried", "i verified", "i have verified", "i've verified",
	"i reviewed the", "i have reviewed the", "i've reviewed the", "i consulted", "after searching", "after checking the", "after reviewing the",
	"upon checking", "upon reviewing", "upon searching", "the system shows", "our system shows", "our records show", "the records show", "the database shows",
}

// told looks at a message of the agent to the user.
func (h *hallucinated) told(p *Pass) {
	if p.Lacks&facts.NeedMessages != 0 {
		return
	}
	h.text = p.Step.Text.AppendText(h.text[:0])
	h.text = h.text[:min(len(h.text), maxClaimText)]
	lower(h.text)
	h.bypassed(p)
	h.cited(p)
}

// bypassed looks for a claim of a change by a tool that was never called.
func (h *hallucinated) bypassed(p *Pass) {
	c := p.T.Tools
	if c == nil || !c.Complete || changedSince(p) {
		return
	}
	for _, name := range c.Names {
		t := c.Tool([]byte(name))
		if !t.Changes || called(p.T, name) {
			continue
		}
		claim := firstPerson(h.text, t.Words)
		if claim == nil || !p.Sees(phantomCall, name, event.Warning) {
			continue
		}
		p.Report(Finding{
			Rule: phantomCall, Subject: name, Severity: event.Warning, Confidence: 600,
			Message:  fmt.Sprintf("The agent tells that it has done what %s does (%s), but never called it.", name, claim),
			Evidence: []event.Evidence{p.Here("claims " + quote(string(claim)))},
		})
		return
	}
}

// called reports whether the task called a tool.
func called(t *facts.Trajectory, name string) bool {
	for _, k := range t.Task.Tools {
		if k.Name == name {
			return true
		}
	}
	return false
}

// changedSince reports whether any tool that changes something was called since
// the user spoke last: what the agent tells may be about that one.
func changedSince(p *Pass) bool {
	for _, a := range p.T.Agents {
		for i := a.Calls() - 1; i >= 0; i-- {
			c := a.Call(i)
			if c == nil || c.Users != p.T.Users {
				break
			}
			if c.Tool.Changes {
				return true
			}
		}
	}
	return false
}

// firstPerson gives the claim of something done that is told in the first
// person, or called successful, nil for none.
func firstPerson(text []byte, tool []string) []byte {
	for len(text) > 0 {
		end := sentenceEnd(text)
		sentence := text[:end]
		text = text[end:]
		if bytes.HasSuffix(bytes.TrimRight(sentence, " \t\r\n"), []byte("?")) || acknowledges(sentence) {
			continue
		}
		if !containsAt(sentence, "i have ") && !containsAt(sentence, "i've ") && !containsAt(sentence, "we've ") &&
			!containsAt(sentence, "we have ") && !containsAt(sentence, "successfully") {
			continue
		}
		if w := claimIn(sentence, tool[:min(1, len(tool))]); w != nil && hasStem(w, tool[:min(1, len(tool))]) {
			return w
		}
	}
	return nil
}

// longGiven is from how many bytes on a message of the user may be a source
// itself: a document that was pasted.
const longGiven = 1000

// cited looks for a source that was never asked.
func (h *hallucinated) cited(p *Pass) {
	v := p.T.Provenance()
	if v == nil {
		return
	}
	if !v.Heard(facts.FromTool) && v.Longest < longGiven {
		for _, s := range sourceClaims {
			i := bytes.Index(h.text, []byte(s))
			if i < 0 || i > 0 && isWordByte(h.text[i-1]) {
				continue
			}
			if p.Sees(phantomResult, "source", event.Warning) {
				p.Report(Finding{
					Rule: phantomResult, Subject: "source", Severity: event.Warning, Confidence: 700,
					Message:  fmt.Sprintf("The agent cites a source (%q), but nothing was looked up.", s),
					Evidence: []event.Evidence{p.Here(s)},
				})
			}
			return
		}
	}
}
