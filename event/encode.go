package event

import (
	"strconv"
	"unicode/utf8"
)

// The encoders write one JSON object without a line break: fields in the order
// of the tables in the documentation of the wire formats, absent ones left out,
// numbers without floating point. The same value gives the same bytes.

// version is what every record says of its format.
const version = `{"v":1`

// AppendFailure appends a failure event.
func AppendFailure(dst []byte, f *Failure) []byte {
	dst = append(dst, version...)
	dst = field(dst, "id", f.ID)
	dst = intField(dst, "rev", int64(f.Rev))
	dst = appendLabels(dst, &f.Labels)
	dst = field(dst, "class", f.Class.String())
	dst = field(dst, "rule", f.Rule)
	dst = listField(dst, "rules", f.Rules)
	dst = optField(dst, "subject", f.Subject)
	dst = field(dst, "severity", f.Severity.String())
	dst = field(dst, "fault", f.Fault.String())
	dst = fixedField(dst, "confidence", int64(f.Confidence), 3)
	dst = field(dst, "state", f.State.String())
	dst = timeField(dst, "time", f.Time)
	dst = optIntField(dst, "first_seq", f.FirstSeq)
	dst = optIntField(dst, "last_seq", f.LastSeq)
	dst = intField(dst, "count", int64(f.Count))
	dst = field(dst, "message", f.Message)
	if len(f.Evidence) > 0 {
		dst = append(dst, `,"evidence":[`...)
		for i := range f.Evidence {
			e := &f.Evidence[i]
			dst = append(dst, '{')
			from := len(dst)
			dst = optIntField(dst, "seq", e.Seq)
			dst = optField(dst, "id", e.ID)
			dst = optField(dst, "note", e.Note)
			dst = append(trimComma(dst, from), "},"...)
		}
		dst[len(dst)-1] = ']'
	}
	dst = append(dst, `,"wasted":{"tokens":`...)
	dst = strconv.AppendInt(dst, f.Wasted.Tokens, 10)
	dst = fixedField(dst, "cost_usd", f.Wasted.CostMicroUSD, 6)
	dst = append(dst, '}')
	dst = optField(dst, "fingerprint", f.Fingerprint)
	if f.State == StateResolved {
		dst = boolField(dst, "recovered", f.Recovered)
	}
	dst = append(dst, `,"detector":{`...)
	from := len(dst)
	dst = field(dst, "name", f.Detector.Name)
	dst = intField(dst, "version", int64(f.Detector.Version))
	dst = append(trimComma(dst, from), '}')
	dst = optField(dst, "ruleset", f.Ruleset)
	return append(dst, '}')
}

// AppendTask appends a task record.
func AppendTask(dst []byte, t *TaskRecord) []byte {
	dst = append(dst, version...)
	dst = field(dst, "type", "task")
	dst = field(dst, "id", t.ID)
	dst = intField(dst, "rev", int64(t.Rev))
	if t.Was != nil {
		dst = verdictField(dst, "was", t.Was)
	}
	dst = verdictField(dst, "now", &t.Now)
	dst = appendLabels(dst, &t.Labels)
	dst = intField(dst, "steps", t.Steps)
	dst = fixedField(dst, "cost_usd", t.CostMicroUSD, 6)
	dst = intField(dst, "tokens", t.Tokens)
	dst = intField(dst, "wall_ms", t.WallMS)
	dst = intField(dst, "active_ms", t.ActiveMS)
	dst = listField(dst, "escalated", t.Escalated)
	if len(t.Tools) > 0 {
		dst = append(dst, `,"tools":[`...)
		for i := range t.Tools {
			u := &t.Tools[i]
			dst = append(dst, '{')
			from := len(dst)
			dst = field(dst, "tool", u.Tool)
			dst = countField(dst, "ok", u.OK)
			dst = countField(dst, "agent_fault", u.AgentFault)
			dst = countField(dst, "tool_fault", u.ToolFault)
			dst = countField(dst, "user_fault", u.UserFault)
			dst = countField(dst, "timeout", u.Timeout)
			dst = countField(dst, "denied", u.Denied)
			dst = countField(dst, "unknown", u.Unknown)
			dst = append(trimComma(dst, from), "},"...)
		}
		dst[len(dst)-1] = ']'
	}
	dst = listField(dst, "classes", t.Classes)
	if t.Partial {
		dst = boolField(dst, "partial", true)
	}
	if len(t.Coverage) > 0 {
		dst = append(dst, `,"coverage":[`...)
		for i := range t.Coverage {
			a := &t.Coverage[i]
			dst = append(dst, '{')
			from := len(dst)
			dst = field(dst, "detector", a.Detector)
			dst = optField(dst, "rule", a.Rule)
			dst = field(dst, "reason", a.Reason)
			dst = append(trimComma(dst, from), "},"...)
		}
		dst[len(dst)-1] = ']'
	}
	if u := t.Plan; u != nil {
		dst = append(dst, `,"plan":{`...)
		from := len(dst)
		dst = intField(dst, "versions", u.Versions)
		dst = intField(dst, "items", u.Items)
		dst = countField(dst, "begun", u.Begun)
		dst = countField(dst, "ordered", u.Ordered)
		dst = countField(dst, "calls", u.Calls)
		dst = countField(dst, "planned", u.Planned)
		dst = countField(dst, "stale", u.Stale)
		dst = countField(dst, "replan", u.Replan)
		dst = append(trimComma(dst, from), '}')
	}
	dst = timeField(dst, "time", t.Time)
	return append(dst, '}')
}

