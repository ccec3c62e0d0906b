package lexicon

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

//go:embed testdata/*.txt
var cases embed.FS

// TestCases reads the cases of each language: a line names meanings that its
// text has (+) or has not (-), then the text.
func TestCases(t *testing.T) {
	for _, language := range []Language{English, German} {
		name := "testdata/" + language.String() + ".txt"
		b, err := cases.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var s Scanner
		var shown, spared Set
		n := 0
		for line := range strings.Lines(string(b)) {
			n++
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			for text := s.Scan([]byte(strings.TrimLeft(caseText(line), " ")), language); line != "" && (line[0] == '+' || line[0] == '-'); {
				word, rest, _ := strings.Cut(line, " ")
				m := Meaning(slices.Index(meaningNames[:], word[1:]))
				if m >= numMeanings {
					t.Fatalf("%s:%d: no meaning %q", name, n, word)
				}
				if has := text.Has(m); has != (word[0] == '+') {
					t.Errorf("%s:%d: %q has %s: %t (found %s)", name, n, rest, m, has, names(text.Found))
				}
				if word[0] == '+' {
					shown |= 1 << m
				} else {
					spared |= 1 << m
				}
				line = rest
			}
		}
		for m := range numMeanings {
			if !shown.Has(m) {
				t.Errorf("%s: no case has %s", name, m)
			}
			if !spared.Has(m) && m < FamilyRefund {
				t.Errorf("%s: no case is without %s", name, m)
			}
		}
	}
}

func caseText(line string) string {
	for line != "" && (line[0] == '+' || line[0] == '-') {
		_, line, _ = strings.Cut(line, " ")
	}
	return line
}

func names(s Set) string {
	var out []string
	for m := range numMeanings {
		if s.Has(m) {
			out = append(out, m.String())
		}
	}
	return strings.Join(out, " ")
}

// TestFiles checks what the files as a whole must keep: each phrase finds
// itself, each language has each meaning, and each tier of pressure a weight.
func TestFiles(t *testing.T) {
	var s Scanner
	for _, language := range []Language{English, German} {
		for m := range numMeanings {
			list := List(language, m)
			if len(list) == 0 {
				t.Errorf("%s has no words for %s", language, m)
			}
			for _, p := range list {
				text := strings.ReplaceAll(p, "..", "xyz")
				if got := s.Scan([]byte(text), language); got.Language == language && !got.Has(m) {
					t.Errorf("%s: %q is not found to be %s", language, text, m)
				}
			}
			if Pressures().Has(m) != (Weight(m) > 0) {
				t.Errorf("%s weighs %d", m, Weight(m))
			}
		}
	}
	for i := range standard.entries {
		e := &standard.entries[i]
		if e.function&(1<<English) != 0 && e.function&(1<<German) != 0 {
			t.Errorf("%q tells English from German in neither", e.text)
		}
	}
}

