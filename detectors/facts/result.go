package facts

import (
	"bytes"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
)

func (t *Trajectory) result(w *Workspace, a *Agent, s *event.Step) {
	cur := &w.Cur
	cur.Catalogue = t.Tools
	owner, i := t.answered(a, &s.Result)
	owner.turnOpen = false
	if i < 0 {
		w.Counts.Orphans++
		return
	}
	c := owner.Call(owner.open[i].index)
	owner.open = append(owner.open[:i], owner.open[i+1:]...)
	if c == nil { // its ring slot was taken by a later call
		w.Counts.Orphans++
		return
	}
	cur.Agent, cur.Call = owner, c
	c.Done = true
	c.ResultTime, c.ResultSeq = cur.Now, s.Seq
	c.resultID = owner.keep(w, t, s)
	c.Status = s.Result.Status
	c.Result = w.fingerprint(&s.Result)
	if c.Result == 0 && !c.Status.Failed() {
		cur.Lacks |= NeedResult // of a failed call the error counts
	}
	if !s.Result.Content.Present() && c.Status == event.StatusOK {
		cur.Lacks |= NeedPlainResult
	}
	if !c.Status.Failed() && saysError(s.Result.Content, &w.text) {
		c.Status, c.Silent = event.StatusError, c.Status == event.StatusOK
	}
	if c.Status.Failed() {
		w.fail(owner, c, &s.Result)
	} else if c.Tool.Changes && !owner.succeededBefore(c) {
		t.Writes++
	}
	if c.Tool.Output != nil && c.Status == event.StatusOK && !s.Result.Cut.Truncated {
		w.output(c.Tool, s.Result.Content)
	}
	c.After = t.Writes
	if w.needs&NeedProvenance != 0 {
		t.showResult(w, owner, c, &s.Result)
	}
	t.Task.Counts[c.count].add(c)
}

// output holds a result against the tool's output schema. A text is taken for
// JSON, as MCP servers send it; one that is none is not judged.
func (w *Workspace) output(tool *Tool, content event.Value) {
	if content.IsString() {
		var err error
		if content, err = event.JSONValue(content.Text(&w.text)); err != nil {
			w.Cur.Lacks |= NeedPlainResult
			return
		}
	}
	if !content.Present() {
		return
	}
	tool.Output.Validate(content, &w.Cur.Output)
}

// answered finds the open call that a result answers: by the call's id, else
// the oldest of the same agent and tool. It gives -1 where there is none.
func (t *Trajectory) answered(a *Agent, r *event.Result) (*Agent, int) {
	if len(r.CallID) > 0 {
		id := nonZero(xxhash.Sum64(r.CallID))
		if i := a.openByID(id); i >= 0 {
			return a, i
		}
		for _, b := range t.Agents {
			if i := b.openByID(id); i >= 0 {
				return b, i
			}
		}
		return a, -1
	}
	for i, o := range a.open {
		if c := a.Call(o.index); c != nil && o.id == 0 && (len(r.Tool) == 0 || c.Tool.Name == string(r.Tool)) {
			return a, i
		}
	}
	for i, o := range a.open { // a producer that names its calls but not its results
		if c := a.Call(o.index); c != nil && (len(r.Tool) == 0 || c.Tool.Name == string(r.Tool)) {
			return a, i
		}
	}
	return a, -1
}

func (a *Agent) openByID(id uint64) int {
	for i, o := range a.open {
		if o.id == id && a.Call(o.index) != nil {
			return i
		}
	}
	return -1
}

// succeededBefore reports whether an equal call already did its work.
func (a *Agent) succeededBefore(c *Call) bool {
	for p := a.Call(c.PrevKey); p != nil; p = a.Call(p.PrevKey) {
		if p.Done && !p.Status.Failed() {
			return true
		}
	}
	return false
}

// fingerprint hashes what a result says; 0 when it cannot be compared.
func (w *Workspace) fingerprint(r *event.Result) uint64 {
	switch {
	case r.Cut.Truncated && len(r.Cut.Hash) > 0:
		return nonZero(xxhash.Sum64(r.Cut.Hash))
	case r.Cut.Truncated || r.Content.Form <= event.Null:
		return 0
	case r.Content.Form == event.Hidden:
		h, ok := event.ParseHidden(r.Content)
		if !ok || len(h.MAC) == 0 {
			return 0
		}
		w.text = append(append(append(w.text[:0], h.KID...), 0), h.MAC...)
		return nonZero(xxhash.Sum64(w.text))
	}
	if !canCompare(r.Content) {
		return 0
	}
	return resultFingerprint(r.Content.Raw, &w.masked)
}

var hiddenMark = []byte(`$hidden"`)

// canCompare reports whether a value that is not hidden itself holds none that
// is hidden without a mac: such a one is equal to nothing.
func canCompare(v event.Value) bool {
	if v.Form < event.Object || !bytes.Contains(v.Raw, hiddenMark) {
		return true
	}
	c := event.NewCursor(v)
	c.Enter()
	for c.More() {
		if v.Form == event.Object {
			c.Key()
		}
		m := c.Value()
		if m.Form == event.Hidden {
			if h, ok := event.ParseHidden(m); !ok || len(h.MAC) == 0 {
				return false
			}
		} else if !canCompare(m) {
			return false
		}
	}
	return true
}

