package facts

import (
	"bytes"
	"math/bits"

	"misstep/event"
)

// Progress is what a trajectory's results and messages brought that was new,
// and how alike its calls and messages are.
type Progress struct {
	tokens tokenSet
	agents []*agentProgress // by place in the trajectory
	// own are the tokens of the arguments of the latest call, and whose that is:
	// what a result only echoes is no answer.
	own     [ownWords]uint64
	ownCall int64 // its number, plus 1
	ownBy   int   // its agent's place
}

// agentProgress is what is known of one agent's.
type agentProgress struct {
	calls [recentCalls]recentCall // by the call's number
	// stall is the moving average of how new what the agent got is, per mille,
	// one fifth of it from the latest call.
	stall int32
	still int32  // calls on end without news
	users uint32 // as of the latest call that polls nothing
	wrote uint32
	turn  uint32

	said [2]saying // messages, and texts of model calls

	context   int64            // tokens of the latest model call, event.None before
	compacted int32            // compactions since the agent last got on
	news      int32            // calls since the latest of them that brought something new
	marks     []event.Evidence // the first of them
}

// recentCall is a call as those after it are compared with it.
type recentCall struct {
	index   int64 // of the call, plus 1; 0 for none
	args    sketch
	novelty int32 // of its result, per mille
	echo    bool  // the result only says what the call said
	exact   bool  // a little other wording may ask for something else: code, a formula
}

// saying is a run of messages that say the same.
type saying struct {
	text  sketch
	hash  uint32           // of the text
	n     int32            // messages on end, nothing else in between
	first []event.Evidence // the first of them
}

const (
	recentCalls = 12
	maxMarks    = 5
	ownWords    = 16
)

// Fresh is what a result or a message brought. It is nothing without
// NeedProgress.
type Fresh struct {
	Novelty int32 // share of the result that was new, per mille
	// Alike is how many calls before were asked in nearly the same words, by the
	// same agent, of the same tool, with nothing new from the user or from a
	// write in between, and told nothing new, this one included; 0 when this one
	// did tell something new. AlikeCalls are the numbers of the others,
	// the latest first.
	Alike      int
	AlikeCalls [recentCalls]int64
	Reworded   bool // not all of them were the same call
	Still      int  // calls on end that brought next to nothing
	Same       int  // messages on end that say the same
	Compacted  int  // compactions without getting on in between
	Marks      []event.Evidence
}

const (
	alikeWords = 600 // per mille of the words of two calls that ask the same
	alikeMost  = 100 // per mille of a result that may be new in a repeat
	stallBelow = 270 // per mille of the average below which the agent gets nowhere: six calls that brought nothing
	newsAbove  = 300 // per mille of a result that is news
	shrinkBy   = 400 // per mille by which a context shrinks that was compacted
	shrinkMin  = 2000
	sayAlike   = 700 // per mille of the words of messages that say the same
)

func (t *Trajectory) progressOf(a *Agent) *agentProgress {
	if t.progress == nil {
		t.progress = new(Progress)
	}
	p, i := t.progress, t.place(a)
	for len(p.agents) <= i {
		p.agents = append(p.agents, &agentProgress{stall: 1000, context: event.None})
	}
	return p.agents[i]
}

// watchProgress takes a step into account.
func (t *Trajectory) watchProgress(w *Workspace, a *Agent, s *event.Step) {
	f := &w.Cur.Fresh
	*f = Fresh{}
	switch s.Kind {
	case event.ToolCall:
		if c := w.Cur.Call; c != nil {
			t.asked(w, t.progressOf(a), s, c)
		}
	case event.ToolResult:
		if c := w.Cur.Call; c != nil {
			t.told(w, s, c)
		}
	case event.AgentMessage:
		t.says(w, t.progressOf(a), 0, s)
	case event.ModelCall:
		p := t.progressOf(a)
		if s.Text.IsString() && len(s.Text.Raw) > 0 {
			t.says(w, p, 1, s)
		}
		if n := s.ModelCall.ContextTokens; n != event.None {
			if p.context != event.None && p.context-n >= shrinkMin && (p.context-n)*1000 >= p.context*shrinkBy {
				t.compacts(w, p, s)
			}
			p.context = n
		}
	case event.ContextCompacted:
		p := t.progressOf(a)
		p.context = event.None // what follows is smaller for the reason told
		t.compacts(w, p, s)
	case event.UserMessage:
		if t.progress != nil {
			for _, p := range t.progress.agents {
				p.said[0].n, p.said[1].n, p.compacted = 0, 0, 0
			}
		}
	}
}

