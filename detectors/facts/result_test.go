package facts

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"misstep/event"
)

// TestCutEscapes cuts strings with escapes at every place: what is left must
// still say the beginning of what the whole says, but for its last character.
func TestCutEscapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", `\\`, `\"`, `\n`, `\u0041`, `\ud83d\ude00`, `\ud83d`, "é", "0"}), 0, 40).Draw(t, "parts")
		raw := []byte(strings.Join(parts, ""))
		whole := event.Value{Raw: raw, Form: event.Escaped}.AppendText(nil)
		for n := range len(raw) + 1 {
			head := event.Value{Raw: raw[:n], Form: event.Escaped}.AppendText(nil)
			if !bytes.HasPrefix(whole, bytes.TrimRight(head, string(utf8.RuneError))) {
				t.Fatalf("%q cut at %d says %q, the whole says %q", raw, n, head, whole)
			}
		}
	})
}

// TestLongSilentError checks that an error is seen at the beginning of a text
// with escapes that is longer than what is looked at.
func TestLongSilentError(t *testing.T) {
	var scratch []byte
	for pad := range 40 {
		raw := fmt.Sprintf(`Error: \"%s\"%s`, strings.Repeat("x", 220+pad), strings.Repeat(`\\\"\u0041`, 20))
		if v := (event.Value{Raw: []byte(raw), Form: event.Escaped}); !saysError(v, &scratch) {
			t.Errorf("%s says no error", raw)
		}
	}
}
