package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"misstep/event"
)

// OTLP reads the JSON form of OTLP trace requests, one request a line, one
// document or one array of them, whose spans carry OpenInference attributes.
//
// A trace becomes one trajectory: its id is the trace's, and the id of each
// step begins with `trace_id/span_id` of the span that told of it. Spans may
// come in any order: a trace is held until its root has come and the input
// speaks of another one. It begins with a task_start that holds the tools that
// all its spans name, and ends with a task_end of unknown outcome.
type OTLP struct {
	refuser
	units  *units
	traces map[string]*trace
	order  []*trace // as they came
	held   int64    // bytes of all traces
	ended  bool
}

// MaxHeld is how many bytes of traces that are not complete are held; beyond
// it the oldest is read as it is.
const MaxHeld = 256 << 20

// trace holds the spans of one trace.
type trace struct {
	id    string
	spans []*span
	ids   map[string]bool
	bytes int64
	root  bool // a span without a parent has come
}

// span is one span with its attributes as text. JSON in an attribute is the
// text of it.
type span struct {
	id, parent, name, scope, service, release string
	start, end                                int64
	failed                                    bool
	message                                   string // of the status
	attrs                                     map[string]string
	children                                  []*span
	line                                      int64
}

// NewOTLP reads traces from r. refuse is told of what cannot be taken.
func NewOTLP(r io.Reader, refuse func(Refusal)) *OTLP {
	return &OTLP{refuser: refuser{refuse: refuse}, units: newUnits(r, MaxUnit), traces: map[string]*trace{}}
}

// Line implements Reader.
func (o *OTLP) Line() int64 { return o.line }

