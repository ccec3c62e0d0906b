package facts

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"misstep/detectors/lexicon"

	"github.com/cespare/xxhash/v2"

	"misstep/detectors/schema"
	"misstep/event"
)

// Tool is what is known of one tool: its ToolSpec, with what the operator's
// configuration says laid over it. It is immutable.
type Tool struct {
	Name   string
	Effect event.Effect // never EffectUnset
	// Changes says that a success may have changed the world: the effect says
	// so or, where nobody named one, a verb in the name. It only keeps a loop
	// from being seen where the agent may have got on.
	Changes bool
	// Reads says that it changes nothing: somebody says so, or a verb in its name.
	Reads  bool
	Polls  bool // repeating it is normal
	Listed bool // it stands in a catalogue or in the configuration
	// Schema validates its arguments, nil when none was declared or when it
	// could not be compiled (then SchemaErr says why).
	Schema    *schema.Schema
	SchemaErr error
	// Output is the schema of its results, nil when none was declared, or when
	// it could not be compiled.
	Output *schema.Schema

	Words []string // of the name, in lower case

	// Confirm says that its description wants the user to confirm it.
	Confirm bool

	acts     acts
	policies []*Policy
	makes    bool // it makes something new, by its name
	Inward   bool // it brings nothing from outside, by its name
	RunsCode bool // it runs code, by its name

	lower       []byte // the name in lower case
	description []byte // in lower case, cut
	hash        uint64
	plans       bool            // its calls tell a plan
	meaning     []uint32        // the words of its name as plans speak of them
	volatile    map[string]bool // top-level parameters that mean nothing
	spec        []byte          // the ToolSpec's JSON, for the state
}

// Families are the families of acts that the tool's name speaks of.
func (t *Tool) Families() lexicon.Set { return t.acts.families }

// Catalogue is what tools an agent was offered. It is immutable.
type Catalogue struct {
	Names    []string // sorted
	Complete bool     // false when only changes to it were seen
	before   map[string][]string
	tools    map[string]*Tool
}

// Tool gives the tool of that name, nil when it is not in the catalogue.
func (c *Catalogue) Tool(name []byte) *Tool { return c.tools[string(name)] }

// Len is the number of tools.
func (c *Catalogue) Len() int { return len(c.Names) }

// ToolRule is what an operator says of the tools whose name matches.
type ToolRule struct {
	Match    func(name string) bool
	Listed   bool // the rule names exactly one tool: it exists
	Polls    *bool
	Effect   event.Effect
	Volatile []string
}

// maxCatalogues bounds the compiled catalogues that a workspace keeps; beyond
// it they are compiled anew, which costs time and changes nothing else.
const maxCatalogues = 256

// maxLooseTools bounds the tools that are known by their calls alone.
const maxLooseTools = 4096

type cachedCatalogue struct {
	raw  []byte
	base *Catalogue
	c    *Catalogue
}

// catalogue compiles an array of ToolSpecs, or finds it compiled.
func (w *Workspace) catalogue(tools event.Value) (*Catalogue, error) {
	return w.cached(nil, tools.Raw, nil, func() (*Catalogue, error) {
		c := &Catalogue{Complete: true, tools: map[string]*Tool{}}
		if err := w.addTools(c, tools); err != nil {
			return nil, err
		}
		return c, nil
	})
}

// changed gives base with tools added and removed.
func (w *Workspace) changed(base *Catalogue, ch *event.ToolsChange) (*Catalogue, error) {
	return w.cached(base, ch.Add.Raw, ch.Remove.Raw, func() (*Catalogue, error) {
		c := &Catalogue{tools: map[string]*Tool{}}
		if base != nil {
			c.Complete = base.Complete
			for n, t := range base.tools {
				c.tools[n] = t
			}
		}
		err := event.Strings(ch.Remove, func(name []byte) error {
			delete(c.tools, string(name))
			return nil
		})
		if err == nil {
			err = w.addTools(c, ch.Add)
		}
		return c, err
	})
}

func (w *Workspace) cached(base *Catalogue, a, b []byte, build func() (*Catalogue, error)) (*Catalogue, error) {
	h := xxhash.Sum64(a) ^ xxhash.Sum64(b)*3
	for _, e := range w.catalogues[h] {
		if e.base == base && len(e.raw) == len(a)+len(b) && bytes.HasPrefix(e.raw, a) && bytes.HasSuffix(e.raw, b) {
			return e.c, nil
		}
	}
	c, err := build()
	if err != nil {
		return nil, err
	}
	c.Names = make([]string, 0, len(c.tools))
	for n := range c.tools {
		c.Names = append(c.Names, n)
	}
	slices.Sort(c.Names)
	c.order()
	if w.numCatalogues >= maxCatalogues {
		clear(w.catalogues)
		w.numCatalogues = 0
	}
	raw := append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
	w.catalogues[h] = append(w.catalogues[h], cachedCatalogue{raw, base, c})
	w.numCatalogues++
	return c, nil
}