// AppendDeadLetter appends a dead letter.
func AppendDeadLetter(dst []byte, l *DeadLetter) []byte {
	dst = append(dst, version...)
	dst = timeField(dst, "time", l.Time)
	dst = field(dst, "source", l.Source)
	dst = intField(dst, "partition", int64(l.Partition))
	dst = intField(dst, "offset", l.Offset)
	dst = intField(dst, "index", int64(l.Index))
	dst = field(dst, "reason", l.Reason)
	dst = optField(dst, "field", l.Field)
	dst = intField(dst, "at", int64(l.At))
	dst = field(dst, "message", l.Message)
	return append(dst, '}')
}

func appendLabels(dst []byte, l *Labels) []byte {
	dst = field(dst, "trajectory_id", l.TrajectoryID)
	dst = optField(dst, "task_id", l.TaskID)
	dst = optField(dst, "workflow", l.Workflow)
	dst = optField(dst, "agent", l.Agent)
	dst = optField(dst, "release", l.Release)
	dst = optField(dst, "model", l.Model)
	return optField(dst, "tenant", l.Tenant)
}

func verdictField(dst []byte, name string, v *TaskVerdict) []byte {
	dst = append(key(dst, name), '{')
	from := len(dst)
	dst = field(dst, "outcome", v.Outcome.String())
	dst = field(dst, "scored_by", v.ScoredBy.String())
	dst = intField(dst, "bucket", v.Bucket)
	return append(trimComma(dst, from), '}')
}

// key appends a comma and a key, which needs no escapes.
func key(dst []byte, name string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// trimComma takes away the comma before the first member of an object whose
// inside begins at from.
func trimComma(dst []byte, from int) []byte {
	if len(dst) == from {
		return dst
	}
	return append(dst[:from], dst[from+1:]...)
}

func field[T string | []byte](dst []byte, name string, text T) []byte {
	return AppendString(key(dst, name), text)
}

func optField[T string | []byte](dst []byte, name string, text T) []byte {
	if len(text) == 0 {
		return dst
	}
	return field(dst, name, text)
}

func listField(dst []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(key(dst, name), '[')
	for _, s := range list {
		dst = append(AppendString(dst, s), ',')
	}
	dst[len(dst)-1] = ']'
	return dst
}

func boolField(dst []byte, name string, b bool) []byte {
	return strconv.AppendBool(key(dst, name), b)
}

// countField leaves a count of 0 out.
func countField(dst []byte, name string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return intField(dst, name, n)
}

func intField(dst []byte, name string, n int64) []byte {
	return strconv.AppendInt(key(dst, name), n, 10)
}

func optIntField(dst []byte, name string, n int64) []byte {
	if n == None {
		return dst
	}
	return intField(dst, name, n)
}

func timeField(dst []byte, name string, ns int64) []byte {
	if ns == None {
		return dst
	}
	dst = append(key(dst, name), '"')
	dst = appendTime(dst, ns)
	return append(dst, '"')
}

// fixedField appends n × 10^-decimals with that many decimals.
func fixedField(dst []byte, name string, n int64, decimals int) []byte {
	return appendFixed(key(dst, name), n, decimals)
}

func appendFixed(dst []byte, n int64, decimals int) []byte {
	u := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		u = -u
	}
	scale := uint64(1)
	for range decimals {
		scale *= 10
	}
	dst = strconv.AppendUint(dst, u/scale, 10)
	dst = append(dst, '.')
	for rest := u % scale; scale > 1; rest %= scale {
		scale /= 10
		dst = append(dst, byte('0'+rest/scale))
	}
	return dst
}

// plain are the bytes that stand in a JSON string as they are, whatever comes
// before and after them.
var plain = func() (t [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// AppendString appends a text as a JSON string with its quotes. Controls, C0,
// DEL and C1, and the line separators U+2028 and U+2029 are escaped, so that it
// stays on one line everywhere; invalid UTF-8 becomes U+FFFD.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	i, from := 0, 0
	for i < len(text) && plain[text[i]] {
		i++
	}
	for i < len(text) {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
				dst = append(dst, text[from:i]...)
				if c == 0x7f {
					dst = append(dst, `\u007f`...)
				} else {
					dst = appendEscaped(dst, c)
				}
				from = i + 1
			}
			i++
			continue
		}
		var head [utf8.UTFMax]byte
		r, size := utf8.DecodeRune(head[:copy(head[:], text[i:])])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, text[from:i]...)
			dst = append(dst, "\ufffd"...)
			from = i + 1
		case r < 0xA0 || r == 0x2028 || r == 0x2029:
			dst = append(dst, text[from:i]...)
			dst = append(dst, '\\', 'u')
			for shift := 12; shift >= 0; shift -= 4 {
				dst = append(dst, "0123456789abcdef"[r>>shift&15])
			}
			from = i + size
		}
		i += size
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}

// StringValue gives a string value of its own. Invalid UTF-8 becomes U+FFFD.
func StringValue(text string) Value {
	quoted := AppendString(make([]byte, 0, len(text)+2), text)
	v := Value{Raw: quoted[1 : len(quoted)-1], Form: String}
	if _, escaped := skipString(quoted, 1); escaped {
		v.Form = Escaped
	}
	return v
}

// JSONValue checks raw, one JSON value with white space around it perhaps, and
// gives it as a value that borrows from raw. It holds to the same limits as a
// value inside of a step; the error is a *DecodeError.
func JSONValue(raw []byte) (Value, error) {
	d := Decoder{payload: raw, depth: DefaultMaxDepth}
	i := skipSpace(raw, 0)
	v, next := d.value(raw, i, 3, "")
	if next >= 0 {
		if next = skipSpace(raw, next); next < len(raw) {
			next = d.failSyntax(raw, next, "", "nothing after the value")
		}
	}
	if next < 0 {
		return Value{}, d.err
	}
	return v, nil
}
