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
		Threshold: "At once, in a message to the user or in the reasoning that hands in the answer: warning for a claim to have searched, or to know from a source, where nothing came from outside in the trajectory.",
		Guards:    "Context that was added, results, and long texts that the user gave count as sources; a result that only echoes its call, and what calculators and the like answer, does not. Claims about the task's own words are none.",
		Source:    "TRAIL, tool-related hallucination: answers \"according to the record\" after no call at all.",
		Needs:     facts.NeedProvenance | facts.NeedMessages | facts.NeedBeginning,
	}
)

// sourceClaims tell of a look-up that was done, or of a source that was read.
var sourceClaims = []string{
	"according to the", "according to our", "according to common", "according to official", "according to available", "according to public", "according to wiki",
	"based on the search", "based on search", "based on the result", "based on the record", "based on the detailed", "based on the data", "based on the information", "based on the investigation",
	"based on my search", "based on my research", "based on our investigation", "based on our research", "based on a careful", "based on careful", "based on reliable", "based on authoritative",
	"based on available", "based on official", "based on published", "based on documentation", "based on confirmation", "based on confirmed", "based on verified", "based on reports",
	"the search results show", "the search results indicate", "search results confirm", "the search revealed", "my search revealed", "search yielded", "research yielded", "investigation yielded",
	"my research", "my investigation concentrated", "from gathered reports", "the data shows", "the record shows", "the records show", "our records show", "the database shows", "the system shows", "our system shows",
	"i searched", "i have searched", "i've searched", "i looked up", "i have looked up", "i've looked up", "i checked the", "i have checked", "i've checked", "i checked your",
	"i found in the", "i retrieved", "i have retrieved", "i've retrieved", "i accessed", "i have accessed", "i've accessed", "i queried", "i have verified", "i've verified", "i verified",
	"i reviewed the", "i have reviewed the", "i've reviewed the", "i consulted", "after searching", "after checking the", "after reviewing the", "upon checking", "upon reviewing", "upon searching", "on checking,",
	"as reported by", "officially reported", "article quoted", "article reported", "page lists", "article lists", "sourced from", "extracting plausible values",
	"i simulate the", "i will simulate a research", "simulate that our",
}

// ownTexts follow what begins a claim of a source, and make it no source: the
// task's own words, and what the user gave.
var ownTexts = []string{"task", "question", "prompt", "problem", "instruction", "puzzle", "user", "request", "rule", "description", "statement", "policy", "code", "issue", "traceback", "analysis", "document", "text", "passage", "excerpt", "email", "context", "provided", "attached", "above", "given"}

// sources is sourceClaims for the search.
var sources = facts.NewPhrases(sourceClaims)

// sourceClaim gives the claim of a source in a text, empty for none: not one
// about the task's own words.
func sourceClaim(r *reading) string {
	k, _ := sources.Find(r.text, &r.grams, func(text []byte, from, end int) bool {
		if !beginsWord(text, from, end) {
			return false
		}
		for rest, n := text[end:], 0; n < 3; n++ {
			var w []byte
			if w, rest = nextWord(rest); w == nil {
				break
			}
			if hasStem(w, ownTexts) || isOneOf(w, ownTexts) {
				return false
			}
		}
		return true
	})
	if k < 0 {
		return ""
	}
	return sourceClaims[k]
}

// told looks at a message of the agent to the user.
func (h *hallucinated) told(p *Pass) {
	if p.Lacks&facts.NeedMessages != 0 {
		return
	}
	h.bypassed(p)
	h.cited(p)
}

// bypassed looks for a claim of a change by a tool that was never called.
func (h *hallucinated) bypassed(p *Pass) {
	c := p.T.Tools
	if c == nil || !c.Complete || changedSince(p) {
		return
	}
	r := p.said()
	h.sentences = ownWord(h.sentences[:0], r)
	if len(h.sentences) == 0 {
		return
	}
	for _, name := range c.Names {
		t := c.Tool([]byte(name))
		if !t.Changes || called(p.T, name) {
			continue
		}
		claim := firstPerson(h.sentences, t.Words)
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

// ownMarks mark a sentence in the first person, or one that calls something
// successful, where they begin a word.
var ownMarks = facts.NewPhrases([]string{"i have ", "i've ", "we've ", "we have ", "successfully"})

// ownWord appends the sentences in the first person that neither ask nor own up
// to trouble.
func ownWord(dst [][]byte, r *reading) [][]byte {
	text := r.text
	if _, at := ownMarks.Find(text, &r.grams, beginsWord); at < 0 {
		return dst
	}
	for len(text) > 0 {
		end := sentenceEnd(text)
		sentence := text[:end]
		text = text[end:]
		if _, at := ownMarks.Find(sentence, &r.grams, beginsWord); at < 0 ||
			bytes.HasSuffix(bytes.TrimRight(sentence, " \t\r\n"), []byte("?")) || trouble.In(sentence, &r.grams) {
			continue
		}
		dst = append(dst, sentence)
	}
	return dst
}

// firstPerson gives the claim of something done by a tool in such sentences, nil
// for none.
func firstPerson(sentences [][]byte, tool []string) []byte {
	tool = tool[:min(1, len(tool))]
	for _, sentence := range sentences {
		if w := claimIn(sentence, tool); w != nil && hasStem(w, tool) {
			return w
		}
	}
	return nil
}

// longGiven is from how many bytes on a message of the user may be a source
// itself: a document that was pasted.
const longGiven = 4000

// thought looks at what the agent tells itself as it answers.
func (h *hallucinated) thought(p *Pass) {
	if !p.Step.Text.Present() || !uncited(p) {
		return
	}
	if r := p.said(); finals.In(r.text, &r.grams) {
		h.cited(p)
	}
}

// finals come with the reasoning that hands in an answer.
var finals = facts.NewPhrases([]string{"final_answer(", "final answer"})

// uncited reports whether nothing came from outside that a source could be.
func uncited(p *Pass) bool {
	v := p.T.Provenance()
	return v != nil && !v.Looked && v.Longest < longGiven
}

// cited looks for a source that was never asked.
func (h *hallucinated) cited(p *Pass) {
	if !uncited(p) {
		return
	}
	claim := sourceClaim(p.said())
	if claim == "" || !p.Sees(phantomResult, "source", event.Warning) {
		return
	}
	p.Report(Finding{
		Rule: phantomResult, Subject: "source", Severity: event.Warning, Confidence: 700,
		Message:  fmt.Sprintf("The agent cites a source (%q), but nothing was looked up.", claim),
		Evidence: []event.Evidence{p.Here(claim)},
	})
}
