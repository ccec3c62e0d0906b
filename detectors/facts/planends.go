package facts

import (
	"bytes"

	"misstep/detectors/schema"
	"misstep/event"
)

// observe notes what makes items of the plan pointless; the place of the
// observation, plus 1, or 0 when there is no room.
func (ps *Plans) observe(t *Trajectory, s *event.Step, kind ObservationKind, what, tool string) int {
	if len(ps.Observations) == maxObservations {
		return 0
	}
	e := t.cite(s, "")
	ps.Observations = append(ps.Observations, Observation{
		At: t.Ordinal, Seq: e.Seq, ID: e.ID, Kind: kind, What: what[:min(len(what), 64)], Tool: tool,
	})
	return len(ps.Observations)
}

// toolsTaken marks the items that need a tool that is gone.
func (t *Trajectory) toolsTaken(s *event.Step) {
	_ = event.Strings(s.Change.Remove, func(name []byte) error {
		t.toolGone(s, string(name[:min(len(name), event.MaxName)]), "tool removed")
		return nil
	})
}

func (t *Trajectory) toolGone(s *event.Step, name, what string) {
	ps := t.plans
	meaning := meaningOf(name)
	seen := 0
	for _, p := range ps.All {
		for i := range p.Items {
			it := &p.Items[i]
			if it.Finished() || it.Stale > 0 || it.Tool != name && (it.Tool != "" || len(meaning) < 2 || shared(meaning, it.words) != len(meaning)) {
				continue
			}
			if seen == 0 {
				if seen = ps.observe(t, s, ObservedTool, what, name); seen == 0 {
					return
				}
			}
			it.Stale = seen
		}
	}
}

// meaningOf is the words of a tool's name as plans speak of them.
func meaningOf(name string) []uint32 {
	var out []uint32
	for _, part := range schema.Words(name) {
		if w, ok := wordOf([]byte(part)); ok && !isPlainName(part) {
			out = addWord(out, w.hash, maxItemWords)
		}
	}
	return out
}

// isPlainName reports whether a word of a tool's name says nothing of what it
// does.
func isPlainName(word string) bool {
	switch word {
	case "details", "detail", "info", "information", "data", "tool", "api", "new", "by", "id", "the", "user", "customer", "current", "pending":
		return true
	}
	return false
}

// errorEnds notes what an error says is over, and marks the items about it.
func (t *Trajectory) errorEnds(w *Workspace, s *event.Step, c *Call, q *pendingCall, what string, whole bool) {
	ps := t.plans
	names, told := q.names, false
	if n := w.namesIn(w.Cur.ErrorText, names); len(n) > 0 {
		names, told = n, true
	} else if len(names) > 1 {
		names = names[len(names)-1:] // only all of them together are known to be over
	}
	tool, kind := uint64(0), ObservedError
	if !whole {
		tool, kind = c.Tool.hash, ObservedRefusal
	}
	e := resource{tool: tool, at: t.Ordinal}
	known := len(names) > 0
	for _, n := range names {
		known = known && t.resources.knows(n)
	}
	if known {
		return
	}
	seen := 0
	mark := func(it *PlanItem) bool {
		if it.Finished() || it.Stale > 0 || it.survives(what) {
			return true
		}
		if seen == 0 {
			if seen = ps.observe(t, s, kind, c.Tool.Name+" failed: "+what, c.Tool.Name); seen == 0 {
				return false
			}
		}
		it.Stale = seen
		return true
	}
	for k, p := range ps.All {
		for i := range p.Items {
			it := &p.Items[i]
			own := k+1 == q.plan && i+1 == q.item && it.Worked == 0 && len(q.names) > 0
			if (own && (c.Tool.Changes && !(whole && told) || it.about(names)) || whole && it.about(names)) && !mark(it) {
				return
			}
		}
	}
	if seen == 0 && len(names) > 0 {
		seen = ps.observe(t, s, kind, c.Tool.Name+" failed: "+what, c.Tool.Name)
	}
	for _, n := range names {
		e.name, e.seen = n, seen
		if seen > 0 {
			t.resources.ended(e)
		}
	}
}