// asked takes note of what a call asks.
func (t *Trajectory) asked(w *Workspace, p *agentProgress, s *event.Step, c *Call) {
	p.said[0].n, p.said[1].n = 0, 0
	w.words = w.argWords(w.words[:0], &s.Call)
	r := &p.calls[c.Index%recentCalls]
	*r = recentCall{index: c.Index + 1, args: sketchOf(w.words), novelty: 1000, exact: isCode(s.Call.Arguments.Raw)}
	pr := t.progress
	pr.own, pr.ownCall, pr.ownBy = [ownWords]uint64{}, c.Index+1, t.place(w.Cur.Agent)
	if v := s.Call.Arguments; v.Form == event.Object {
		pr.tokens.novelty(v.Raw, &w.tokenSet) // what a call says itself is no news in its result
		for i, b := range w.tokenSet {
			pr.own[i%ownWords] |= b
		}
	}
}

// told takes note of what a result tells.
func (t *Trajectory) told(w *Workspace, s *event.Step, c *Call) {
	p, f := t.progressOf(w.Cur.Agent), &w.Cur.Fresh
	p.said[0].n, p.said[1].n = 0, 0
	r := &p.calls[c.Index%recentCalls]
	if r.index != c.Index+1 {
		return
	}
	prev := t.lastAnswer(w.Cur.Agent, c)
	clear(w.tokenSet[:]) // of an answer that is not read nothing counts
	switch v := s.Result.Content; {
	case prev != nil && prev.Result == c.Result && c.Result != 0:
		r.novelty = 0
	case v.Present():
		r.novelty = t.progress.tokens.novelty(v.Raw, &w.tokenSet)
		if pr := t.progress; r.exact && pr.ownCall == c.Index+1 && pr.ownBy == t.place(w.Cur.Agent) {
			r.echo = pr.echoes(&w.tokenSet)
		}
		if !c.Failed() && prev != nil && t.moved(w.Cur.Agent, c) {
			r.novelty = 1000
		}
	default:
		r.novelty = 0
		if c.Result == 0 && c.Error == 0 {
			r.novelty = 1000 // nothing is known of it
		}
	}
	f.Novelty = r.novelty
	if r.novelty >= newsAbove {
		if p.news++; p.news >= 3 {
			p.compacted = 0
		}
	}
	if p.wrote != t.Writes || p.users != t.Users {
		p.wrote, p.users, p.stall, p.still, p.compacted = t.Writes, t.Users, 1000, 0, 0
	}
	if c.Tool.Polls || c.Tool.plans {
		return
	}
	alike := p.alike(w.Cur.Agent, c, f)
	fresh := r.novelty
	if !alike && !answeredSo(w.Cur.Agent, c, bitsIn(&w.tokenSet)) {
		fresh = 1000
	}
	switch {
	case fresh >= newsAbove:
		p.stall += (fresh - p.stall) / 5
		p.still = 0
	case p.turn != c.Turn: // calls of one turn count once
		p.stall += (fresh - p.stall) / 5
		p.still++
	}
	p.turn = c.Turn
	if p.stall < stallBelow {
		f.Still = int(p.still)
	}
}

// answeredSo reports whether another of the latest calls had the very same answer
// as c, one of so many tokens that it says something: another question with the
// same answer tells nothing, while many things can be ok.
func answeredSo(a *Agent, c *Call, tokens int) bool {
	const telling = 8
	if tokens < telling || c.Failed() || c.Result == 0 {
		return false
	}
	for i := c.Index - 1; i > c.Index-recentCalls; i-- {
		if q := a.Call(i); q != nil && q.Result == c.Result && q.Users == c.Users && q.Turn != c.Turn {
			return true
		}
	}
	return false
}

