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
		Guards:    "The claim must be in the first person, say \"successfully\", or follow the user's yes to a proposal, in words of the name of a tool that changes something, in a sentence that neither asks, promises nor denies. No tool that changes something was called since the user spoke last, and the tool itself never in this task.",
		Source:    "Tool bypass (2601.05214); TRAIL, fabricated tool output.",
		Needs:     facts.NeedMessages | facts.NeedBeginning | facts.NeedCatalogue,
	}
	callInText = &Rule{
		Name: "call_in_text", Code: "H5t", Family: "claim", Fault: event.FaultAgent,
		Doc:       "The agent writes a call into its message instead of making it.",
		Threshold: "At once: warning, where a form that calls have is followed by the name of a tool that it has.",
		Guards:    "Only names of the catalogue, as words of their own, within 160 bytes of the form.",
		Source:    "Tool bypass (2601.05214); parsers that let a call through as text.",
		Needs:     facts.NeedMessages | facts.NeedCatalogue,
	}
	phantomResult = &Rule{
		Name: "phantom_result", Code: "H6", Family: "claim", Fault: event.FaultAgent,
		Doc:       "The agent cites what a tool or a source is said to have told, but nothing was looked up.",
		Threshold: "At once, in a message to the user or in the reasoning that hands in the answer: warning for a claim to have searched, or to know from a source, where nothing came from outside in the trajectory, and for an identifier in a message that nobody showed.",
		Guards:    "Context that was added, results, and long texts that the user gave count as sources; a result that only echoes its call, and what calculators and the like answer, does not. Claims about the task's own words are none, nor those of an agent that has no tools at all: it argues. Identifiers are words with letters and four digits in a row; examples are none.",
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
	defer h.agreed(p)
	h.written(p)
	h.bypassed(p)
	if p.T.Tools != nil || p.T.Task.Calls > 0 { // who has no tools cannot have looked anything up, and argues
		h.cited(p)
	}
	h.named(p)
}

// agreed follows whether the user has just agreed to what the agent proposed.
func (h *hallucinated) agreed(p *Pass) {
	have := &p.Memory[agreement]
	switch {
	case p.Step.Kind == event.AgentMessage:
		*have = consentNone
		if asks(p) {
			*have = consentAsked
		}
	case *have == consentAsked && agrees(p.said()):
		*have = consentGiven
	default:
		*have = consentNone
	}
}

// written looks for a call that the agent wrote into its message instead of
// making it.
func (h *hallucinated) written(p *Pass) {
	c := p.T.Tools
	if c == nil {
		return
	}
	r := p.said()
	if !calling.In(r.text, &r.grams) {
		return
	}
	for _, mark := range callMarks {
		i := bytes.Index(r.text, []byte(mark))
		if i < 0 {
			continue
		}
		near := r.text[i:min(len(r.text), i+maxCallText)]
		for _, name := range c.Names {
			h.lower = append(h.lower[:0], name...)
			lower(h.lower)
			if !hasName(near, h.lower) || !p.Sees(callInText, name, event.Warning) {
				continue
			}
			p.Report(Finding{
				Rule: callInText, Subject: name, Severity: event.Warning, Confidence: 800,
				Message:  fmt.Sprintf("The agent wrote a call of %s into its message instead of making it.", quote(name)),
				Evidence: []event.Evidence{p.Here("call as text")},
			})
			return
		}
	}
}

// callMarks begin a call that is written as text.
var callMarks = []string{"<tool_call>", "<function_call>", "<function=", "<invoke", "action:", "\"name\":", "\"tool\":", "\"function\":", "tool_call:", "function_call:", "[tool_calls]"}

var calling = facts.NewPhrases(callMarks)

// maxCallText is how much after the mark is searched for the tool's name.
const maxCallText = 160

// hasName reports whether a text holds a name as a word of its own.
func hasName(text, name []byte) bool {
	inName := func(c byte) bool { return isWordByte(c) || c == '_' || c == '-' || c == '.' }
	for from := 0; ; {
		i := bytes.Index(text[from:], name)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(name)
		if (i == 0 || !inName(text[i-1])) && (end == len(text) || !inName(text[end])) {
			return true
		}
		from = i + 1
	}
}

