package intake

import (
	"crypto/sha256"
	"encoding/base64"
	"unicode/utf8"

	"misstep/event"
)

// MaxField is how long a text, the arguments of a call and the content of a
// result may be in bytes, as text before JSON escapes it. What is longer is
// cut.
const MaxField = 32 << 10

// Cut shortens what is longer than MaxField in a step, and marks it: truncated,
// content_len (the bytes before the cut) and content_hash (as Hash gives it).
// Marks of a producer that cut already stay, since they tell of the whole, which
// is not here. It reports whether it changed the step; what it puts in does not borrow. Arguments that
// are too long become arguments_raw, other JSON becomes the beginning of its
// text. A hidden value is never cut.
func Cut(s *event.Step) bool {
	switch s.Kind {
	case event.SystemMessage, event.UserMessage, event.AgentMessage, event.ContextAdded, event.ModelCall:
		return cut(&s.Text, &s.Cut)
	case event.ToolCall:
		c := &s.Call
		if cut(&c.Arguments, &c.Cut) {
			c.Raw, c.Arguments = c.Arguments, event.Value{}
			return true
		}
		return cut(&c.Raw, &c.Cut)
	case event.ToolResult:
		return cut(&s.Result.Content, &s.Result.Cut)
	}
	return false
}

// Hash is the content_hash of a value: the first 16 bytes of SHA-256 over its
// canonical JSON, base64url, so that equal values have equal hashes.
func Hash(v event.Value) string {
	sum := sha256.Sum256(event.AppendCanonical(nil, v, nil))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func cut(v *event.Value, mark *event.Cut) bool {
	// Escapes only make a text longer.
	if len(v.Raw) <= MaxField || !v.Present() {
		return false
	}
	text := v.Raw
	if v.Form == event.Escaped {
		text = v.AppendText(nil)
	}
	if len(text) <= MaxField {
		return false
	}
	if !mark.Truncated {
		*mark = event.Cut{Truncated: true, Len: int64(len(text)), Hash: []byte(Hash(*v))}
	}
	end := MaxField
	for !utf8.RuneStart(text[end]) {
		end--
	}
	*v = quoted(text[:end])
	return true
}