// about reports whether an item names one of the things.
func (i *PlanItem) about(names []uint64) bool {
	for _, n := range i.names {
		for _, m := range names {
			if nameOf(n) == m {
				return true
			}
		}
	}
	sum := uint64(0)
	for _, h := range i.words {
		sum += uint64(h) * 0x9e3779b97f4a7c15
		for _, m := range names {
			if nonZero(uint64(h)*0x9e3779b97f4a7c15) == m {
				return true
			}
		}
	}
	for k := 1; k < len(i.words); k++ { // names of two and three words
		for _, m := range names {
			two := (uint64(i.words[k-1]) + uint64(i.words[k])) * 0x9e3779b97f4a7c15
			if two == m || k > 1 && two+uint64(i.words[k-2])*0x9e3779b97f4a7c15 == m {
				return true
			}
		}
	}
	return false
}

// namesIn gives those of the names that a text speaks of.
func (w *Workspace) namesIn(text []byte, names []uint64) []uint64 {
	var out []uint64
	var buf [64]word
	for _, word := range appendWords(buf[:0], text, len(buf)) {
		for _, n := range names {
			if n == nameOf(word.hash) {
				out = append(out, n)
			}
		}
	}
	return out
}

// ownWrite takes a successful change into account: what the agent ended itself
// is no news to it, and what it made or changed lives.
func (t *Trajectory) ownWrite(c *Call, q *pendingCall) {
	ends := false
	for _, w := range c.Tool.Words {
		switch w {
		case "cancel", "close", "delete", "remove", "archive", "terminate", "deactivate", "disable", "revoke", "expire",
			"end", "stop", "kill", "drop", "destroy", "uninstall":
			ends = true
		}
	}
	for _, n := range q.names {
		if ends {
			t.resources.ended(resource{name: n, at: t.Ordinal})
		} else {
			t.revive(n)
		}
	}
}

// revive takes back that something is over.
func (t *Trajectory) revive(name uint64) {
	if !t.resources.lives(name) {
		return
	}
	one := []uint64{name}
	for _, p := range t.plans.All {
		for i := range p.Items {
			if it := &p.Items[i]; it.Stale > 0 && it.about(one) && t.plans.Observations[it.Stale-1].Kind <= ObservedState {
				it.Stale = 0
			}
		}
	}
}

// ending is a word that tells that something is over for good.
type ending struct {
	text  string
	what  string
	whole bool // for whatever is done with it, not only for what was tried
}

var endings = []ending{
	{"out of stock", "out of stock", true},
	{"out_of_stock", "out of stock", true},
	{"sold out", "sold out", true},
	{"sold_out", "sold out", true},
	{"no longer", "no longer there", true},
	{"discontinued", "discontinued", true},
	{"has been deleted", "deleted", true},
	{"was deleted", "deleted", true},
	{"been removed", "removed", true},
	{"gone", "gone", true},
	{"cancelled", "cancelled", true},
	{"canceled", "cancelled", true},
	{"expired", "expired", true},
	{"archived", "archived", true},
	{"terminated", "terminated", true},
	{"deactivated", "deactivated", true},
	{"closed", "closed", true},
	{"already", "already done", false},
	{"insufficient", "insufficient funds", false},
	{"not enough", "not enough", false},
	{"not eligible", "not eligible", false},
	{"ineligible", "not eligible", false},
	{"not_eligible", "not eligible", false},
	{"not refundable", "not eligible", false},
	{"non-refundable", "not eligible", false},
	{"precondition", "precondition failed", false},
}

// endsFor says what an error means for good, empty for nothing: that something
// is not there, over, or not to be had; and whether that holds for whatever is
// done with it. The text is in lower case.
func endsFor(class ErrorClass, text []byte) (what string, whole bool) {
	for _, e := range endings {
		if containsWord(text, e.text) && (!class.Transient() || e.whole && class == Unavailable) {
			if e.text == "closed" && bytes.Contains(text, []byte("connection")) {
				continue
			}
			return e.what, e.whole
		}
	}
	switch class {
	case NotFound:
		return "not found", true
	case Conflict:
		return "conflict", false
	case Denied:
		return "denied", false
	}
	return "", false
}

