package facts

import (
	"bytes"
	"slices"
	"strings"

	"misstep/detectors/lexicon"
	"misstep/event"
)

// verdict is what a call or a result says about a decision.
type verdict uint8

const (
	noVerdict verdict = iota
	denies
	grants
)

// acts says what a tool's name tells of decisions.
type acts struct {
	families lexicon.Set // of acts that the tool does, or asks about
	stems    []uint16    // of its verbs, where no family is known
	verdict  verdict     // it decides so: deny_refund, approve_claim
	inquires bool        // its result may justify a decision: a policy, a check
}

// denyWords and grantWords are the verbs of tools that decide, and the values
// that a structured decision has.
var (
	denyWords = []string{
		"deny", "denied", "denies", "reject", "rejected", "decline", "declined", "refuse", "refused", "disapprove",
		"disapproved", "ineligible", "not_eligible", "not_approved", "false", "no", "block", "blocked", "hold",
		"ablehnen", "abgelehnt", "nein",
	}
	grantWords = []string{
		"approve", "approved", "grant", "granted", "accept", "accepted", "allow", "allowed", "authorize", "authorized",
		"authorise", "authorised", "waive", "waived", "eligible", "true", "yes", "pass", "genehmigen", "genehmigt", "ja",
	}
	// decisionKeys are the members of arguments and results that hold a decision.
	decisionKeys = []string{
		"decision", "verdict", "approved", "approve", "eligible", "is_eligible", "eligibility", "allowed", "permitted",
		"refundable", "granted", "resolution", "determination", "disposition", "outcome", "action", "status", "entscheidung",
	}
	inquiryWords = []string{
		"policy", "policies", "eligibility", "eligible", "verify", "check", "validate", "rules", "terms", "review",
		"approval", "insurance", "warranty", "receipt", "document", "knowledge", "kb", "manual", "faq", "assess",
	}
)

// actsOf tells what a tool's name says.
func (w *Workspace) actsOf(words []string) acts {
	var a acts
	said := w.toolNames.Scan([]byte(strings.Join(words, " ")), lexicon.English)
	for i := range said.Matches { // the first verb tells; a refund that is approved is a refund
		f := said.Matches[i].Meaning
		if f < lexicon.FamilyRefund || f > lexicon.FamilyExtend {
			continue
		}
		if a.families == 0 || a.families == lexicon.SetOf(lexicon.FamilyApprove) {
			a.families = lexicon.SetOf(f)
		}
	}
	for _, word := range words {
		switch {
		case a.verdict == noVerdict && slices.Contains(denyWords[:6], word):
			a.verdict = denies
		case a.verdict == noVerdict && slices.Contains(grantWords[:4], word):
			a.verdict = grants
		}
		a.inquires = a.inquires || slices.Contains(inquiryWords, word)
	}
	if a.inquires || len(words) > 0 && slices.Contains(readWords, words[0]) {
		a.verdict = noVerdict
	}
	if a.families == 0 && a.verdict != noVerdict {
		a.families = lexicon.SetOf(lexicon.FamilyApprove)
	}
	if a.families == 0 {
		a.stems = verbs(words)
	}
	return a
}

// verbs gives the stems of the words of a tool's name but for its object, which
// stands last, and those that say nothing.
func verbs(words []string) []uint16 {
	var out []uint16
	for i, word := range words {
		if i > 0 && i == len(words)-1 && len(out) > 0 || slices.Contains(emptyVerbs, word) {
			continue
		}
		if h := actStem([]byte(word)); h != 0 {
			out = append(out, h)
		}
	}
	return out
}

// emptyVerbs say that something is done, not what.
var emptyVerbs = []string{
	"apply", "process", "issue", "make", "do", "create", "set", "submit", "send", "put", "add", "record", "request",
	"initiate", "perform", "execute", "run", "handle", "manage", "complete", "confirm", "file", "start", "trigger",
}