// named looks for identifiers in the message that nobody showed.
func (h *hallucinated) named(p *Pass) {
	v := p.T.Provenance()
	if v == nil || v.Holes || !v.Heard(facts.FromUser) || len(p.Grounds) == 0 {
		return
	}
	g := &p.Grounds[0]
	if !p.Sees(phantomResult, "identifier", event.Warning) {
		return
	}
	p.Report(Finding{
		Rule: phantomResult, Subject: "identifier", Severity: event.Warning, Confidence: 700,
		Message:  fmt.Sprintf("The agent tells of %s, which nothing that it was shown holds.", quote(string(g.Value))),
		Evidence: []event.Evidence{p.Here("tells of " + quote(string(g.Value)))},
	})
}

// bypassed looks for a claim of a change by a tool that was never called.
func (h *hallucinated) bypassed(p *Pass) {
	c := p.T.Tools
	if c == nil || !c.Complete || changedSince(p) {
		return
	}
	r := p.said()
	h.sentences = ownWord(h.sentences[:0], r)
	agreed := p.Memory[agreement] == consentGiven && !asks(p) // who asks has not done it yet
	if len(h.sentences) == 0 && !agreed {
		return
	}
	for _, name := range c.Names {
		t := c.Tool([]byte(name))
		if !t.Changes || called(p.T, name) {
			continue
		}
		deeds := deedsOf(t.Words)
		claim := firstPerson(h.sentences, deeds)
		if claim == nil && agreed {
			claim = deed(r, deeds)
		}
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

// vagueVerbs tell of any act: what they act on says which.
var vagueVerbs = []string{"apply", "issue", "send", "create", "make", "process", "submit", "add", "set", "put", "write", "post", "open", "start"}

// deedsOf gives the words of a tool's name that a claim to have done its work
// would be made of: its verb or, where that is vague, all further words as well.
func deedsOf(words []string) []string {
	for i, w := range words {
		if isOneOf([]byte(w), vagueVerbs) {
			return words[i:]
		}
		if facts.IsChange(w) {
			return words[:i+1] // what stands before may be a verb that no list knows
		}
	}
	return words
}

// ownMarks mark a sentence in the first person, or one that calls something
// successful, where they begin a word.
var ownMarks = facts.NewPhrases([]string{"i have ", "i've ", "we've ", "we have ", "successfully"})

// ownWord appends the sentences in the first person, and the terse ones, that
// neither ask nor own up to trouble.
func ownWord(dst [][]byte, r *reading) [][]byte {
	_, own := ownMarks.Find(r.text, &r.grams, beginsWord)
	for text := r.text; len(text) > 0; {
		end := sentenceEnd(text)
		sentence := text[:end]
		text = text[end:]
		marked := own >= 0 && found(ownMarks.Find(sentence, &r.grams, beginsWord))
		if !marked && !isTerse(sentence) ||
			bytes.HasSuffix(bytes.TrimRight(sentence, " \t\r\n"), []byte("?")) || trouble.In(sentence, &r.grams) {
			continue
		}
		dst = append(dst, sentence)
	}
	return dst
}

// deed gives the word that tells, as done, of what the user has just agreed to,
// nil for none: then no first person is needed.
func deed(r *reading, deeds []string) []byte {
	for text := r.text; len(text) > 0; {
		end := sentenceEnd(text)
		sentence := text[:end]
		text = text[end:]
		if bytes.HasSuffix(bytes.TrimRight(sentence, " \t\r\n"), []byte("?")) || trouble.In(sentence, &r.grams) {
			continue
		}
		var found []byte
		for rest, be := sentence, false; ; {
			var w []byte
			if w, rest = nextWord(rest); w == nil {
				break
			}
			was := be
			if be = string(w) == "be"; was {
				continue // what is to be done
			}
			if promiseSet.has(w) {
				found = nil
				break
			}
			if bytes.HasSuffix(w, []byte("ed")) && hasStem(w, deeds) {
				found = w
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// firstPerson gives the claim of something done by a tool in such sentences, nil
// for none.
func firstPerson(sentences [][]byte, tool []string) []byte {
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
var finals = facts.NewPhrases([]string{"final_answer(", "final answer:", "final answer is"})

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
