package facts

import (
	"bytes"
	"slices"

	"misstep/event"
)

// What is read of a catalogue's descriptions.
const (
	maxDescription = 1024 // bytes of each
	maxOrdered     = 256  // tools
)

func lowerText(v event.Value) []byte {
	if !v.IsString() {
		return nil
	}
	b := v.AppendText(nil)
	return appendLower(nil, b[:min(len(b), maxDescription)])
}

// confirmPhrases are how descriptions say that the user must confirm.
var confirmPhrases = []string{
	"ask the user to confirm", "user must confirm", "user confirmation", "user's confirmation", "explicit confirmation", "explicit user confirmation", "confirm with the user", "requires confirmation",
	"customer must confirm", "customer confirmation", "ask for confirmation", "get confirmation", "obtain confirmation", "after the user confirms", "only after confirmation", "must be confirmed", "confirm first",
}

func wantsConfirmation(v event.Value) bool {
	text := lowerText(v)
	return slices.ContainsFunc(confirmPhrases, func(p string) bool { return bytes.Contains(text, []byte(p)) })
}

// What stands before the name of another tool in a description, and says that
// this tool comes first, or the other.
var (
	beforePhrases = []string{"must come before", "must come before any", "must be called before", "must be called before any", "call before", "use before", "required before", "always before", "needed before", "must precede", "must run before", "run before", "has to come before"}
	afterPhrases  = []string{"only after", "must come after", "must be called after", "call only after", "requires", "requires a", "requires a successful", "requires calling", "only once", "needs", "first call", "call first", "must first call", "use only after", "after calling", "depends on", "must follow", "after a successful", "after"}
)

// order reads from the descriptions which tool must come before which.
func (c *Catalogue) order() {
	if len(c.Names) > maxOrdered {
		return
	}
	for _, name := range c.Names {
		t := c.tools[name]
		if len(t.description) == 0 {
			continue
		}
		for _, other := range c.Names {
			o := c.tools[other]
			if other == name {
				continue
			}
			head, ok := mention(t.description, o.lower)
			switch {
			case !ok:
			case endsIn(head, beforePhrases):
				c.precede(other, name)
			case endsIn(head, afterPhrases):
				c.precede(name, other)
			}
		}
	}
}

// mention gives what stands before a name in a text, where it is a word.
func mention(text, name []byte) (head []byte, ok bool) {
	for from := 0; len(name) > 0; {
		i := bytes.Index(text[from:], name)
		if i < 0 {
			return nil, false
		}
		i += from
		end := i + len(name)
		if (i == 0 || !joinsName(text[i-1])) && (end == len(text) || !joinsName(text[end])) {
			return bytes.TrimRight(text[:i], " `'\"("), true
		}
		from = i + 1
	}
	return nil, false
}

func endsIn(head []byte, phrases []string) bool {
	for _, w := range []string{" the", " any", " a", " every", " tool"} {
		head = bytes.TrimSuffix(head, []byte(w))
	}
	return slices.ContainsFunc(phrases, func(p string) bool {
		n := len(head) - len(p)
		return n >= 0 && string(head[n:]) == p && (n == 0 || !joinsName(head[n-1]))
	})
}

func (c *Catalogue) precede(name, first string) {
	if c.before == nil {
		c.before = map[string][]string{}
	}
	if !slices.Contains(c.before[name], first) {
		c.before[name] = append(c.before[name], first)
	}
}

// Before gives the tools that, by the catalogue's descriptions, must have worked
// before the one named.
func (c *Catalogue) Before(name string) []string { return c.before[name] }