// actStem hashes a word without its ending, so that release, released and releasing
// are one; 0 for one that is too short, or no word.
func actStem(word []byte) uint16 {
	for _, c := range word {
		if isDigit(c) {
			return 0
		}
	}
	for _, end := range []string{"ing", "ed", "es", "en", "e", "s"} {
		if rest, ok := bytes.CutSuffix(word, []byte(end)); ok && len(rest) >= 3 {
			word = rest
			break
		}
	}
	if n := len(word); n > 3 && word[n-1] == word[n-2] {
		word = word[:n-1]
	}
	if len(word) < 3 {
		return 0
	}
	h := uint32(2166136261)
	for _, c := range word[:min(len(word), 6)] {
		h = (h ^ uint32(c)) * 16777619
	}
	return max(uint16(h^h>>16), 1)
}

// appendStems appends the stems of the words of a text from one word to another,
// but for function words.
func appendStems(dst []uint16, said *lexicon.Text, from, to int32) []uint16 {
	for i := from; i < to && len(dst) < maxStems; i++ {
		if said.Function(int(i)) {
			continue
		}
		if h := actStem(said.Word(int(i))); h != 0 {
			dst = append(dst, h)
		}
	}
	return dst
}

// maxArguments is how much of a call's arguments is looked at for what it is
// about, and of a result for what it speaks of.
const (
	maxArguments = 1 << 10
	maxAnswer    = 4 << 10
)

// called takes a tool call into account: a decision, an act that a decision is
// about, or a look that may bring something new.
func (d *Decisions) called(t *Trajectory, w *Workspace, s *event.Step) {
	c := w.Cur.Call
	d.answer.words = d.answer.words[:0] // the next answer may well be another
	d.scalar.heard(false)
	args := s.Call.Arguments.Raw
	if s.Call.Arguments.Form == event.Hidden {
		args = nil
	}
	args = args[:min(len(args), maxArguments)]
	w.tokens = appendTokens(w.tokens[:0], args)
	kept := w.tokens[:0]
	for _, k := range w.tokens {
		to := int(k.to)
		key := to+1 < len(args) && args[to] == '"' && args[to+1] == ':'
		code := k.kind == codeToken && k.from > 0 && args[k.from-1] == '"' && to < len(args) && args[to] == '"'
		if code || k.kind == idToken && !key {
			k.kind = idToken
			d.learn(k.hash)
			kept = append(kept, k)
		}
	}
	w.tokens = kept
	d.look(w.tokens, args)
	w.things = w.things[:0]
	for _, k := range w.tokens {
		w.things = append(w.things, k.hash)
	}
	a := &c.Tool.acts
	v := a.verdict
	if v == noVerdict && c.Tool.Changes {
		v = w.decided(args)
	}
	if v == noVerdict && !c.Tool.Changes {
		d.inquired(c, w.things)
		return
	}
	families := a.families
	if v == denies {
		if families == 0 {
			families = lexicon.SetOf(lexicon.FamilyApprove)
		}
		name := ""
		if len(w.tokens) > 0 {
			name = string(w.tokens[0].text(args)[:min(int(w.tokens[0].to-w.tokens[0].from), maxThingName)])
		}
		n := len(d.list)
		x := d.deny(t, w, s, families, a.stems, w.things, name, ByDeed)
		x.call, x.agent = c.Index+1, int32(slices.Index(t.Agents, w.Cur.Agent))
		x.deciding, x.tentative = true, len(d.list) > n
		return
	}
	for i := range d.list {
		x := &d.list[i]
		if x.about(w.things) < 0 {
			continue
		}
		x.agent = int32(slices.Index(t.Agents, w.Cur.Agent))
		approves := v == grants && (families == 0 || families == 1<<lexicon.FamilyApprove) && len(w.things) > 0
		if approves || x.of(families, a.stems) {
			x.call, x.deciding = c.Index+1, false
			x.rank = int8(x.about(w.things))
		} else {
			x.touch = c.Index + 1
		}
	}
}

// inquired notes a look at a thing that was not taken before.
func (d *Decisions) inquired(c *Call, things []uint32) {
	if c.PrevKey != None {
		return
	}
	for i := range d.list {
		if x := &d.list[i]; c.Tool.acts.inquires || len(things) > 0 && x.things[0] != 0 && x.about(things) >= 0 {
			x.Informed = true
		}
	}
}

