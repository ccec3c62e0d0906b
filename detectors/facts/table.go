package facts

import (
	"fmt"

	"misstep/detectors/state"
	"misstep/event"
)

// Table collects what trajectories share while their state is written, and
// gives it back while it is read: tools and catalogues, each under its number
// in the order of first use, from 1.
type Table struct {
	Tools      []ToolState      `cbor:"1,keyasint,omitempty"`
	Catalogues []CatalogueState `cbor:"2,keyasint,omitempty"`

	tools      map[*Tool]int
	catalogues map[*Catalogue]int
	same       map[string]int // by content, so that copies are written once
	text       []byte
	madeTools  []*Tool
	made       []*Catalogue
}

// ToolState is one tool: by its ToolSpec, or by its name alone.
type ToolState struct {
	Name string `cbor:"1,keyasint,omitempty"`
	Spec []byte `cbor:"2,keyasint,omitempty"`
}

// CatalogueState is one catalogue, its tools by number.
type CatalogueState struct {
	Complete bool  `cbor:"1,keyasint,omitempty"`
	Tools    []int `cbor:"2,keyasint,omitempty"`
}

// Reset begins to collect.
func (t *Table) Reset() {
	t.Tools, t.Catalogues = t.Tools[:0], t.Catalogues[:0]
	if t.tools == nil {
		t.tools, t.catalogues, t.same = map[*Tool]int{}, map[*Catalogue]int{}, map[string]int{}
	}
	clear(t.same)
	clear(t.tools)
	clear(t.catalogues)
}

// Append writes what was collected.
func (t *Table) Append(w *state.Writer) {
	m := w.Open()
	if w.Array(1, len(t.Tools)) {
		for i := range t.Tools {
			tool := w.Open()
			w.Text(1, t.Tools[i].Name)
			w.Bytes(2, t.Tools[i].Spec)
			w.Close(tool)
		}
	}
	if w.Array(2, len(t.Catalogues)) {
		for i := range t.Catalogues {
			c := w.Open()
			w.Bool(1, t.Catalogues[i].Complete)
			if w.Array(2, len(t.Catalogues[i].Tools)) {
				for _, n := range t.Catalogues[i].Tools {
					w.PutUint(uint64(n))
				}
			}
			w.Close(c)
		}
	}
	w.Close(m)
}

// Restore makes the tools and catalogues of a table that was read.
func (t *Table) Restore(w *Workspace) error {
	for _, s := range t.Tools {
		tool, err := w.restoreTool(s)
		if err != nil {
			return err
		}
		t.madeTools = append(t.madeTools, tool)
	}
	for _, s := range t.Catalogues {
		c := &Catalogue{Complete: s.Complete, tools: map[string]*Tool{}}
		for _, i := range s.Tools {
			tool, err := t.toolAt(i)
			if err != nil {
				return err
			}
			c.Names = append(c.Names, tool.Name)
			c.tools[tool.Name] = tool
		}
		t.made = append(t.made, c)
	}
	return nil
}

// restoreTool makes a tool, or finds the one that an earlier part of the same
// state has made.
func (w *Workspace) restoreTool(s ToolState) (*Tool, error) {
	switch {
	case s.Name == otherTools.Name && s.Spec == nil:
		return otherTools, nil
	case s.Spec == nil:
		return w.loose([]byte(s.Name)), nil
	}
	if t, ok := w.restored[string(s.Spec)]; ok && t.Name == s.Name {
		return t, nil
	}
	c := &Catalogue{tools: map[string]*Tool{}}
	array := append(append([]byte{'['}, s.Spec...), ']')
	v, err := event.JSONValue(array)
	if err == nil {
		err = w.addTools(c, v)
	}
	t := c.tools[s.Name]
	if err != nil || t == nil {
		return nil, fmt.Errorf("state: tool %q: %w", s.Name, err)
	}
	if w.restored == nil {
		w.restored = map[string]*Tool{}
	}
	w.restored[string(s.Spec)] = t
	return t, nil
}

// Restored drops what is needed only while states are restored.
func (w *Workspace) Restored() { w.restored = nil }

func (t *Table) tool(tool *Tool) uint64 {
	if tool == nil {
		return 0
	}
	i, ok := t.tools[tool]
	if !ok {
		t.text = append(append(append(append(t.text[:0], 't'), tool.Name...), 0), tool.spec...)
		if i, ok = t.same[string(t.text)]; !ok {
			t.Tools = append(t.Tools, ToolState{Name: tool.Name, Spec: tool.spec})
			i = len(t.Tools)
			t.same[string(t.text)] = i
		}
		t.tools[tool] = i
	}
	return uint64(i)
}

func (t *Table) toolAt(i int) (*Tool, error) {
	if i < 1 || i > len(t.madeTools) {
		return nil, fmt.Errorf("state: tool %d of %d", i, len(t.madeTools))
	}
	return t.madeTools[i-1], nil
}

func (t *Table) catalogue(c *Catalogue) uint64 {
	if c == nil {
		return 0
	}
	i, ok := t.catalogues[c]
	if !ok {
		s := CatalogueState{Complete: c.Complete}
		for _, n := range c.Names {
			s.Tools = append(s.Tools, int(t.tool(c.tools[n])))
		}
		t.text = fmt.Appendf(t.text[:0], "c%t%v", s.Complete, s.Tools)
		if i, ok = t.same[string(t.text)]; !ok {
			t.Catalogues = append(t.Catalogues, s)
			i = len(t.Catalogues)
			t.same[string(t.text)] = i
		}
		t.catalogues[c] = i
	}
	return uint64(i)
}

func (t *Table) catalogueAt(i int) (*Catalogue, error) {
	if i == 0 {
		return nil, nil
	}
	if i < 0 || i > len(t.made) {
		return nil, fmt.Errorf("state: catalogue %d of %d", i, len(t.made))
	}
	return t.made[i-1], nil
}
