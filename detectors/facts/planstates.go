package facts

import (
	"bytes"

	"misstep/event"
)

// isEndState reports whether the value of a member that tells a state says that
// the thing is over, by what the word begins with: producers have words of their
// own.
func isEndState(b []byte) bool {
	var buf [32]byte
	low := appendLower(buf[:0], b[:min(len(b), len(buf))])
	for _, s := range endStems {
		if containsWord(low, s) {
			return !bytes.HasPrefix(low, []byte("not ")) && !bytes.HasPrefix(low, []byte("not_")) || s[0] == 'n'
		}
	}
	return false
}

// isStateName and isFlagName are the members that tell a state: by a word, and
// by true for being there.
func isStateName(b []byte) bool {
	switch string(b) {
	case "status", "state", "availability", "order_status", "flight_status", "booking_status", "account_status",
		"subscription_status", "ticket_status", "stock", "lifecycle", "condition", "phase", "stage", "disposition", "standing":
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
