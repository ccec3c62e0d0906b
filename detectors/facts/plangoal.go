package facts

import (
	"bytes"
	"slices"

	"misstep/event"
)

// change is what the user said when wanting something else: the words of what
// is wanted now, and those of what is not any more.
type change struct {
	at     int64 // ordinal of the message, 0 without one
	seen   int   // 1 + the place of the observation
	whole  bool  // everything planned is off
	wanted []uint32
	not    []uint32
}

const maxChangeWords = 40

// Cues of a user who wants something else. They are looked for in lower case,
// where a word begins. A weak one counts only beside a want of something.
var (
	changeCues = []string{
		"instead", "forget", "never mind", "nevermind", "changed my mind", "change of plan", "change of mind", "scrap that", "scrap the",
		"cancel that", "no longer want", "no longer need", "don't want", "do not want", "don't need", "do not need", "rather than",
		"on second thought", "hold off", "don't do", "do not do", "stop doing", "call it off", "skip the", "drop the", "leave out",
		"change the goal", "no need to", "don't bother", "do not bother", "let's not", "rather not", "disregard", "ignore that", "ignore my", "take that back",
		"on reflection", "call off", "new plan", "correction:", "abort", "as it is", "new goal", "different goal", "scratch that", "not anymore", "not any more",
		"stattdessen", "vergiss", "doch nicht", "nicht mehr", "anders überlegt",
	}
	goalWeakCues = []string{"actually", "wait", "i'd rather", "i would rather", "eigentlich", "lieber", "please don't", "please do not", "don't", "do not", "stop"}
	wantCues     = []string{"want", "need", "make it", "change", "let's", "prefer", "rather", "don't", "do not", "switch", "keep", "only", "stop", "möchte", "will ich"}
	moreCues     = []string{"also", "as well", "in addition", "additionally", "too.", "one more thing", "auch", "don't worry", "do not worry", "don't forget", "never forget", "do not forget", "can't wait", "cannot wait", "wait for", "waiting", "don't mind", "do not mind", "don't know", "do not know", "don't have", "do not have", "don't see", "don't understand", "don't think", "no need to worry", "no need to apologi", "no need to rush", "no need to hurry"}
	againCues    = []string{
		"go ahead", "as planned", "as before", "stick with", "stick to", "original plan", "the plan", "back to the original", "go back to", "continue",
		"keep going", "proceed", "after all", "that's fine", "that is fine", "do it", "wie geplant", "weitermachen", "trotzdem",
	}
	wholeCues   = []string{"never mind", "nevermind", "forget it", "forget that", "forget about it", "forget all", "forget everything", "scrap that", "cancel that", "scratch that", "call it off", "changed my mind", "change of plan", "stop everything", "new goal", "different goal", "anders überlegt"}
	goalNotCues = []string{"no need to", "don't bother", "do not bother", "let's not", "disregard", "call off", "forget", "don't", "not", "instead of", "rather than", "no longer", "without", "skip", "drop", "scrap", "stop", "leave out", "vergiss", "nicht", "kein", "keine"}
)

// mindCues are words of a change of mind that tell nothing of what is wanted;
// leaveCues, beside "leave", say that something stays as it is.
var (
	mindCues  = []string{"changed my mind", "change my mind", "change of plan", "change of mind", "on second thought", "on reflection"}
	leaveCues = []string{"as it is", "as is", "alone", "unchanged", "the way it is", "untouched", "as they are"}
)

func hasCue(low []byte, cues []string) bool {
	for _, c := range cues {
		if containsWord(low, c) {
			return true
		}
	}
	return false
}