// fail records the error of a call.
func (w *Workspace) fail(a *Agent, c *Call, r *event.Result) {
	cur := &w.Cur
	text := w.text[:0]
	errorType := appendLower(text, r.ErrorType[:min(len(r.ErrorType), 128)])
	n := len(errorType)
	text = errorType
	if r.Content.Present() {
		text = r.Content.AppendText(text)
		text = text[:min(len(text), n+maxText)]
	} else if c.Result == 0 && n == 0 && c.Status == event.StatusError {
		cur.Lacks |= NeedErrorText
	}
	for i, b := range text[n:] {
		if b-'A' < 26 {
			text[n+i] = b | 0x20
		}
	}
	w.text = text
	cur.ErrorText = text[n:]
	c.Class = classOf(c.Status, text[:n], cur.ErrorText, c.Tool.lower)
	c.Fault = c.Class.Fault()
	if c.Fault == event.FaultUnknown {
		c.Fault = event.FaultTool
		if !c.Silent && c.Class == OtherError {
			c.Fault = event.FaultUnknown
		}
	}
	if c.Class == NotFound && c.FromUser {
		c.Fault = event.FaultUser // who gave the value
	}
	if c.Class.Transient() {
		c.RetryAfter = retryAfter(cur.ErrorText)
	}
	b := append(w.masked[:0], byte(c.Class))
	b = append(append(b, text[:n]...), 0)
	b = appendMaskedError(b, cur.ErrorText)
	if r.Content.Form == event.Hidden { // the same text has the same mac
		b = binary.LittleEndian.AppendUint64(b, c.Result)
	}
	w.masked = b
	a.fail(c, nonZero(xxhash.Sum64(b)^c.Tool.hash*0x9e3779b97f4a7c15))
}

// add counts a finished call under one heading.
func (n *ToolCount) add(c *Call) {
	switch {
	case c.Status == event.StatusOK:
		n.OK++
	case c.Status == event.StatusTimeout:
		n.Timeout++
	case c.Status == event.StatusDenied:
		n.Denied++
	case c.Status != event.StatusError:
		n.Unknown++
	case c.Fault == event.FaultTool:
		n.ToolFault++
	case c.Fault == event.FaultUser:
		n.UserFault++
	case c.Fault == event.FaultPolicy:
		n.Denied++
	default:
		n.AgentFault++
	}
}

// What of a result is looked at for a silent error: a body that reports one
// leads with it.
const (
	silentBytes   = 256
	silentMembers = 4
)

// saysError reports whether a result that calls itself fine reports an error
// in its body (Tools Fail, arXiv 2406.19228): a leading member such as "error",
// "success": false or "status": 503, or a text that begins like an error.
func saysError(v event.Value, scratch *[]byte) bool {
	var text []byte
	switch v.Form {
	case event.Object, event.String:
		text = v.Raw
	case event.Escaped:
		if i := skipTo(v.Raw, 0, ' '); i == len(v.Raw) || !leads(v.Raw[i]) {
			return false
		}
		// An escape that is cut in two only spoils the last character.
		head := event.Value{Raw: v.Raw[:min(len(v.Raw), silentBytes)], Form: event.Escaped}
		*scratch = head.AppendText((*scratch)[:0])
		text = *scratch
	default:
		return false
	}
	text = text[:min(len(text), silentBytes)]
	text = text[skipTo(text, 0, ' '):]
	if len(text) == 0 || !leads(text[0]) {
		return false
	}
	if text[0] == '{' {
		return bodySaysError(text)
	}
	return textSaysError(text)
}

// leads reports whether a body that reports an error may begin with c, which
// spares most results the rest.
func leads(c byte) bool {
	switch c {
	case '{', '\\', 'e', 'E', 't', 'T', 'f', 'F', 'h', 'H':
		return true
	}
	return false
}

var errorPrefixes = []string{
	"error:", "error -", "error executing", "error calling", "error while", "error in ", "error invoking",
	"traceback (most recent call last)", "exception:", "fatal error:", "fatal:", "failed to execute",
	"http error 4", "http error 5", "http 4", "http 5", "http/1.1 4", "http/1.1 5",
}

func textSaysError(text []byte) bool {
	for _, p := range errorPrefixes {
		if len(text) >= len(p) && bytes.EqualFold(text[:len(p)], []byte(p)) {
			return true
		}
	}
	return false
}

// bodySaysError looks at the first members of a JSON object, which may be cut
// short.
func bodySaysError(b []byte) bool {
	i := 1
	for range silentMembers {
		i = skipTo(b, i, ',')
		if i >= len(b) || b[i] != '"' {
			return false
		}
		end := stringEnd(b, i)
		if end > len(b) {
			return false
		}
		name := b[i+1 : end-1]
		i = skipTo(b, end, ':')
		if i >= len(b) {
			return false
		}
		end = valueEnd(b, i)
		if memberSaysError(name, b[i:min(end, len(b))]) {
			return true
		}
		i = end
	}
	return false
}

func memberSaysError(name, value []byte) bool {
	switch string(name) {
	case "error", "errors", "error_message", "errorMessage", "exception":
		switch string(value) {
		case "null", "false", `""`, "[]", "{}", "0":
			return false
		}
		return true
	case "success", "ok", "succeeded":
		return string(value) == "false"
	case "isError", "is_error", "failed":
		return string(value) == "true"
	case "status", "state", "result":
		switch string(value) {
		case `"error"`, `"ERROR"`, `"Error"`, `"failed"`, `"FAILED"`, `"failure"`:
			return true
		}
		return string(name) == "status" && isErrorCode(value)
	case "status_code", "statusCode", "http_status":
		return isErrorCode(value)
	}
	return false
}

func isErrorCode(v []byte) bool {
	return len(v) == 3 && (v[0] == '4' || v[0] == '5') && isDigit(v[1]) && isDigit(v[2])
}

// skipTo is the position from i on of what is no white space and not also.
func skipTo(b []byte, i int, also byte) int {
	for i < len(b) && (b[i] == ' ' || b[i] == also || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is the position after the string that begins at i, beyond len(b)
// when it does not end.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b) + 1
}

// valueEnd is the position after the JSON value that begins at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}
