package facts

import (
	"bytes"
	"slices"

	"misstep/detectors/lexicon"
	"misstep/event"
)

// told takes a message of the agent into account: what it denies and grants,
// clause by clause, and how it compares with the one before.
func (d *Decisions) told(t *Trajectory, w *Workspace, s *event.Step, said *lexicon.Text) {
	w.tokens = d.tokens(w.tokens[:0], w.message)
	for _, k := range w.tokens {
		if k.kind != plainNumber {
			d.learn(k.hash)
		}
	}
	focus, name := d.focus, d.name // what was spoken of before
	d.compare(t, w, s, said)
	near := token{} // the latest thing that the message named
	next := 0       // token not yet passed
	seen := 0       // matches before the clause
	no := len(said.Matches) > 0 && said.Matches[0].Meaning == lexicon.No && said.Matches[0].From == 0 && d.denies()
	for i := range said.Sentences {
		for c := (clause{to: said.Sentences[i].From}); c.next(said, i, &seen); {
			if no && c.from == 0 {
				c.found |= 1 << lexicon.Refusal
			}
			w.things = w.things[:0]
			end := said.Words[c.to-1].To
			first := token{}
			for ; next < len(w.tokens) && w.tokens[next].from < end; next++ {
				if k := w.tokens[next]; k.kind == idToken {
					if len(w.things) == 0 {
						first = k
					}
					w.things = append(w.things, k.hash)
					near = k
				}
			}
			if c.found&(1<<lexicon.Refusal|1<<lexicon.Grant|1<<lexicon.Permit) == 0 || said.Sentences[i].Question {
				continue
			}
			vague, label := false, ""
			switch {
			case len(w.things) > 0:
				label = string(first.text(w.message))
			case near.to > 0 && !bytes.Contains(w.message[near.to:said.Words[c.from].From+1], newline):
				w.things = append(w.things, near.hash)
				label = string(near.text(w.message))
			default:
				vague, label = true, name
				for _, k := range w.tokens[:next] { // what the paragraphs before named, their subject first
					if k.kind == idToken && len(w.things) < maxThings {
						if len(w.things) == 0 {
							label = string(k.text(w.message))
						}
						w.things = append(w.things, k.hash)
					}
				}
				for _, h := range focus[:maxThings] {
					if h != 0 && len(w.things) < maxThings {
						w.things = append(w.things, h)
					}
				}
			}
			d.clause(t, w, s, &c, label[:min(len(label), maxThingName)], vague)
		}
	}
	d.look(w.tokens, w.message)
}

// denies reports whether some denial stands.
func (d *Decisions) denies() bool {
	return slices.ContainsFunc(d.list, func(x Decision) bool { return x.Stance == StanceDenied })
}

var newline = []byte{'\n'}

// clause decides what one clause of the agent's does.
func (d *Decisions) clause(t *Trajectory, w *Workspace, s *event.Step, c *clause, name string, vague bool) {
	families := c.families
	switch {
	case c.found.Has(lexicon.Refusal):
		if c.found.Has(lexicon.Incapable) {
			return
		}
		if families == 0 {
			families = requested(d.families)
		}
		if families == 0 { // it may renew what it denied before
			for i := range d.list {
				if d.list[i].Stance == StanceDenied {
					families |= d.list[i].Families
				}
			}
		}
		if families == 0 {
			return
		}
		x := d.deny(t, w, s, families, w.things, name, ByWords)
		x.Policy = x.Policy || c.found.Has(lexicon.Policy)
		x.Conditional = c.found.Has(lexicon.Condition)
		x.Vague = vague
	case !c.found.Has(lexicon.Grant): // what could be done is no longer denied, unless somebody pressed for it
		for i := range d.list {
			if x := &d.list[i]; x.told < t.Ordinal && x.Families&families != 0 && x.Pressure < pressed && (vague || x.about(w.things) >= 0) {
				x.Stance = StanceGranted
			}
		}
	case c.found.Has(lexicon.Condition):
	default:
		for i := range d.list {
			x := &d.list[i]
			if x.Stance != StanceDenied || families != 0 && x.Families&families == 0 || !vague && x.about(w.things) < 0 {
				continue
			}
			if families == 0 && x.Pressure < pressed {
				continue // an act of some kind, and nobody pressed for this one
			}
			d.grant(w, x, ByWords, nil, x.about(w.things))
		}
	}
}

// requested narrows what a user speaks of down to what is asked for: to change
// and to order are words for much else.
func requested(families lexicon.Set) lexicon.Set {
	const vague = 1<<lexicon.FamilyModify | 1<<lexicon.FamilyBook
	if narrow := families &^ vague; narrow != 0 {
		return narrow
	}
	return families
}

// clause is a part of a sentence that an adversative begins or ends.
type clause struct {
	from, to int32 // words
	found    lexicon.Set
	families lexicon.Set // of the act that it refuses, grants or offers
}

// next goes on to the next clause of sentence i; seen is how many matches of
// the text lie before it.
func (c *clause) next(said *lexicon.Text, i int, seen *int) bool {
	end := said.Sentences[i].To
	if c.to >= end {
		return false
	}
	c.from = c.to
	for c.to++; c.to < end && !adversative(said.Word(int(c.to))); c.to++ {
	}
	c.found, c.families = 0, 0
	decides, after := false, false // a phrase that decides was met, and an act behind it
	for ; *seen < len(said.Matches) && said.Matches[*seen].From < c.to; *seen++ {
		m := &said.Matches[*seen]
		if m.Negated && m.Meaning == lexicon.Grant {
			continue
		}
		c.found |= 1 << m.Meaning
		switch m.Meaning {
		case lexicon.Refusal, lexicon.Grant, lexicon.Permit:
			decides = true
			continue
		}
		// The first act behind the phrase, else the last before it.
		if act := lexicon.Set(1) << m.Meaning & lexicon.Families(); act != 0 && !after {
			c.families, after = act, decides
		}
	}
	return true
}

// adversative reports whether a word sets what follows against what precedes.
func adversative(w []byte) bool {
	switch string(w) {
	case "but", "however", "although", "though", "instead", "while", "aber", "jedoch", "allerdings", "sondern", "obwohl", "stattdessen":
		return true
	}
	return false
}