// heard takes a user message into account: the user may turn from what is
// planned, or back to it.
func (ps *Plans) heard(w *Workspace, t *Trajectory, s *event.Step) {
	text := w.plainText(s.Text, maxText)
	if len(text) == 0 {
		return
	}
	low := appendLower(w.masked[:0], text)
	w.masked = low
	if i := bytes.Index(low, []byte("’")); i >= 0 {
		low = bytes.ReplaceAll(low, []byte("’"), []byte("'"))
	}
	strong := hasCue(low, changeCues)
	weak := !strong && hasCue(low, goalWeakCues) && hasCue(low, wantCues)
	if strong && hasCue(low, []string{"don't forget", "do not forget", "never forget", "don't want to wait"}) {
		strong = false
	}
	if !strong && (!weak || hasCue(low, moreCues)) {
		switch {
		case ps.change.at == 0:
		case hasCue(low, againCues) || affirms(low):
			ps.again()
		default:
			ps.wants(low)
		}
		return
	}
	if ps.change.at > 0 && !ps.Observations[ps.change.seen-1].Over && hasCue(low, againCues) {
		ps.again() // "forget what I said, go ahead as planned"
		return
	}
	ch := change{at: t.Ordinal, whole: hasCue(low, wholeCues)}
	ch.read(low)
	seen := 0
	for _, p := range ps.All {
		for i := range p.Items {
			it := &p.Items[i]
			if it.Finished() {
				continue
			}
			if seen == 0 {
				if seen = ps.observe(t, s, ObservedGoal, "the user wants something else", ""); seen == 0 {
					return
				}
			}
			it.Doubt = seen
			if it.Stale == 0 && shared(ch.not, it.words) > 0 && (len(it.names) == 0 || shared(ch.not, it.names) > 0 || shared(ch.wanted, it.names) == 0) && notVerb(ch.not, it) {
				it.Stale = seen
			}
		}
	}
	if ch.seen = seen; seen > 0 {
		ps.change = ch
	}
}

// notVerb reports whether what is not wanted is what the item does or what it is
// done to, and not a word that both only have by chance.
func notVerb(not []uint32, it *PlanItem) bool {
	if shared(not, it.names) > 0 {
		return true
	}
	n := shared(not, it.words)
	return n >= 2 || n == 1 && len(it.words) <= 5 || len(it.words) > 0 && hasWord(not, it.words[0])
}

func affirms(low []byte) bool {
	b := bytes.TrimLeft(low, " \t\n\"'")
	for _, p := range []string{"yes", "ok", "okay", "sure", "right, ", "correct", "ja", "genau"} {
		if bytes.HasPrefix(b, []byte(p)) && (len(b) == len(p) || !isAlnum(b[len(p)])) {
			return true
		}
	}
	return false
}

// wants takes the change back for the items that a later message speaks of.
func (ps *Plans) wants(low []byte) {
	var said change
	said.read(low)
	seen := ps.change.seen
	for _, p := range ps.All {
		for i := range p.Items {
			it := &p.Items[i]
			if (it.Doubt == seen || it.Stale == seen) && shared(said.wanted, it.words) > 0 && shared(said.not, it.words) == 0 {
				it.Doubt = 0
				if it.Stale == seen {
					it.Stale = 0
				}
			}
		}
	}
}

// again takes a change of mind back.
func (ps *Plans) again() {
	seen := ps.change.seen
	ps.Observations[seen-1].Over = true
	for _, p := range ps.All {
		for i := range p.Items {
			it := &p.Items[i]
			if it.Doubt == seen {
				it.Doubt = 0
			}
			if it.Stale == seen {
				it.Stale = 0
			}
		}
	}
	ps.change = change{}
}