// isEndState reports whether the value of a member that tells a state says that
// the thing is over.
func isEndState(b []byte) bool {
	var buf [24]byte
	switch string(appendLower(buf[:0], b[:min(len(b), len(buf))])) {
	case "cancelled", "canceled", "closed", "expired", "deleted", "removed", "gone", "archived", "discontinued",
		"sold_out", "sold out", "out_of_stock", "out of stock", "unavailable", "inactive", "terminated", "revoked",
		"withdrawn", "deactivated", "suspended", "not_found", "void", "voided", "decommissioned", "grounded", "closed_permanently":
		return true
	}
	return false
}

// isStateName and isFlagName are the members that tell a state: by a word, and
// by true for being there.
func isStateName(b []byte) bool {
	switch string(b) {
	case "status", "state", "availability", "order_status", "flight_status", "booking_status", "account_status",
		"subscription_status", "ticket_status", "stock", "lifecycle", "condition":
		return true
	}
	return bytes.HasSuffix(b, []byte("_status")) || bytes.HasSuffix(b, []byte("_state")) || bytes.HasSuffix(b, []byte("Status"))
}

func isFlagName(b []byte) bool {
	switch string(b) {
	case "available", "in_stock", "inStock", "active", "is_active", "exists", "eligible", "is_available", "bookable", "refundable":
		return true
	}
	return false
}

// maxStates bounds how much of a result is looked through for states.
const maxStates = 256

// readStates looks through what a read told for what is over.
func (t *Trajectory) readStates(w *Workspace, s *event.Step, c *Call, q *pendingCall) {
	v := s.Result.Content
	if v.IsString() {
		text := w.plainText(v, maxPlanText)
		trimmed := bytes.TrimSpace(text)
		if len(trimmed) == 0 {
			return
		}
		if trimmed[0] != '{' && trimmed[0] != '[' {
			t.readSentences(w, s, c, q, trimmed)
			return
		}
		w.plan = append(w.plan[:0], trimmed...)
		inner, err := event.JSONValue(w.plan)
		if err != nil {
			return
		}
		v = inner
	}
	if v.Form != event.Object && v.Form != event.Array {
		return
	}
	left := maxStates
	t.walkStates(w, s, c, q, v, 5, true, &left)
}

func (t *Trajectory) walkStates(w *Workspace, s *event.Step, c *Call, q *pendingCall, v event.Value, depth int, top bool, left *int) {
	cur := event.NewCursor(v)
	if !cur.Enter() {
		return
	}
	var names [4]uint64
	n, over, alive := 0, "", false
	for cur.More() && *left > 0 {
		*left--
		var key []byte
		if v.Form == event.Object {
			key = cur.Key().Raw
		}
		switch f := cur.Form(); {
		case f == event.Object || f == event.Array:
			inner := cur.Value()
			if depth > 0 {
				t.walkStates(w, s, c, q, inner, depth-1, top && v.Form == event.Object && isWrapper(key), left)
			}
			continue
		case v.Form == event.Array:
			cur.Skip()
			continue
		}
		m := cur.Value()
		switch {
		case m.IsString() && isStateName(key):
			if isEndState(m.Raw) {
				over = string(key) + " " + string(m.Raw)
			} else {
				alive = true
			}
		case m.Form == event.Bool && isFlagName(key):
			if string(m.Raw) == "false" {
				over = "not " + string(key)
			} else {
				alive = true
			}
		case (m.IsString() || m.Form == event.Number) && !isAmountName(key) && len(m.Raw) <= 64 && n < len(names):
			var buf [2]word
			if ws := appendWords(buf[:0], m.Text(&w.text), len(buf)); len(ws) == 1 && ws[0].id {
				names[n] = nameOf(ws[0].hash)
				n++
			}
		}
	}
	switch {
	case over != "" && n == 0 && top:
		t.stateEnds(s, c, q, q.names, over)
	case over != "" && n > 0:
		t.stateEnds(s, c, q, names[:n], over)
	case alive && n > 0:
		for _, name := range names[:n] {
			t.revive(name)
		}
	case alive && top:
		for _, name := range q.names {
			t.revive(name)
		}
	}
}

