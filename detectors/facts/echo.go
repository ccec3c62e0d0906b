package facts

import (
	"slices"

	"misstep/event"
)

// words are the words of a call's arguments, to know a result that only gives
// them back.
type words struct {
	call  int64 // the call, plus 1; 0 for none
	agent int32
	set   []uint32 // hashes, sorted
}

const (
	maxEchoWords = 256  // words of a call that are remembered
	leastLetter  = 4    // letters of a word that counts
	echoBytes    = 2048 // of a result that are compared
	leastEchoed  = 8    // words of a result that must be the call's
	echoedShare  = 80   // of a hundred words of the result
)

// forEachWord calls do with the hash of every word of letters that counts, until
// it gives false. An escape is no letter.
func forEachWord(b []byte, escaped bool, do func(hash uint32) bool) {
	for i := 0; i < len(b); {
		if escaped && b[i] == '\\' {
			i += 2
			continue
		}
		if byteClass[b[i]] != isLetter {
			i++
			continue
		}
		h, from := uint32(2166136261), i
		for ; i < len(b) && byteClass[b[i]] == isLetter; i++ {
			h = (h ^ uint32(b[i]|0x20)) * 16777619
		}
		if i-from >= leastLetter && !do(h) {
			return
		}
	}
}

// say remembers the words of a call, if they are enough to be echoed.
func (v *Provenance) say(agent int32, call int64, args event.Value) {
	v.said.call, v.said.set = 0, v.said.set[:0]
	if len(args.Raw) < leastEchoed*(leastLetter+1) {
		return
	}
	forEachWord(args.Raw, true, func(h uint32) bool {
		if i, ok := slices.BinarySearch(v.said.set, h); !ok {
			v.said.set = slices.Insert(v.said.set, i, h)
		}
		return len(v.said.set) < maxEchoWords
	})
	if len(v.said.set) >= leastEchoed {
		v.said.call, v.said.agent = call+1, agent
	}
}

// echoes reports whether a result only gives the words of its call back.
func (v *Provenance) echoes(agent int32, call int64, content event.Value) bool {
	if v.said.call != call+1 || v.said.agent != agent || !content.Present() {
		return false
	}
	own, all := 0, 0
	forEachWord(content.Raw[:min(len(content.Raw), echoBytes)], content.Form != event.String, func(h uint32) bool {
		all++
		if _, ok := slices.BinarySearch(v.said.set, h); ok {
			own++
		}
		return true
	})
	return own >= leastEchoed && own*100 >= all*echoedShare
}

// inward are the words in a tool's name that say that it brings nothing from
// outside: it computes, or takes the agent's own words.
var inward = []string{"calculator", "calculate", "calc", "compute", "think", "thought", "todo", "todos", "plan", "finish", "final", "answer", "submit", "note", "scratchpad", "reflect"}

// runsCode are the words in a tool's name that say that it runs code.
var runsCode = []string{"python", "interpreter", "code", "repl", "exec", "execute", "notebook", "jupyter", "ipython"}

func namedIn(tool []string, list []string) bool {
	return slices.ContainsFunc(tool, func(word string) bool { return slices.Contains(list, word) })
}