// bitsIn counts the bits of a filter.
func bitsIn(f *[setWords]uint64) int {
	n := 0
	for _, w := range f {
		n += bits.OnesCount64(w)
	}
	return n
}

// moved reports whether the answer of a call that was made before is none of
// those it had: the world moves.
func (t *Trajectory) moved(a *Agent, c *Call) bool {
	for q := a.Call(c.PrevKey); q != nil; q = a.Call(q.PrevKey) {
		if q.Done && q.Result == c.Result {
			return false
		}
	}
	return true
}

// echoes reports whether nearly all the tokens of a text are the latest call's.
func (p *Progress) echoes(text *[setWords]uint64) bool {
	total, own := 0, 0
	for i, b := range text {
		total += bits.OnesCount64(b)
		own += bits.OnesCount64(b & p.own[i%ownWords])
	}
	return total > 0 && own*10 >= total*8
}

// isCode reports whether arguments, as JSON, hold a formula, a query or code:
// there a word more or less is another question.
func isCode(args []byte) bool { return bytes.ContainsAny(args, "=;<>|*+$") }

// lastAnswer gives the latest call before c with the same arguments that has its
// result, nil for none.
func (t *Trajectory) lastAnswer(a *Agent, c *Call) *Call {
	q := a.Call(c.PrevKey)
	for q != nil && !q.Done {
		q = a.Call(q.PrevKey)
	}
	return q
}

// alike counts the calls before c that ask nearly the same, and reports whether
// there is any.
func (p *agentProgress) alike(a *Agent, c *Call, f *Fresh) bool {
	r := &p.calls[c.Index%recentCalls]
	n, any, turn := 1, false, c.Turn
	for i := c.Index - 1; i >= 0 && i > c.Index-recentCalls; i-- {
		q, o := a.Call(i), &p.calls[i%recentCalls]
		if q == nil || o.index != i+1 || q.Users != c.Users || q.Writes != c.Writes {
			break
		}
		if q.Tool.Name != c.Tool.Name || !q.Done || q.Key != c.Key && r.args.alike(&o.args) < alikeWords {
			continue
		}
		if q.Key != c.Key && r.exact && q.Result != c.Result && !(r.echo && o.echo) {
			continue
		}
		any = true
		if q.Turn == turn || q.Failed() {
			continue
		}
		turn = q.Turn
		f.AlikeCalls[n-1] = i
		n++
		f.Reworded = f.Reworded || q.Key != c.Key
	}
	if any && r.novelty < alikeMost && !c.Failed() && n > 1 {
		f.Alike = n
	}
	return any
}

// says takes note of a message.
func (t *Trajectory) says(w *Workspace, p *agentProgress, chain int, s *event.Step) {
	if !s.Text.IsString() {
		p.said[chain].n = 0
		return
	}
	text := w.plainText(s.Text, wholeText)
	w.words = appendWords(w.words[:0], text, sketchMost)
	sk, h := sketchOf(w.words), hashWord(text)
	m := &p.said[chain]
	if m.n > 0 && (m.hash == h || sk.alike(&m.text) >= sayAlike) {
		m.n++
	} else {
		m.n, m.first = 1, m.first[:0]
	}
	m.text, m.hash = sk, h
	if m.n > 1 && len(m.first) < maxMarks {
		m.first = append(m.first, t.cite(s, "says it again"))
	}
	f := &w.Cur.Fresh
	f.Same, f.Marks = int(m.n), m.first
}

// compacts takes note of a compaction of an agent's context.
func (t *Trajectory) compacts(w *Workspace, p *agentProgress, s *event.Step) {
	if p.wrote != t.Writes || p.users != t.Users {
		p.wrote, p.users, p.compacted = t.Writes, t.Users, 0
	}
	t.Compactions++
	if p.compacted == 0 {
		p.marks = p.marks[:0]
	}
	p.compacted++
	p.news = 0
	if len(p.marks) < maxMarks {
		p.marks = append(p.marks, t.cite(s, "context compacted"))
	}
	f := &w.Cur.Fresh
	f.Compacted, f.Marks = int(p.compacted), p.marks
}
