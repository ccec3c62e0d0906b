package facts

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"misstep/detectors/state"
	"misstep/event"
)

// naiveRuns is what forEachRun does to a text without escapes, in other words.
func naiveRuns(text string) (plain, joined []string) {
	norm := func(s string) string {
		s = strings.ToLower(s)
		for len(s) > leastRun && s[0] == '0' {
			s = s[1:]
		}
		if len(s) < leastRun {
			return ""
		}
		return s
	}
	for _, r := range regexp.MustCompile(`[A-Za-z0-9]+`).FindAllString(text, -1) {
		if strings.ContainsAny(r, "0123456789") && norm(r) != "" {
			plain = append(plain, norm(r))
		}
	}
	for _, at := range regexp.MustCompile(`[0-9]+([-. /][0-9]+)+`).FindAllStringIndex(text, -1) {
		g := text[at[0]:at[1]]
		// The first and the last group may be part of a longer run.
		if at[0] > 0 && regexp.MustCompile(`[A-Za-z]`).MatchString(text[at[0]-1:at[0]]) || at[1] < len(text) && regexp.MustCompile(`[A-Za-z]`).MatchString(text[at[1]:at[1]+1]) {
			continue
		}
		d := regexp.MustCompile(`[^0-9]`).ReplaceAllString(g, "")
		if n := norm(d); n != "" && len(d) <= 32 {
			joined = append(joined, n)
		}
	}
	return plain, joined
}

// TestRuns holds the scan against a naive one.
func TestRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-zA-Z ]{0,9}[0-9]{0,6}[-.#/_:, "]?){0,8}`).Draw(t, "text")
		plain, joined := naiveRuns(text)
		var got, want []uint64
		all := map[uint64]bool{}
		forEachRun([]byte(text), false, func(h uint64, j bool) {
			all[h] = true
			if !j {
				got = append(got, h)
			}
		})
		for _, p := range plain {
			want = append(want, runHash([]byte(p)))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("runs of %q: got %d, want %q", text, len(got), plain)
		}
		for _, j := range joined {
			if !all[runHash([]byte(j))] {
				t.Fatalf("groups of %q: %q is missing", text, j)
			}
		}
	})
}