// Next implements Reader: a unit is a request, which may complete no trace.
func (o *OTLP) Next(emit func(*event.Step) error) error {
	if o.ended {
		if len(o.order) == 0 {
			return io.EOF
		}
		return o.put(o.order[0], emit)
	}
	raw, line, err := o.units.next()
	o.line = line
	switch {
	case errors.Is(err, errTooLong):
		_ = o.at(-1, "", ReasonSize, "a request of more than %d bytes; write one request a line", MaxUnit)
		return nil
	case errors.Is(err, errCut):
		_ = o.at(-1, "", ReasonSyntax, "JSON that comes to no end; the input may have been cut off")
		return nil
	case errors.Is(err, io.EOF):
		o.ended = true
		return nil
	case err != nil:
		return err
	}
	touched := map[string]bool{}
	if err := skipRefused(o.unit(raw, touched)); err != nil {
		return err
	}
	for _, t := range slices.Clone(o.order) {
		if !touched[t.id] && t.complete() || o.held > MaxHeld {
			if err := o.put(t, emit); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete reports whether the root of a trace and all parents are there.
func (t *trace) complete() bool {
	if !t.root {
		return false
	}
	return !slices.ContainsFunc(t.spans, func(s *span) bool { return s.parent != "" && !t.ids[s.parent] })
}

func (o *OTLP) put(t *trace, emit func(*event.Step) error) error {
	o.order = slices.DeleteFunc(o.order, func(x *trace) bool { return x == t })
	delete(o.traces, t.id)
	o.held -= t.bytes
	if len(t.spans) > 0 {
		o.line = t.spans[0].line
	}
	return putTrace(t, emit)
}

type otlpRequest struct {
	ResourceSpans []struct {
		Resource struct {
			Attributes []attribute `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []struct {
			Scope struct {
				Name string `json:"name"`
			} `json:"scope"`
			Spans []otlpSpan `json:"spans"`
		} `json:"scopeSpans"`
	} `json:"resourceSpans"`
}

type otlpSpan struct {
	TraceID      string      `json:"traceId"`
	SpanID       string      `json:"spanId"`
	ParentSpanID string      `json:"parentSpanId"`
	Name         string      `json:"name"`
	Start        nanos       `json:"startTimeUnixNano"`
	End          nanos       `json:"endTimeUnixNano"`
	Attributes   []attribute `json:"attributes"`
	Status       struct {
		Code    json.RawMessage `json:"code"`
		Message string          `json:"message"`
	} `json:"status"`
	Events []struct {
		Name       string      `json:"name"`
		Attributes []attribute `json:"attributes"`
	} `json:"events"`
}

// nanos is a Unix time in nanoseconds, written as a string or a number; None
// when it is neither or 0.
type nanos int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *nanos) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	if err != nil || v <= 0 {
		v = event.None
	}
	*n = nanos(v)
	return nil
}

type attribute struct {
	Key   string         `json:"key"`
	Value attributeValue `json:"value"`
}

type attributeValue struct {
	String *string         `json:"stringValue"`
	Bool   json.RawMessage `json:"boolValue"`
	Int    json.RawMessage `json:"intValue"`
	Double json.RawMessage `json:"doubleValue"`
	Array  *struct {
		Values []attributeValue `json:"values"`
	} `json:"arrayValue"`
}

// text gives a value as text: a list as a JSON array of strings.
func (v *attributeValue) text() string {
	switch {
	case v.String != nil:
		return *v.String
	case v.Array != nil:
		b := []byte("[")
		for i := range v.Array.Values {
			if i > 0 {
				b = append(b, ',')
			}
			b = event.AppendString(b, v.Array.Values[i].text())
		}
		return string(append(b, ']'))
	}
	for _, raw := range []json.RawMessage{v.Int, v.Double, v.Bool} {
		if raw != nil {
			return strings.Trim(string(raw), `"`)
		}
	}
	return ""
}

// unit takes a request, or an array of them.
func (o *OTLP) unit(raw []byte, touched map[string]bool) error {
	if i := invalidUTF8(raw); i >= 0 {
		return o.at(i, "", ReasonUTF8, "a byte that is not UTF-8; write the input as UTF-8")
	}
	requests := []json.RawMessage{raw}
	if len(raw) > 0 && raw[0] == '[' {
		if err := json.Unmarshal(raw, &requests); err != nil {
			return o.broken(err)
		}
	}
	for _, raw := range requests {
		var r otlpRequest
		if err := json.Unmarshal(raw, &r); err != nil {
			if err := skipRefused(o.broken(err)); err != nil {
				return err
			}
			continue
		}
		o.request(&r, touched)
	}
	return nil
}

func (o *OTLP) broken(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return o.at(int(syntax.Offset), "", ReasonSyntax, "%s; one request is one JSON value", syntax)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return o.at(-1, kind.Field, ReasonType, "a JSON %s that OTLP does not have there", kind.Value)
	}
	return o.at(-1, "", ReasonSyntax, "%s", err)
}

func (o *OTLP) request(r *otlpRequest, touched map[string]bool) {
	for i := range r.ResourceSpans {
		rs := &r.ResourceSpans[i]
		resource := attributes(rs.Resource.Attributes)
		for k := range rs.ScopeSpans {
			ss := &rs.ScopeSpans[k]
			for n := range ss.Spans {
				s := newSpan(&ss.Spans[n])
				s.scope, s.service, s.release, s.line = ss.Scope.Name, resource["service.name"], resource["service.version"], o.line
				field := fmt.Sprintf("resourceSpans[%d].scopeSpans[%d].spans[%d]", i, k, n)
				if id := ss.Spans[n].TraceID; !isHex(id, 32) || !isHex(s.id, 16) {
					_ = o.at(-1, field, ReasonValue, "trace id %q and span id %q; want 32 and 16 hexadecimal digits", short(id), short(s.id))
					continue
				}
				o.add(strings.ToLower(ss.Spans[n].TraceID), s)
				touched[strings.ToLower(ss.Spans[n].TraceID)] = true
			}
		}
	}
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

func attributes(list []attribute) map[string]string {
	m := make(map[string]string, len(list))
	for i := range list {
		m[list[i].Key] = list[i].Value.text()
	}
	return m
}

func newSpan(s *otlpSpan) *span {
	out := &span{
		id: strings.ToLower(s.SpanID), parent: strings.ToLower(s.ParentSpanID), name: s.Name,
		start: int64(s.Start), end: int64(s.End), message: s.Status.Message, attrs: attributes(s.Attributes),
	}
	code := strings.Trim(string(s.Status.Code), `"`)
	out.failed = code == "2" || code == "STATUS_CODE_ERROR"
	for i := range s.Events {
		if s.Events[i].Name != "exception" {
			continue
		}
		a := attributes(s.Events[i].Attributes)
		if out.message == "" {
			out.message = a["exception.message"]
		}
		if out.attrs["exception.type"] == "" {
			out.attrs["exception.type"] = a["exception.type"]
		}
	}
	return out
}

func (o *OTLP) add(id string, s *span) {
	t := o.traces[id]
	if t == nil {
		t = &trace{id: id, ids: map[string]bool{}}
		o.traces[id] = t
		o.order = append(o.order, t)
	}
	if t.ids[s.id] {
		return // sent again
	}
	t.ids[s.id] = true
	size := int64(256)
	for k, v := range s.attrs {
		size += int64(len(k) + len(v))
	}
	t.bytes += size
	o.held += size
	t.root = t.root || s.parent == ""
	t.spans = append(t.spans, s)
}