// read sorts the words of a message, in lower case, into what is wanted and
// what is not: what comes within six words after a no, up to the clause's end,
// is not.
func (ch *change) read(low []byte) {
	const reach = 6
	left := 0
	for _, c := range mindCues { // they say that something changes, not what
		for i := bytes.Index(low, []byte(c)); i >= 0; i = bytes.Index(low, []byte(c)) {
			for j := range len(c) {
				low[i+j] = '.'
			}
		}
	}
	leave := hasCue(low, leaveCues)
	for i := 0; i < len(low); {
		c := low[i]
		if !isLetterByte(c) && !isDigit(c) {
			if c == '.' || c == ',' || c == ';' || c == '!' || c == '?' || c == '\n' {
				left = 0
			}
			i++
			continue
		}
		no := 0
		for _, cue := range goalNotCues {
			if n := len(cue); n > no && bytes.HasPrefix(low[i:], []byte(cue)) && (i+n == len(low) || !isLetterByte(low[i+n]) && !isDigit(low[i+n])) {
				no = n
			}
		}
		if leave && no == 0 && bytes.HasPrefix(low[i:], []byte("leave ")) {
			no = len("leave")
		}
		if no > 0 {
			left = reach + 1
			i += no
			continue
		}
		n := wordLen(low[i:])
		token := low[i : i+n]
		i += n
		if string(token) == "but" || string(token) == "and" || string(token) == "instead" || string(token) == "aber" {
			left = 0
			continue
		}
		w, ok := wordOf(token)
		if !ok {
			continue
		}
		if left > 0 {
			left--
			ch.not = addWord(ch.not, w.hash, maxChangeWords)
		} else {
			ch.wanted = addWord(ch.wanted, w.hash, maxChangeWords)
		}
	}
	ch.wanted = slices.DeleteFunc(ch.wanted, func(h uint32) bool { return hasWord(ch.not, h) })
}

// against reports whether a call that belongs to an item does what the user
// turned from, rather than what is wanted now.
func (ch *change) against(tool *Tool, it *PlanItem, said *callText) bool {
	if ch.at == 0 || it.Doubt != ch.seen && it.Stale != ch.seen {
		return false
	}
	if it.Stale == ch.seen || shared(said.words, ch.not) > 0 {
		return true
	}
	for _, h := range said.words { // it carries what only the new wish names
		if hasWord(ch.wanted, h) && !hasWord(it.words, h) {
			return false
		}
	}
	if n := len(tool.meaning); n > 0 && shared(tool.meaning, ch.wanted) == n {
		return false
	}
	return ch.whole || len(ch.wanted) > 0
}

// intendCues come right before the name of the tool that an agent says it will
// call next.
var intendCues = []string{"call ", "use ", "using ", "calling ", "invoke ", "run ", "with ", "via ", "nutze ", "verwende "}

// intends gives the one tool that a text says the agent will call next, empty
// for none or several. Only names that no prose holds count: of two words.
func (w *Workspace) intends(t *Trajectory, v event.Value) string {
	if t.Tools == nil || !bytes.Contains(v.Raw, []byte("_")) {
		return ""
	}
	text := w.plainText(v, maxText)
	name, cue := "", false
	for i := 0; i < len(text); {
		if !isLetterByte(text[i]) {
			i++
			continue
		}
		n := 0
		for i+n < len(text) && (isLetterByte(text[i+n]) || isDigit(text[i+n]) || text[i+n] == '_') {
			n++
		}
		token := text[i : i+n]
		if n >= 6 && bytes.IndexByte(token, '_') > 0 {
			if tool := t.Tools.Tool(token); tool != nil {
				if name != "" && name != tool.Name {
					return ""
				}
				name = tool.Name
				cue = cue || intended(text[:i])
			}
		}
		i += n
	}
	if !cue {
		return ""
	}
	return name
}

// intended reports whether what stands before a tool's name says that it will be
// called: "I will call", "let me use", "now using".
func intended(before []byte) bool {
	const window = 60
	low := appendLower(nil, before[max(0, len(before)-window):])
	low = bytes.TrimRight(low, " `\"'*the")
	low = append(low, ' ')
	verb := false
	for _, c := range intendCues {
		verb = verb || bytes.HasSuffix(low, []byte(c))
	}
	if !verb || hasCue(low, []string{"not", "don't", "cannot", "can't", "if", "after", "tried", "instead of", "already", "could"}) {
		return false
	}
	return hasCue(low, []string{"i will", "i'll", "let me", "next", "now", "going to", "i need to", "i should", "ich werde"})
}
