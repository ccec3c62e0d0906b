package event

import (
	"errors"
	"fmt"
)

// MaxTools is how many tools or names one list may hold.
const MaxTools = 10_000

// ToolSpec is what a catalogue says of one tool. It borrows from the step.
type ToolSpec struct {
	Name        []byte
	NameHidden  bool  // Name is the mac of a hidden name (empty without one)
	Description Value // a string; Absent or Hidden are possible
	Parameters  Value // a JSON Schema: object, Bool; Absent or Hidden are possible
	Output      Value // a JSON Schema of the results; Absent or Hidden are possible
	// Effect is the spec's own, else what MCP annotations say: readOnlyHint is
	// read, destructiveHint irreversible, both denied write. EffectUnset when
	// there is nothing of all that.
	Effect   Effect
	HasPolls bool // the spec says whether repeating the tool is normal
	Polls    bool
	Raw      []byte // the whole element of the list
}

// ErrHidden says that a list is hidden.
var ErrHidden = errors.New("the list is hidden")

// ParseTools calls fn with each tool of a list, until fn gives an error, which
// it returns. It takes ToolSpec and the shapes of OpenAI ({"type": "function",
// "function": {...}}), Anthropic (input_schema) and MCP (inputSchema,
// annotations). A tool without a name, as a provider's own tool, has its type
// as name. An absent list holds nothing.
//
// The error names the element that is wrong; the tools before it were given. It
// is ErrHidden for a hidden list. The spec is valid until the step is not, but
// for a Name that was written with escapes: that one is valid during the call.
func ParseTools(v Value, fn func(spec ToolSpec) error) error {
	switch v.Form {
	case Absent, Null:
		return nil
	case Hidden:
		return ErrHidden
	case Array:
	default:
		return errors.New("tools: want an array")
	}
	c := NewCursor(v)
	c.Enter()
	var p toolParser
	for n := 0; c.More(); n++ {
		if n == MaxTools {
			return fmt.Errorf("tools: want at most %d, found more", MaxTools)
		}
		spec, err := p.parse(c.Value())
		if err != nil {
			return fmt.Errorf("tools[%d]%w", n, err)
		}
		if err := fn(spec); err != nil {
			return err
		}
	}
	return nil
}

// Strings calls fn with the text of each string of an array, until fn gives an
// error, which it returns. A hidden string is given as its mac. The text is
// valid during the call. An absent array holds nothing; a hidden one is
// ErrHidden.
func Strings(v Value, fn func(text []byte) error) error {
	switch v.Form {
	case Absent, Null:
		return nil
	case Hidden:
		return ErrHidden
	case Array:
	default:
		return errors.New("want an array of strings")
	}
	c := NewCursor(v)
	c.Enter()
	var scratch []byte
	for n := 0; c.More(); n++ {
		if n == MaxTools {
			return fmt.Errorf("want at most %d strings, found more", MaxTools)
		}
		e := c.Value()
		text := e.Text(&scratch)
		if e.Form == Hidden {
			h, ok := ParseHidden(e)
			if !ok {
				return fmt.Errorf("[%d]: want a string, found a broken hidden value", n)
			}
			text = h.MAC
		} else if !e.IsString() {
			return fmt.Errorf("[%d]: want a string", n)
		}
		if err := fn(text); err != nil {
			return err
		}
	}
	return nil
}

// toolParser holds the scratch space of one ParseTools.
type toolParser struct{ name []byte }

// The errors of parse begin with the path inside the element, or a colon.

