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
			if c.families == 0 && d.Score() > 0 {
				d.sayings(said, &c)
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

// sayings looks in a clause for an act that no list knows but that a denial
// spoke of.
func (d *Decisions) sayings(said *lexicon.Text, c *clause) {
	for j := c.from + 1; j < c.to; j++ {
		h := actStem(said.Word(int(j)))
		if h == 0 || said.Function(int(j)) || !slices.ContainsFunc(d.list, func(x Decision) bool {
			return x.Stance == StanceDenied && x.Pressure >= pressed && slices.Contains(x.stems[:], h)
		}) {
			continue
		}
		switch c.says(said, j) {
		case denies:
			c.found |= 1 << lexicon.Refusal
		case grants:
			c.found |= 1 << lexicon.Grant
		}
	}
}

// denies reports whether some denial stands.
func (d *Decisions) denies() bool {
	return slices.ContainsFunc(d.list, func(x Decision) bool { return x.Stance == StanceDenied })
}

var newline = []byte{'\n'}

// clause decides what one clause of the agent's does.
func (d *Decisions) clause(t *Trajectory, w *Workspace, s *event.Step, c *clause, name string, vague bool) {
	families := c.families
	if families == 1<<lexicon.FamilyApprove {
		families = 0 // of whatever it is
	}
	switch {
	case c.found.Has(lexicon.Refusal):
		if c.found.Has(lexicon.Incapable) || families == 0 && d.turn > 0 && d.renew(t, w.things, vague) {
			return
		}
		w.stems = appendStems(w.stems[:0], w.Cur.Said, c.from, c.to)
		if families == 0 {
			families = requested(d.families)
			w.stems = append(w.stems, d.asked[:]...)
		}
		x := d.deny(t, w, s, families, w.stems, w.things, name, ByWords)
		if x == nil {
			return
		}
		x.Policy = x.Policy || c.found.Has(lexicon.Policy)
		x.Conditional = c.found.Has(lexicon.Condition)
		x.Vague = vague && (x.Vague || x.Turns == 0)
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
			if x.Stance != StanceDenied || families != 0 && x.Families != 0 && x.Families&families == 0 || !vague && x.about(w.things) < 0 {
				continue
			}
			if families == 0 && x.Pressure < pressed || x.things[0] == 0 {
				continue // nobody pressed for this one, or it is a view on the world
			}
			d.grant(w, x, ByWords, nil, x.about(w.things))
		}
	}
}

// renew notes that what was denied stands, though it is not named again, and
// reports whether anything was.
func (d *Decisions) renew(t *Trajectory, things []uint32, vague bool) bool {
	any := false
	for i := range d.list {
		x := &d.list[i]
		if x.Stance == StanceDenied && x.Turns > 0 && (vague || x.about(things) >= 0) {
			x.Informed, x.Pressure, x.told, any = false, 0, t.Ordinal, true
		}
	}
	return any
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
		act := lexicon.Set(1) << m.Meaning & lexicon.Families()
		if act == 0 {
			continue
		}
		switch c.says(said, m.From) {
		case denies:
			c.found |= 1 << lexicon.Refusal
			decides = true
		case grants:
			c.found |= 1 << lexicon.Grant
			decides = true
		}
		// The first act behind the phrase, else the last before it; an approval is
		// one of something.
		if !after || c.families == 1<<lexicon.FamilyApprove {
			c.families, after = act, decides
		}
	}
	return true
}

// says reads what the words before an act make of it: a negation that is no
// report denies it, "I will now" and "has been" grant it.
func (c *clause) says(said *lexicon.Text, at int32) verdict {
	const reach = 5
	for j := at - 1; j >= c.from && j >= at-reach; j-- {
		word := string(said.Word(int(j)))
		if slices.Contains(denialNegations, word) {
			for k := j - 1; k >= c.from && k >= j-2; k-- {
				if slices.Contains(reports, string(said.Word(int(k)))) {
					return noVerdict
				}
			}
			return denies
		}
		switch word {
		case "will", "shall", "have", "has", "let", "going", "werde", "habe", "wird", "wurde":
			if next := string(said.Word(int(j + 1))); word == "have" && next == "to" || word == "let" && next != "me" {
				return noVerdict
			}
			if j > c.from && slices.Contains(denialNegations, string(said.Word(int(j-1)))) {
				return denies // the policy does not let me
			}
			if j > c.from && string(said.Word(int(j-1))) == "you" && string(said.Word(int(j+1))) != "be" {
				return noVerdict
			}
			return grants
		}
		if !slices.Contains(between, word) {
			return noVerdict
		}
	}
	return noVerdict
}

var denialNegations = []string{"not", "no", "never", "nicht", "kein", "keine", "keinen"}

// reports make of a negation a report: it was not done, not that it will not be.
var reports = []string{"did", "has", "have", "had", "was", "were", "hat", "habe", "wurde"}

// between are the words that may stand between an auxiliary and an act.
var between = []string{
	"now", "gladly", "just", "also", "then", "be", "been", "go", "ahead", "and", "proceed", "with", "process", "processed",
	"issue", "issued", "make", "grant", "granted", "give", "happily", "exceptionally", "the", "a", "an", "your", "this",
	"that", "for", "you", "to", "already", "apply", "applied", "arrange", "initiate", "initiated", "allow", "offer", "any",
	"me", "die", "den", "das", "eine", "ihre", "ihren", "jetzt", "nun", "ihnen",
}

// adversative reports whether a word sets what follows against what precedes.
func adversative(w []byte) bool {
	switch string(w) {
	case "but", "however", "although", "though", "instead", "while", "aber", "jedoch", "allerdings", "sondern", "obwohl", "stattdessen":
		return true
	}
	return false
}
