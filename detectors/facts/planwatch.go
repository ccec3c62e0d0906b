package facts

import (
	"bytes"
	"slices"

	"misstep/event"
)

// pendingCall is what is remembered of a call until its result comes.
type pendingCall struct {
	agent int // place in the trajectory
	call  int64
	plan  int      // 1 + the place of its plan, 0 for none
	item  int      // 1 + the place of its item, 0 for none
	names []uint64 // of what it is about: ids, words, then all together
	ids   int      // how many of them are ids
}

const (
	maxPending   = 16
	maxCallNames = 6
	maxCallWords = 24
)

// callText is what the arguments of a call say, as far as plans can match it.
type callText struct {
	names []uint64 // ids, then names of words, then all of them together
	ids   int      // how many are ids
	words []uint32 // all words of the arguments
	soft  []softName
}

// softName is an argument of words, such as a hotel's name: it is about what an
// item is about when the item has all of them.
type softName struct {
	name uint64
	from int // its words in callText.words
	to   int
}

// watchPlan takes a step into account for the plans. cur.Plan says what it was.
func (t *Trajectory) watchPlan(w *Workspace, a *Agent, s *event.Step) {
	m := &w.Cur.Plan
	*m = Matched{Item: -1}
	switch s.Kind {
	case event.PlanUpdate:
		if items := w.planFromStep(s.Plan); len(items) > 0 {
			t.planning().adopt(t, s, a.Name, PlanFromStep, items, m)
		}
	case event.ToolCall:
		if c := w.Cur.Call; c != nil {
			t.planCall(w, a, s, c, m)
		}
	case event.ToolResult:
		if t.plans != nil && w.Cur.Call != nil {
			t.planResult(w, s, w.Cur.Call)
		}
	case event.AgentMessage, event.ModelCall:
		if t.plans != nil && s.Kind == event.AgentMessage {
			for i := range t.plans.Observations {
				t.plans.Observations[i].Told = true
			}
		}
		if s.Text.IsString() {
			t.planText(w, a, s, m)
		}
	case event.UserMessage:
		if t.plans != nil && len(t.plans.All) > 0 {
			for _, p := range t.plans.All {
				p.fresh = true
			}
			t.plans.heard(w, t, s)
		}
	case event.ToolsChanged:
		if t.plans != nil && len(t.plans.All) > 0 && s.Change.Remove.Form == event.Array {
			t.toolsTaken(s)
		}
	}
}

func (t *Trajectory) planText(w *Workspace, a *Agent, s *event.Step, m *Matched) {
	if items := w.planFromText(s.Text); len(items) > 0 {
		t.planning().adopt(t, s, a.Name, PlanFromText, items, m)
	}
	if name := w.intends(t, s.Text); name != "" {
		e := t.cite(s, "says that it calls "+name)
		t.planning().intent = intent{a.Name, name, e.Seq, e.ID}
	} else if t.plans != nil && t.plans.intent.agent == a.Name {
		t.plans.intent = intent{}
	}
}