func (p *toolParser) parse(v Value) (ToolSpec, error) {
	spec := ToolSpec{Raw: v.Raw}
	if v.Form != Object {
		return spec, errors.New(": want an object")
	}
	var h toolHints
	kind, err := p.members(v, &spec, &h, true)
	if err != nil {
		return spec, err
	}
	if len(spec.Name) == 0 && !spec.NameHidden {
		if kind.Form != String || string(kind.Raw) == "function" {
			return spec, errors.New(".name: want the name of the tool, found none")
		}
		spec.Name = kind.Raw
	}
	if len(spec.Name) > MaxToolName {
		return spec, fmt.Errorf(".name: want at most %d bytes, found %d", MaxToolName, len(spec.Name))
	}
	if hasControl(spec.Name) {
		return spec, errors.New(".name: want no control characters, found one")
	}
	if spec.Effect == EffectUnset {
		spec.Effect = h.effect()
	}
	return spec, nil
}

// members reads the members of a spec; outer allows for one inside the member
// function. kind is the member type.
func (p *toolParser) members(v Value, spec *ToolSpec, h *toolHints, outer bool) (kind Value, err error) {
	c := NewCursor(v)
	c.Enter()
	for c.More() {
		k := c.Key()
		m := c.Value()
		switch {
		case m.Form == Null:
		case k.EqualText("name"):
			err = p.readName(m, spec)
		case k.EqualText("description"):
			spec.Description = m
			if !m.IsString() && m.Form != Hidden {
				err = errors.New(".description: want a string")
			}
		case k.EqualText("parameters"), k.EqualText("input_schema"), k.EqualText("inputSchema"):
			spec.Parameters = m
			if m.Form != Object && m.Form != Hidden && m.Form != Bool {
				err = fmt.Errorf(".%s: want a JSON Schema as an object", k.Raw)
			}
		case k.EqualText("output"), k.EqualText("output_schema"), k.EqualText("outputSchema"):
			spec.Output = m
			if m.Form != Object && m.Form != Hidden && m.Form != Bool {
				err = fmt.Errorf(".%s: want a JSON Schema as an object", k.Raw)
			}
		case k.EqualText("effect"):
			if !m.IsString() {
				err = errors.New(".effect: want a string")
			}
			spec.Effect = effectOf(m)
		case k.EqualText("polls"):
			if m.Form != Bool {
				err = errors.New(".polls: want true or false")
			}
			spec.HasPolls, spec.Polls = true, isTrue(m)
		case k.EqualText("annotations"):
			h.read(m)
		case outer && k.EqualText("type"):
			kind = m
		case outer && k.EqualText("function") && m.Form == Object:
			_, err = p.members(m, spec, h, false)
		}
		if err != nil {
			return kind, err
		}
	}
	return kind, nil
}

func (p *toolParser) readName(m Value, spec *ToolSpec) error {
	switch {
	case m.IsString():
		spec.Name, spec.NameHidden = m.Text(&p.name), false
		return nil
	case m.Form == Hidden:
		if h, ok := ParseHidden(m); ok {
			spec.Name, spec.NameHidden = h.MAC, true
			return nil
		}
	}
	return errors.New(".name: want a string")
}

func effectOf(v Value) Effect {
	for e := EffectRead; e <= EffectIrreversible; e++ {
		if v.EqualText(effectNames[e]) {
			return e
		}
	}
	return EffectUnset
}

func isTrue(v Value) bool { return v.Form == Bool && string(v.Raw) == "true" }

// toolHints are the annotations of MCP: of each, whether it is there and what
// it says.
type toolHints struct{ hasReadOnly, readOnly, hasDestructive, destructive bool }

func (h *toolHints) read(v Value) {
	c := NewCursor(v)
	if v.Form != Object || !c.Enter() {
		return
	}
	for c.More() {
		k, m := c.Key(), c.Value()
		switch {
		case m.Form != Bool:
		case k.EqualText("readOnlyHint"):
			h.hasReadOnly, h.readOnly = true, isTrue(m)
		case k.EqualText("destructiveHint"):
			h.hasDestructive, h.destructive = true, isTrue(m)
		}
	}
}

func (h *toolHints) effect() Effect {
	switch {
	case h.readOnly:
		return EffectRead
	case h.destructive:
		return EffectIrreversible
	case h.hasReadOnly, h.hasDestructive:
		return EffectWrite
	}
	return EffectUnset
}