// isWrapper reports whether a member only wraps what a result is about.
func isWrapper(key []byte) bool {
	switch string(key) {
	case "data", "result", "results", "response", "order", "item", "record", "details", "ticket", "booking", "reservation", "account", "subscription", "flight":
		return true
	}
	return false
}

// readSentences is readStates for a text.
func (t *Trajectory) readSentences(w *Workspace, s *event.Step, c *Call, q *pendingCall, text []byte) {
	const longest = 600 // a longer text is a document, not an answer
	if len(text) > longest {
		return
	}
	low := appendLower(w.masked[:0], text)
	w.masked = low
	for _, e := range endings {
		if !e.whole || !containsWord(low, e.text) {
			continue
		}
		i := bytes.Index(low, []byte(e.text))
		from := bytes.LastIndexAny(low[:i], ".\n;") + 1
		to := len(low)
		if j := bytes.IndexAny(low[i:], ".\n;"); j >= 0 {
			to = i + j
		}
		sentence := low[from:to]
		if bytes.Contains(sentence, []byte(" not ")) || bytes.Contains(sentence, []byte("n't ")) || bytes.Contains(sentence, []byte(" if ")) || bytes.Contains(sentence, []byte(" can be")) {
			continue
		}
		names := w.namesIn(sentence, q.names)
		var buf [8]word
		for _, word := range appendWords(buf[:0], sentence, len(buf)) {
			if word.id {
				names = append(names, nameOf(word.hash))
			}
		}
		if len(names) == 0 {
			names = q.names
		}
		t.stateEnds(s, c, q, names, e.what)
		return
	}
}

// stateEnds notes that a read showed something to be over, and marks the items
// about it.
func (t *Trajectory) stateEnds(s *event.Step, c *Call, q *pendingCall, names []uint64, what string) {
	ps := t.plans
	for _, n := range names {
		if t.resources.knows(n) {
			return
		}
	}
	if len(names) == 0 {
		return
	}
	seen := ps.observe(t, s, ObservedState, c.Tool.Name+" says "+what, c.Tool.Name)
	if seen == 0 {
		return
	}
	for _, p := range ps.All {
		for i := range p.Items {
			if it := &p.Items[i]; !it.Finished() && it.Stale == 0 && it.about(names) && !it.survives(what) && it.Tool != c.Tool.Name {
				it.Stale = seen
			}
		}
	}
	for _, n := range names {
		t.resources.ended(resource{name: n, at: t.Ordinal, seen: seen})
	}
}

// survives reports whether an item makes sense for something that is over: to
// bring it back, to look at it, to tell somebody, to find another one.
func (i *PlanItem) survives(what string) bool {
	for _, verb := range survivors {
		if hasWord(i.words, verb) {
			return true
		}
	}
	return bytes.Contains([]byte(what), []byte("cancel")) && (hasWord(i.words, refundWord) || hasWord(i.words, returnWord))
}

var (
	survivors              = stems("reopen", "restore", "reactivate", "recreate", "renew", "replace", "replacement", "alternative", "send", "tell", "report", "document", "note", "log", "escalate", "summarize", "summarise", "explain", "apologize", "rebook", "compensate", "ask", "answer", "reply", "respond")
	getWord                = stems("get")[0]
	refundWord, returnWord = stems("refund")[0], stems("return")[0]
)

func stems(list ...string) []uint32 {
	var out []uint32
	for _, s := range list {
		w, _ := wordOf([]byte(s))
		out = append(out, w.hash)
	}
	return out
}