// planCall matches a call with the plan.
func (t *Trajectory) planCall(w *Workspace, a *Agent, s *event.Step, c *Call, m *Matched) {
	if c.Tool.plans && s.Call.Arguments.Form == event.Object {
		if items := w.planFromTool(s.Call.Arguments); len(items) > 0 {
			t.planning().adopt(t, s, a.Name, PlanFromTool, items, m)
			return
		}
	}
	ps := t.plans
	if ps == nil {
		return
	}
	if i := &ps.intent; i.tool != "" && i.agent == a.Name {
		if i.tool != c.Tool.Name && !bytes.Contains(s.Call.Arguments.Raw, append([]byte(i.tool), '(')) { // nor calls it in code
			m.Meant, m.MeantStep = i.tool, event.Evidence{Seq: i.seq, ID: i.id, Note: "says that it calls " + i.tool}
		}
		*i = intent{}
	}
	p := ps.planOf(a.Name)
	if p == nil {
		return
	}
	w.readCall(s.Call.Arguments)
	m.Plan = p
	p.Calls++
	p.Since++
	m.Item = p.match(c.Tool, &w.said)
	if e := t.resources.find(w.said.names, c.Tool.hash); e != nil {
		m.Dead = e.seen
	}
	for i := range ps.Observations {
		if o := &ps.Observations[i]; !o.Over {
			o.Calls++
			if c.Tool.Reads && (m.Dead == i+1 || m.Item >= 0 && p.Items[m.Item].Stale == i+1) {
				o.Reads++
			}
		}
	}
	item := 0
	if m.Item >= 0 {
		it := &p.Items[m.Item]
		if it.Tried == 0 {
			p.order = append(p.order, uint8(m.Item))
		}
		it.Tried++
		p.Matched++
		p.Fitting++
		item = m.Item + 1
		if m.Stale = it.Stale; m.Stale > 0 && ps.Observations[m.Stale-1].Kind == ObservedRefusal {
			m.Stale = m.Dead // another way than the one that was refused is none of it
		}
		if m.Stale == 0 && m.Dead > 0 {
			if o := &ps.Observations[m.Dead-1]; it.Since < o.At && !o.Over && !it.survives(o.What) {
				m.Stale = m.Dead
			}
		}
		if m.Stale > 0 && !c.Tool.Reads {
			ps.Stale++
		}
		m.Against = ps.change.against(c.Tool, it, &w.said)
	}
	if len(ps.pending) == maxPending {
		ps.pending = append(ps.pending[:0], ps.pending[1:]...)
	}
	place := 0
	for i, q := range ps.All {
		if q == p {
			place = i + 1
		}
	}
	names := slices.Clone(w.said.names)
	ps.pending = append(ps.pending, pendingCall{t.place(a), c.Index, place, item, names, w.said.ids})
}

func (t *Trajectory) place(a *Agent) int {
	for i, b := range t.Agents {
		if a == b {
			return i
		}
	}
	return 0
}

// readCall takes the words and ids out of a call's arguments into w.said.
func (w *Workspace) readCall(args event.Value) {
	d := &w.said
	d.names, d.words, d.soft, d.ids = d.names[:0], d.words[:0], d.soft[:0], 0
	if args.Form != event.Object {
		return
	}
	c := event.NewCursor(args)
	if c.Enter() {
		w.readArgs(&c, true, 3)
	}
	d.ids = len(d.names)
	for _, s := range d.soft {
		if len(d.names) < 2*maxCallNames {
			d.names = append(d.names, s.name)
		}
	}
	if len(d.names) > 1 {
		all := uint64(0)
		for _, n := range d.names {
			all += n
		}
		d.names = append(d.names, nonZero(all))
	}
}

func (w *Workspace) readArgs(c *event.Cursor, object bool, depth int) {
	d := &w.said
	for c.More() {
		amount := false
		if object {
			k := c.Key()
			amount = isAmountName(k.Raw)
		}
		if f := c.Form(); f == event.Object || f == event.Array {
			if depth > 0 && c.Enter() {
				w.readArgs(c, f == event.Object, depth-1)
			} else {
				c.Skip()
			}
			continue
		}
		v := c.Value()
		if !v.IsString() && v.Form != event.Number || len(d.words) >= maxCallWords {
			continue
		}
		const longest = 96
		if len(v.Raw) > longest {
			v.Raw = v.Raw[:longest]
		}
		from := len(d.words)
		soft, named := uint64(0), false
		var buf [8]word
		for _, word := range appendWords(buf[:0], v.Text(&w.text), len(buf)) {
			if len(d.words) == maxCallWords {
				break
			}
			d.words = append(d.words, word.hash)
			soft += uint64(word.hash) * 0x9e3779b97f4a7c15
			if word.id && !amount {
				named = true
				if len(d.names) < maxCallNames {
					d.names = append(d.names, nameOf(word.hash))
				}
			}
		}
		if n := len(d.words) - from; !named && v.IsString() && n >= 1 && n <= 4 && len(v.Raw) >= 4 {
			d.soft = append(d.soft, softName{nonZero(soft), from, len(d.words)})
		}
	}
}

