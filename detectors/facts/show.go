package facts

import (
	"slices"

	"misstep/event"
)

// known gives the provenance of a trajectory, newly made when there is none.
func (t *Trajectory) known(w *Workspace) *Provenance {
	if t.provenance == nil {
		if n := len(w.spareProvenance); n > 0 {
			t.provenance, w.spareProvenance = w.spareProvenance[n-1], w.spareProvenance[:n-1]
		} else {
			t.provenance = new(Provenance)
		}
		t.provenance.reset()
		t.provenance.Holes = t.Partial || t.Task.Number > 1 // earlier tasks are remembered no longer
	}
	return t.provenance
}

// forget gives the provenance back to the workspace.
func (t *Trajectory) forget(w *Workspace) {
	if t.provenance != nil {
		w.spareProvenance = append(w.spareProvenance, t.provenance)
		t.provenance = nil
	}
}

// show takes over what a step other than a call or a result shows.
func (t *Trajectory) show(w *Workspace, s *event.Step) {
	from := FromUser
	text, cut := s.Text, s.Cut.Truncated
	switch s.Kind {
	case event.TaskStart:
		text, cut = s.Task.Goal, false
	case event.UserMessage:
		v := t.known(w)
		v.Longest = max(v.Longest, int32(min(len(text.Raw), 1<<20)))
	case event.SystemMessage:
	case event.ContextAdded:
		from = FromTool
		t.known(w).Looked = true
	case event.AgentMessage:
		from = FromAgent
	case event.PlanUpdate:
		text, from = s.Plan, FromAgent
	case event.ModelCall:
		from = FromAgent
		t.showMessages(w, s.ModelCall.Messages)
	default:
		return
	}
	v := t.known(w)
	v.Holes = v.Holes || cut
	if text.Form != event.Absent {
		v.Show(text, from)
	}
}

// showMessages takes over what a model was shown: all of it, since what was
// shown before changes nothing.
func (t *Trajectory) showMessages(w *Workspace, messages event.Value) {
	if messages.Form != event.Array {
		return
	}
	v := t.known(w)
	c := event.NewCursor(messages)
	c.Enter()
	for c.More() {
		m := c.Value()
		v.Show(m, roleOf(m))
	}
}

// roleOf says who speaks in a message of the OpenAI or Anthropic form.
func roleOf(m event.Value) Source {
	if m.Form != event.Object {
		return FromTool
	}
	c := event.NewCursor(m)
	c.Enter()
	for c.More() {
		if k := c.Key(); !k.EqualText("role") {
			c.Skip()
			continue
		}
		switch v := c.Value(); {
		case v.EqualText("user"), v.EqualText("system"), v.EqualText("developer"):
			return FromUser
		case v.EqualText("assistant"):
			return FromAgent
		}
		return FromTool
	}
	return FromTool
}

// showCall judges where the values in a call's arguments come from, and takes
// them over.
func (t *Trajectory) showCall(w *Workspace, a *Agent, c *Call, call *event.Call) {
	v := t.known(w)
	if call.Cut.Truncated || call.Arguments.Form == event.Hidden {
		v.Holes = true
		return
	}
	t.ground(w, c.Tool, call.Arguments)
	place := int32(slices.Index(t.Agents, a))
	identifiers, last := 0, uint64(0)
	for i := range w.Cur.Grounds {
		if g := &w.Cur.Grounds[i]; g.Shape == Identifier {
			c.FromUser = c.FromUser || g.From == FromUser
			identifiers, last = identifiers+1, g.Hash
			if k := w.kindOf(lastName(g.Path)); k != 0 {
				g.Foreign = g.From&FromOutside != 0 && v.foreign(k, formOf(g.Value))
				if !g.Foreign && g.From&FromUser != 0 {
					v.know(kind{k, formOf(g.Value)}) // what the user calls so
				}
			}
		}
	}
	if identifiers == 1 && !c.Tool.Changes { // of several, who knows which one it failed on
		v.touch(touched{hash: last, agent: place, call: c.Index})
	}
	v.say(place, c.Index, call.Arguments)
	if call.Arguments.Form != event.Absent {
		v.Show(call.Arguments, FromAgent)
	}
}

// showResult takes over what a result shows.
func (t *Trajectory) showResult(w *Workspace, a *Agent, c *Call, r *event.Result) {
	v := t.known(w)
	v.Holes = v.Holes || r.Cut.Truncated
	place := int32(slices.Index(t.Agents, a))
	v.answer(place, c)
	c.Echo = c.Status != event.StatusError && v.echoes(place, c.Index, r.Content)
	if r.Content.Form == event.Absent {
		return
	}
	if c.Failed() {
		v.echo(r.Content)
		return
	}
	v.Looked = v.Looked || r.Content.Form > event.Null && !c.Echo && !c.Tool.Inward
	v.Show(r.Content, FromTool)
	switch r.Content.Form {
	case event.Object, event.Array:
		v.learn(w, r.Content.Raw, true)
	case event.Escaped:
		if i := skipTo(r.Content.Raw, 0, ' '); i < len(r.Content.Raw) && (r.Content.Raw[i] == '{' || r.Content.Raw[i] == '[') {
			v.learn(w, r.Content.Raw, true)
		}
	}
}

// echo takes over what an error says. It often repeats what the agent made up,
// which that makes no truer.
func (v *Provenance) echo(content event.Value) {
	if content.Form == event.Hidden {
		v.Holes = true
		return
	}
	forEachRun(content.Raw, content.Form != event.String, func(h uint64, _ bool) {
		if v.source(h) != FromAgent {
			v.add(h, FromTool)
		}
	})
}

// touched is the identifier that a look-up named.
type touched struct {
	hash   uint64
	call   int64
	agent  int32
	failed bool // the call, for good
}

// maxTouched is how many identifiers of the latest calls are remembered.
const maxTouched = 16

func (v *Provenance) touch(x touched) {
	if len(v.touches) == maxTouched {
		v.touches = append(v.touches[:0], v.touches[1:]...)
	}
	v.touches = append(v.touches, x)
}

// answer notes how a call ended. What worked for an identifier clears it.
func (v *Provenance) answer(agent int32, c *Call) {
	bad := c.Failed() && (c.Class == NotFound || c.Class == Denied || c.Class == Conflict)
	for i := range v.touches {
		x := &v.touches[i]
		if x.agent != agent || x.call != c.Index {
			continue
		}
		x.failed = bad
		if !c.Failed() {
			for j := range v.touches {
				if v.touches[j].hash == x.hash {
					v.touches[j].failed = false
				}
			}
		}
	}
}

// FailedOn gives the latest look-up of the identifier that failed for good, and
// its agent; nil where none did, or a later one worked.
func (t *Trajectory) FailedOn(hash uint64, before *Call) (*Call, *Agent) {
	v := t.provenance
	if v == nil {
		return nil, nil
	}
	for i := len(v.touches) - 1; i >= 0; i-- {
		x := &v.touches[i]
		if x.hash != hash || !x.failed || int(x.agent) >= len(t.Agents) {
			continue
		}
		a := t.Agents[x.agent]
		if c := a.Call(x.call); c != nil && c != before && c.Failed() {
			return c, a
		}
	}
	return nil, nil
}

// Provenance gives what is known of values, nil while nothing is.
func (t *Trajectory) Provenance() *Provenance { return t.provenance }
