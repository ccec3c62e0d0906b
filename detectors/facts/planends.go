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

// endsFor says what the error of a call, one that reads or another, means for good, empty for nothing: that something
// is not there, over, or not to be had; and whether that holds for whatever is
// done with it. The text is in lower case.
func endsFor(class ErrorClass, text []byte, reads bool) (what string, whole bool) {
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
		return "conflict", reads // a read conflicts with the thing, not with another use of it
	case Denied:
		return "denied", false
	}
	return "", false
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
	survivors              = wordStems("reopen", "restore", "reactivate", "recreate", "renew", "replace", "replacement", "alternative", "send", "tell", "report", "document", "note", "log", "escalate", "summarize", "summarise", "explain", "apologize", "rebook", "compensate", "ask", "answer", "reply", "respond")
	getWord                = wordStems("get")[0]
	actWords               = wordStems("get", "create", "delete", "send", "update", "pay", "cancel", "refund", "ship", "issue", "apply", "set", "switch", "move", "run", "submit", "approve", "return", "exchange", "transfer", "upload")
	refundWord, returnWord = wordStems("refund")[0], wordStems("return")[0]
)

func wordStems(list ...string) []uint32 {
	var out []uint32
	for _, s := range list {
		w, _ := wordOf([]byte(s))
		out = append(out, w.hash)
	}
	return out
}