func (w *Workspace) addTools(c *Catalogue, tools event.Value) error {
	return event.ParseTools(tools, func(spec event.ToolSpec) error {
		name := string(spec.Name)
		t := w.tool(name, spec.Effect, spec.HasPolls, spec.Polls)
		t.Listed, t.spec = true, bytes.Clone(spec.Raw)
		if spec.Parameters.Present() && w.needs&NeedSchema != 0 {
			t.Schema, t.SchemaErr = schema.Compile(spec.Parameters)
			if t.SchemaErr != nil {
				t.SchemaErr = fmt.Errorf("tool %q: %w", name, t.SchemaErr)
			}
			w.Counts.SchemasCompiled++
			switch {
			case t.SchemaErr != nil:
				w.Counts.SchemasRefused++
			case t.Schema.Fallback():
				w.Counts.SchemasFallback++
			}
		}
		if spec.Output.Present() && w.needs&NeedOutputSchema != 0 {
			var err error
			if t.Output, err = schema.Compile(spec.Output); err != nil {
				t.Output = nil
				w.Counts.SchemasRefused++
			}
			w.Counts.SchemasCompiled++
		}
		t.Confirm = wantsConfirmation(spec.Description)
		t.description = lowerText(spec.Description)
		c.tools[name] = t
		return nil
	})
}

// tool makes a tool of a name and lays the configuration over it.
func (w *Workspace) tool(name string, effect event.Effect, hasPolls, polls bool) *Tool {
	t := &Tool{Name: name, Effect: effect, Polls: polls, hash: xxhash.Sum64String(name)}
	t.lower = appendLower(nil, []byte(name))
	t.Words = schema.Words(name)
	if w.needs&NeedDecisions != 0 {
		t.acts = w.actsOf(schema.Words(name[strings.LastIndexAny(name, "./:")+1:]))
	}
	t.plans, t.meaning = keepsPlan(t.Words), meaningOf(name)
	t.makes = len(t.Words) > 0 && slices.Contains(makeWords, t.Words[0])
	t.Inward, t.RunsCode = namedIn(t.Words, inward), namedIn(t.Words, runsCode)
	for i := range w.policies {
		if p := &w.policies[i]; p.Match(name) {
			t.policies = append(t.policies, p)
		}
	}
	if !hasPolls {
		t.Polls = pollsByName(t.Words)
	}
	// The first rule that matches wins, field by field, so lay them in reverse.
	for _, r := range slices.Backward(w.rules) {
		if !r.Match(name) {
			continue
		}
		t.Effect = cmp.Or(r.Effect, t.Effect)
		if r.Polls != nil {
			t.Polls = *r.Polls
		}
		if len(r.Volatile) > 0 {
			t.volatile = map[string]bool{}
			for _, p := range r.Volatile {
				t.volatile[p] = true
			}
		}
		t.Listed = t.Listed || r.Listed
	}
	t.Changes = t.Effect.Writes() || t.Effect == event.EffectUnset && changesByName(t.Words)
	t.Reads = t.Effect == event.EffectRead || t.Effect == event.EffectUnset && !t.Changes && slices.ContainsFunc(t.Words, func(word string) bool {
		return slices.Contains(readWords, word)
	})
	t.Effect = cmp.Or(t.Effect, event.EffectRead)
	return t
}

// loose gives a tool that no catalogue lists, by its name alone.
func (w *Workspace) loose(name []byte) *Tool {
	if t, ok := w.looseTools[string(name)]; ok {
		return t
	}
	if len(w.looseTools) >= maxLooseTools {
		clear(w.looseTools)
	}
	t := w.tool(string(name), event.EffectUnset, false, false)
	w.looseTools[t.Name] = t
	return t
}

// pollWords are the words in a tool's name that say that calling it again and
// again, and seeing the same, is its use.
var pollWords = []string{
	"wait", "sleep", "poll", "status", "screenshot", "scroll", "heartbeat",
	"health", "ping", "progress", "monitor", "watch", "tail",
}

// changeWords are the words in a tool's name that say that it changes
// something where neither ToolSpec nor configuration names an effect.
var changeWords = []string{
	"add", "append", "apply", "approve", "book", "buy", "cancel", "change", "commit", "copy",
	"create", "delete", "deploy", "drop", "edit", "exchange", "insert", "install", "issue", "kill",
	"merge", "modify", "move", "order", "patch", "pay", "post", "publish", "purchase", "push", "put",
	"refund", "remove", "rename", "replace", "reset", "return", "save", "schedule", "send", "set",
	"start", "stop", "submit", "transfer", "update", "upload", "write",
}

// readWords are the words in a tool's name after which any further word is
// what it reads: the order in get_order is no verb.
var readWords = []string{
	"calculate", "check", "count", "describe", "fetch", "find", "get", "list", "lookup", "open",
	"query", "read", "retrieve", "search", "show", "view",
}

// IsChange reports whether a word of a tool's name, in lower case, is a verb of
// change.
func IsChange(word string) bool { return slices.Contains(changeWords, word) }

// changesByName guesses from a name whether a tool changes something: its
// first verb tells.
func changesByName(words []string) bool {
	for _, word := range words {
		if slices.Contains(readWords, word) {
			return false
		}
		if slices.Contains(changeWords, word) {
			return true
		}
	}
	return false
}

// pollsByName guesses from a name whether a tool polls; a ToolSpec or the
// configuration that says polls: false overrules it.
func pollsByName(words []string) bool {
	for _, word := range words {
		if slices.Contains(pollWords, word) {
			return true
		}
	}
	return false
}
