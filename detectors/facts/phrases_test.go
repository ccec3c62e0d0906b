package facts

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestPhrases(t *testing.T) {
	letters := rapid.SliceOfN(rapid.SampledFrom([]byte("abcd'. Z\xc3")), 0, 40)
	rapid.Check(t, func(t *rapid.T) {
		text := bytes.ToLower(letters.Draw(t, "text"))
		var list []string
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			if s := string(bytes.ToLower(rapid.SliceOfN(rapid.SampledFrom([]byte("abcd'. Z\xc3")), 1, 9).Draw(t, "phrase"))); s != "" {
				list = append(list, s)
			}
		}
		if len(text) > 4 {
			from := rapid.IntRange(0, len(text)-2).Draw(t, "from")
			list = append(list, string(text[from:rapid.IntRange(from+1, len(text)).Draw(t, "to")]))
		}
		want, wantAt := -1, -1
		odd := func(_ []byte, at, _ int) bool { return at%2 == 1 }
	search:
		for k, s := range list {
			for at := range text {
				if at%2 == 1 && bytes.HasPrefix(text[at:], []byte(s)) {
					want, wantAt = k, at
					break search
				}
			}
		}
		var g Grams
		g.Of(text)
		if k, at := NewPhrases(list).Find(text, &g, odd); k != want || at != wantAt {
			t.Fatalf("%q in %q: phrase %d at %d, want %d at %d", list, text, k, at, want, wantAt)
		}
	})
}