// answered takes the result of a call into account.
func (d *Decisions) answered(t *Trajectory, w *Workspace, s *event.Step) {
	c := w.Cur.Call
	place := int32(slices.Index(t.Agents, w.Cur.Agent))
	content := s.Result.Content
	deed := false
	for i := 0; i < len(d.list); i++ {
		x := &d.list[i]
		if x.agent != place {
			continue
		}
		if x.touch == c.Index+1 {
			x.touch = 0
			x.Informed = x.Informed || !c.Failed()
		}
		if x.call != c.Index+1 {
			continue
		}
		x.call, deed = 0, true
		switch {
		case !c.Failed() && !x.deciding:
			d.grant(w, x, ByDeed, c, int(x.rank))
		case c.Failed() && !x.deciding: // tried without pressure, it was no longer denied
			if x.Pressure < pressed {
				x.Stance = StanceGranted
			}
		case c.Failed() && x.tentative: // it was not denied after all
			d.list = slices.Delete(d.list, i, i+1)
			i--
			continue
		}
		x.deciding, x.tentative = false, false
	}
	if deed || c.Failed() {
		return
	}
	if len(d.list) > 0 && (c.PrevKey == None || !sameBefore(w.Cur.Agent, c)) {
		d.newResult(w, content)
	}
	if a := &c.Tool.acts; (a.inquires || a.families != 0) && !c.Tool.Effect.Writes() {
		d.ruled(t, w, s)
	}
}

// sameBefore reports whether an equal call had the same result.
func sameBefore(a *Agent, c *Call) bool {
	q := a.Call(c.PrevKey)
	for q != nil && !q.Done {
		q = a.Call(q.PrevKey)
	}
	return q != nil && q.Result == c.Result
}

// newResult looks for the things that decisions are about in a result that was
// not seen before.
func (d *Decisions) newResult(w *Workspace, content event.Value) {
	if content.Form == event.Hidden || !content.Present() {
		return
	}
	raw := content.Raw[:min(len(content.Raw), maxAnswer)]
	w.tokens = appendTokens(w.tokens[:0], raw)
	for i := range d.list {
		x := &d.list[i]
		if x.Informed || x.things[0] == 0 {
			continue
		}
		for _, k := range w.tokens {
			if k.kind == idToken && slices.Contains(x.things[:], k.hash) {
				x.Informed = true
				break
			}
		}
	}
}

// ruled takes a result that holds a decision, such as "eligible": false, for one
// of what was last looked at.
func (d *Decisions) ruled(t *Trajectory, w *Workspace, s *event.Step) {
	content := s.Result.Content
	if content.Form != event.Object && !content.IsString() {
		return
	}
	families := w.Cur.Call.Tool.acts.families
	if families == 0 {
		families = d.families
	}
	if families == 0 || d.focus[0] == 0 || w.decided(content.Raw[:min(len(content.Raw), maxAnswer)]) != denies {
		return
	}
	w.things = append(w.things[:0], d.focus[0])
	x := d.deny(t, w, s, families, nil, w.things, d.name, ByResult)
	x.Policy = true
}

// decided reads a structured decision out of the text of a JSON object: the
// value of the first member that holds one.
func (w *Workspace) decided(raw []byte) verdict {
	for _, key := range decisionKeys {
		for from := 0; ; {
			i := bytes.Index(raw[from:], []byte(key))
			if i < 0 {
				break
			}
			i += from
			from = i + len(key)
			if i == 0 || raw[i-1] != '"' {
				continue
			}
			rest := bytes.TrimLeft(raw[from:], "\\\"")
			if len(rest) == len(raw[from:]) {
				continue
			}
			rest = bytes.TrimLeft(rest, " \t\n:\\\"")
			n := 0
			for n < len(rest) && n < maxThingName && (isAlnum(rest[n]) || rest[n] == '_') {
				n++
			}
			w.text = appendLower(w.text[:0], rest[:n])
			switch {
			case slices.Contains(denyWords, string(w.text)):
				return denies
			case slices.Contains(grantWords, string(w.text)):
				return grants
			}
		}
	}
	return noVerdict
}