func TestLanguage(t *testing.T) {
	const long = "SELECT id FROM orders WHERE total > 100 GROUP BY customer ORDER BY id LIMIT 10 OFFSET 20 UNION ALL SELECT id FROM archive WHERE total > 200"
	for _, c := range []struct {
		text string
		want Language
	}{
		{"", Undecided},
		{"1234", Undecided},
		{"Mia Li", Undecided},
		{"The order was not delivered, and I would like to have my money back.", English},
		{"I don\u2019t think that's right.", English},
		{"Please cancel it", English},
		{"Ich m\u00f6chte meine Bestellung stornieren, bitte erstatten Sie mir den Betrag.", German},
		{"Das ist nicht fair!", German},
		{"Quiero cancelar mi pedido porque no ha llegado y no me han devuelto el dinero.", Other},
		{"Je voudrais annuler ma commande, elle n'est pas encore arriv\u00e9e.", Other},
		{"Vorrei annullare il mio ordine perch\u00e9 non \u00e8 arrivato.", Other},
		{"Ik wil graag mijn bestelling annuleren, het is niet geleverd.", Other},
		{"Chc\u0119 anulowa\u0107 moje zam\u00f3wienie, poniewa\u017c nie jest jeszcze wys\u0142ane.", Other},
		{"\u042f \u0445\u043e\u0447\u0443 \u043e\u0442\u043c\u0435\u043d\u0438\u0442\u044c \u0437\u0430\u043a\u0430\u0437", Other},
		{"\u8acb\u53d6\u6d88\u6211\u7684\u8a02\u55ae", Other},
		{long, English}, // its keywords are English words
		{"alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu xi omicron pi rho sigma tau upsilon phi", Other},
		{"alpha beta gamma delta epsilon", Undecided},
	} {
		var s Scanner
		if got := s.Scan([]byte(c.text), Undecided).Language; got != c.want {
			t.Errorf("%q is %s, want %s", c.text, got, c.want)
		}
	}
	var s Scanner
	if got := s.Scan([]byte("ok"), German); got.Language != German || got.First(Confirmation) == nil {
		t.Errorf("a short text after German is %s, %v", got.Language, got.Matches)
	}
	if got := s.Scan([]byte("genau"), Undecided); !got.Has(Confirmation) {
		t.Error("an undecided text is looked through for the words of every language")
	}
	if got := s.Scan([]byte("genau"), English); got.Has(Confirmation) {
		t.Error("of English only the English words count")
	}
	if got := s.Scan([]byte("Je ne suis pas d'accord, vous avez tort. ok ok"), English); got.Language != Other || len(got.Matches) != 0 {
		t.Errorf("nothing is looked for in another language: %s %v", got.Language, got.Matches)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"I can't, DON\u2019T!":                 "i can not do not",
		"cannot cant won't shan't":             "can not can not will not shall not",
		"you're I've they'll he's I'm":         "you are i have they will he is i am",
		"Gr\u00fc\u00dfe \u00dcber \u00c4rger": "gruesse ueber aerger",
		"\u00c9t\u00e9":                        "\u00e9t\u00e9",
		"double-check it (now)":                "double check it now",
		"\u201cwait\u201d\u2014no":             "wait no",
		"3.50 euros. ok":                       "3 50 euros|ok",
		"a'b 'quoted' rock'":                   "a'b quoted rock",
		"one\ntwo":                             "one|two",
		"what? yes.":                           "what?|yes",
		"\u2019\u2019 '' \u2026":               "",
		"\xff\xfe\x80abc":                      "abc",
	} {
		var s Scanner
		got := s.Scan([]byte(text), Undecided)
		var parts []string
		for _, sentence := range got.Sentences {
			var words []string
			for i := sentence.From; i < sentence.To; i++ {
				words = append(words, string(got.Word(int(i))))
			}
			part := strings.Join(words, " ")
			if sentence.Question {
				part += "?"
			}
			parts = append(parts, part)
		}
		if have := strings.Join(parts, "|"); have != want {
			t.Errorf("%q is read as %q, want %q", text, have, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	var s Scanner
	const text = "Well. You\u2019re right, I was wrong!"
	got := s.Scan([]byte(text), English)
	var found []string
	for _, m := range got.Matches {
		found = append(found, fmt.Sprintf("%s %q in %d", m.Meaning, text[got.Words[m.From].From:got.Words[m.To-1].To], got.SentenceOf(&m)))
	}
	for _, want := range []string{`concession "You’re right" in 1`, `concession "I was wrong" in 1`} {
		if !slices.Contains(found, want) {
			t.Errorf("found %q, want %q", found, want)
		}
	}
	if got.Count(Concession) != 2 || !got.In(1).Has(Concession) || got.In(0).Has(Concession) || got.First(Threat) != nil {
		t.Errorf("two concessions in the second sentence: %v", got.Matches)
	}
	got = s.Scan([]byte("It was not processed. It was sent."), English)
	var negated []bool
	for _, m := range got.Matches {
		if m.Meaning == Done {
			negated = append(negated, m.Negated)
		}
	}
	if got = s.Scan([]byte("We can process it."), English); slices.ContainsFunc(got.Matches, func(m Match) bool { return m.Negated }) {
		t.Errorf("what can be done is not negated: %v", got.Matches)
	}
	if !slices.Equal(negated, []bool{true, false}) {
		t.Errorf("a negation reaches its own sentence only: %v", negated)
	}
}

func TestPressure(t *testing.T) {
	var s Scanner
	for text, want := range map[string]int{
		"Are you sure?": 300, "That's wrong.": 500, "This is unacceptable, are you sure?": 600,
		"Your manager approved it.": 600, "Thank you!": 0, "": 0,
	} {
		if got := s.Scan([]byte(text), English).Pressure(); got != want {
			t.Errorf("%q presses with %d, want %d", text, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	var s Scanner
	got := s.Scan([]byte(strings.Repeat("no ", MaxText)), English)
	if !got.Cut || len(got.Words) > MaxText/3+1 {
		t.Errorf("%d words of a long text, cut %t", len(got.Words), got.Cut)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		if rapid.Bool().Draw(t, "words") {
			b = []byte(strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"not", "can", "i", "can't", "please", "instead", "nicht", "..", "cancel", "\n", "it's", "\u2019"})).Draw(t, "w"), " "))
		}
		text := s.Scan(b, Language(rapid.IntRange(0, 3).Draw(t, "hint")))
		last := int32(0)
		for i, w := range text.Words {
			if w.From < last && (i == 0 || w.From != text.Words[i-1].From) || w.To <= w.From || int(w.To) > len(b) || w.Sentence >= int32(len(text.Sentences)) {
				t.Fatalf("word %d of %q is %+v", i, b, w)
			}
			last = w.From
		}
		for _, m := range text.Matches {
			if m.From >= m.To || int(m.To) > len(text.Words) || text.Words[m.From].Sentence != text.Words[m.To-1].Sentence {
				t.Fatalf("match %+v of %q", m, b)
			}
		}
	})
}

// TestScanAllocates checks that a scanner that has grown allocates nothing.
func TestScanAllocates(t *testing.T) {
	var s Scanner
	text := []byte("I\u2019m sorry, but I can't refund this; please don\u2019t ask again. Leider nicht m\u00f6glich.")
	s.Scan(text, Undecided)
	if n := testing.AllocsPerRun(100, func() { s.Scan(text, Undecided) }); n != 0 {
		t.Errorf("%v allocations a text", n)
	}
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		"word":                               `words/en/a.txt:1: "word" stands in no section`,
		"[refusal":                           `words/en/a.txt:1: section "[refusal" does not end with ]`,
		"[]":                                 `words/en/a.txt:1: a section without a name`,
		"[nonsense]\nx":                      `words/en/a.txt:2: unknown section "nonsense"`,
		"[doubt weight=0]":                   `words/en/a.txt:1: section doubt: weight is "0"; give a number from 1 to 1000`,
		"[doubt loud]":                       `words/en/a.txt:1: section doubt: unknown option "loud"; there are weight=N and affirmed`,
		"[doubt weight=1]\n[doubt weight=2]": `words/en/a.txt:2: section doubt: weight is 2 here and 1 in another language`,
		"[doubt]\nx\nx":                      `words/en/a.txt:3: "x" stands there twice`,
		"[doubt]\n# note\nabc*":              `words/en/a.txt:3: stem "abc*" is shorter than 4 letters`,
		"[negation]\ncannot":                 `words/en/a.txt:2: "cannot" is more than one word; a negation is one`,
		"[doubt]\n.. x":                      `words/en/a.txt:2: ".. x" must not begin or end with ".."`,
	} {
		_, err := load(fstest.MapFS{
			"words/en/a.txt": {Data: []byte(text)}, "words/de/a.txt": {}, "words/other/a.txt": {},
		})
		if err == nil || err.Error() != want {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
	if _, err := load(fstest.MapFS{"words/en/a.txt": {}}); err == nil {
		t.Error("a language without files is no error")
	}
}

func BenchmarkScan(b *testing.B) {
	var s Scanner
	text := []byte(strings.Repeat("I understand your concern, but unfortunately I can't refund a basic economy ticket. ", 6))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s.Scan(text, English)
	}
}