// TestProvenanceProperty: what was shown is known, a digit changed in it is not.
func TestProvenanceProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v Provenance
		values := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,4}_?[A-Z]{0,2}[0-9]{4,9}`), 1, 40).Draw(t, "values")
		known := map[uint64]bool{}
		for _, x := range values {
			v.Show(event.Value{Raw: []byte("see " + x + "."), Form: event.String}, FromUser)
			forEachRun([]byte(x), false, func(h uint64, _ bool) { known[h] = true })
		}
		for _, x := range values {
			if got := v.Of([]byte(x), false); got != FromUser {
				t.Fatalf("%q was shown, and is from %d", x, got)
			}
			b := []byte(x)
			i := len(b) - 1 - rapid.IntRange(0, 2).Draw(t, "digit")
			b[i] = '0' + (b[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "more")))%10
			fresh := true
			forEachRun(b, false, func(h uint64, _ bool) { fresh = fresh && !known[h] })
			if got := v.Of(b, false); fresh && got != 0 {
				t.Fatalf("%q was never shown, and is from %d", b, got)
			}
		}
	})
}

func TestOf(t *testing.T) {
	var v Provenance
	v.Show(value(t, `"Call 555-123-4567 about W0001234, order #77-AB12-9981.\n404b and card\u0020998877"`), FromUser)
	v.Show(value(t, `{"user_id":"mia_li_4141","code":12345}`), FromTool)
	for _, tt := range []struct {
		value string
		want  Source
	}{
		{"5551234567", FromUser},
		{"555 123 4567", FromUser},
		{"555-123-4568", 0},
		{"w0001234", FromUser},
		{"W0001235", 0},
		{"77-ab12-9981", FromUser},
		{"404b", FromUser},
		{"n404b", 0},
		{"998877", FromUser},
		{"0020998877", 0},
		{"mia_li_4141", FromTool},
		{"12345", FromTool},
		{"W0001234-12345", sourceOf(FromUser, FromTool)},
		{"ab", sourceMask},
	} {
		if got := v.Of([]byte(tt.value), false); got != tt.want {
			t.Errorf("%q is from %03b, want %03b", tt.value, got, tt.want)
		}
	}
}

func sourceOf(s ...Source) (all Source) {
	for _, x := range s {
		all |= x
	}
	return all
}

func value(t *testing.T, json string) event.Value {
	t.Helper()
	v, err := event.JSONValue([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAmounts(t *testing.T) {
	var v Provenance
	v.Show(value(t, `{"price":120.50,"fee":"$1,299","id":"88","n":40,"text":"or 55 of 12.345"}`), FromTool)
	for a, want := range map[int64]bool{
		120_50: true, 1299_00: true, 40_00: true, 88_00: false, 55_00: false, 12_34: false,
		160_50: true, 80_50: true, 361_50: true, 20_00: true, 4050: false, 1459_50: true, 1460_50: false,
		1299_00 * 100: true,
	} {
		if got := v.Derives(a); got != want {
			t.Errorf("%d derives: %t, want %t; known are %v", a, got, want, v.amounts)
		}
	}
}

// TestProvenanceFull: what is beyond the bound makes a hole, and no more memory.
func TestProvenanceFull(t *testing.T) {
	var v Provenance
	for i := range 2 * maxRuns {
		v.Show(value(t, fmt.Sprintf(`"x%dy $%d.25"`, 100+i, 1000+i)), FromTool)
	}
	if !v.Holes || v.n != maxRuns || len(v.runs) > 4*maxRuns || len(v.amounts) != maxAmounts {
		t.Errorf("holes %t, %d runs in %d places, %d amounts", v.Holes, v.n, len(v.runs), len(v.amounts))
	}
}

// TestProvenanceState reads back what is written, and refuses what cannot be.
func TestProvenanceState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v, back Provenance
		for _, x := range rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,3}[0-9]{3,6}(\.[0-9]{2})?`), 0, 200).Draw(t, "values") {
			v.Show(event.Value{Raw: []byte("$" + x), Form: event.String}, Source(rapid.IntRange(1, sourceMask).Draw(t, "source")))
			v.touch(touched{hash: runHash([]byte(x)), call: 3, agent: 1, failed: rapid.Bool().Draw(t, "failed")})
		}
		v.Holes, v.Longest = rapid.Bool().Draw(t, "holes"), 9
		var w, again state.Writer
		v.append(&w)
		var s ProvenanceState
		if err := cbor.Unmarshal(w.Buf, &s); err != nil {
			t.Fatal(err)
		}
		if err := back.restore(&s); err != nil {
			t.Fatal(err)
		}
		if back.append(&again); string(w.Buf) != string(again.Buf) {
			t.Fatalf("wrote %x, read back %x", w.Buf, again.Buf)
		}
	})
	for _, s := range []ProvenanceState{
		{Runs: []uint64{0}},
		{Runs: make([]uint64, maxRuns+1)},
		{Amounts: make([]int64, maxAmounts+1)},
		{Touches: make([]TouchedState, maxTouched+1)},
		{Touches: []TouchedState{{Agent: -1}}},
		{Touches: []TouchedState{{Call: -1}}},
	} {
		if err := new(Provenance).restore(&s); err == nil {
			t.Errorf("took %d values, %d amounts, touches %v", len(s.Runs), len(s.Amounts), s.Touches)
		}
	}
}

func FuzzShow(f *testing.F) {
	f.Add([]byte(`"a\u00e9123\\99 $1,234.5 0.001"`))
	f.Add([]byte(`{"a":[1,22,333.25,"\n404"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := event.JSONValue(b)
		if err != nil {
			return
		}
		var p Provenance
		p.Show(v, FromUser)
		if v.IsString() && !v.Present() {
			return
		}
		// What was shown is known, run by run.
		forEachRun(v.Raw, v.Form != event.String, func(h uint64, _ bool) {
			if p.source(h) == 0 && !p.Holes {
				t.Fatalf("a run of %s is not known", b)
			}
		})
		for _, a := range p.amounts {
			if !p.Derives(a) {
				t.Fatalf("the amount %d of %s is not known", a, b)
			}
		}
	})
}