// nameOf makes the hash of a word the name of a thing.
func nameOf(h uint32) uint64 { return nonZero(uint64(h)) }

// isAmountName reports whether a parameter holds a quantity rather than names
// something.
func isAmountName(b []byte) bool {
	var buf [32]byte
	switch string(appendLower(buf[:0], b[:min(len(b), len(buf))])) {
	case "amount", "amount_cents", "price", "total", "quantity", "qty", "count", "cents", "limit", "offset", "page",
		"year", "date", "time", "size", "number_of_items", "passengers", "guests", "nights", "days", "max_results", "timeout":
		return true
	}
	return false
}

// match finds the item that a call belongs to, -1 for none: the named tool and
// the same thing best, then a tool whose name the item speaks of.
func (p *Plan) match(tool *Tool, said *callText) int {
	best, score := -1, 0
	for i := range p.Items {
		it := &p.Items[i]
		n := it.fits(tool, said)
		if n > 0 { // of two alike the one with more of the arguments in it
			n = 16*n + 4*min(shared(said.words, it.words), 3)
			if it.Finished() {
				n -= 2 // and that is still to be done
			}
			if it.Worked > 0 {
				n--
			}
		}
		if n > score {
			best, score = i, n
		}
	}
	return best
}

// fits says how well a call fits an item, 0 for not.
func (i *PlanItem) fits(tool *Tool, said *callText) int {
	about, other := false, false
	for _, n := range i.names {
		for _, m := range said.names {
			about = about || nameOf(n) == m
		}
	}
	if !about {
		for _, s := range said.soft {
			about = about || shared(said.words[s.from:s.to], i.words) == s.to-s.from
		}
	}
	if !about && len(i.names) > 0 {
		other = said.ids > 0
	}
	switch {
	case i.Tool != "" && i.Tool == tool.Name && about:
		return 100
	case i.Tool != "" && i.Tool == tool.Name && !other:
		return 80
	case i.Tool != "" && i.Tool != tool.Name:
		return 0
	case other:
		return 0
	}
	n := shared(tool.meaning, i.words)
	whole := n > 0 && n == len(tool.meaning)
	switch {
	case whole && about:
		return 90
	case whole && (len(tool.meaning) > 1 || tool.Changes):
		return 60 + min(n, 9)
	case about && n > 0:
		return 50 + min(n, 9)
	}
	return 0
}

// planResult takes a result into account: what it makes of its item, and
// whether it says that something is over.
func (t *Trajectory) planResult(w *Workspace, s *event.Step, c *Call) {
	ps := t.plans
	at := -1
	for i := range ps.pending {
		if q := &ps.pending[i]; q.call == c.Index && q.agent == t.place(w.Cur.Agent) {
			at = i
		}
	}
	if at < 0 {
		return
	}
	q := ps.pending[at]
	ps.pending = append(ps.pending[:at], ps.pending[at+1:]...)
	var p *Plan
	if q.plan > 0 && q.plan <= len(ps.All) {
		p = ps.All[q.plan-1]
	}
	if !c.Failed() && p != nil {
		if c.PrevKey == None {
			p.fresh = true
		}
		if q.item > 0 && q.item <= len(p.Items) {
			it := &p.Items[q.item-1]
			if it.Worked++; it.Stale > 0 && ps.Observations[it.Stale-1].Kind <= ObservedState {
				it.Stale = 0 // it could be done after all
			}
		}
	}
	switch {
	case c.Failed():
		if what, whole := endsFor(c.Class, w.Cur.ErrorText, c.Tool.Reads); what != "" {
			t.errorEnds(w, s, c, &q, what, whole)
		}
	case c.Tool.Changes:
		t.ownWrite(c, &q)
	default:
		t.readStates(w, s, c, &q)
	}
}
