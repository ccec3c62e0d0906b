package lexicon

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed words
var files embed.FS

// standard is what the embedded files hold. It is never changed; a test reads
// every file, so that a fault in one does not reach a release.
var standard = mustLoad()

func mustLoad() *lexicon {
	l, err := load(files)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return l
}

// maxForeign is how many languages are known by their function words alone.
const maxForeign = 24

// minStem is the least length of a stem: by so many first bytes stems are found.
const minStem = 4

// gap is how many words .. stands for at most.
const gap = 3

// anyWords is the element of a phrase that stands for up to gap words.
const anyWords = -1

// lexicon is all words, compiled.
type lexicon struct {
	words    table
	entries  []entry
	stems    map[uint32][]int32 // by the first minStem bytes, longest first
	phrases  []phrase
	nodes    []node
	edges    edges
	weights  [numMeanings]int
	affirmed Set
	lists    [numLanguages][numMeanings][]string
	foreign  int // languages of words/other
}

// entry is a word or a stem that some list holds.
type entry struct {
	text     string
	function uint32  // bit i: a function word of language i, those of words/other after numLanguages
	negation uint8   // bit i: a negation in language i
	full     []int32 // the words of the full form that it is short for
	parent   int32   // of a stem: the longest other stem that it begins with, -1 for none
	root     int32   // node of the phrases that begin with it, 0 for none
}

// phrase is a run of words and stems with a meaning.
type phrase struct {
	language Language
	meaning  Meaning
	elements []int32 // entries, or anyWords
	whole    bool    // it is a sentence of its own
}

// contractions are words that stand for several without an apostrophe, or whose
// full form does not follow from their spelling: the word, then its full form.
var contractions = []string{
	"cannot can not", "can't can not", "cant can not", "won't will not", "wont will not", "shan't shall not",
	"ain't is not", "dont do not", "doesnt does not", "didnt did not", "isnt is not", "wasnt was not",
	"arent are not", "werent were not", "couldnt could not", "wouldnt would not", "shouldnt should not",
	"havent have not", "hasnt has not", "im i am", "ive i have", "youre you are", "youve you have",
	"thats that is", "theres there is", "let's let us", "lets let us",
}

// endings are what an apostrophe shortens at a word's end.
var endings = []struct{ short, full string }{
	{"n't", "not"}, {"'re", "are"}, {"'ve", "have"}, {"'ll", "will"}, {"'m", "am"}, {"'d", "would"}, {"'s", "is"},
}

// load reads the folder words: a folder of each language, and in it files.
func load(from fs.FS) (*lexicon, error) {
	l := &lexicon{stems: map[uint32][]int32{}}
	l.words.grow(1 << 10)
	for _, c := range contractions {
		short, full, _ := strings.Cut(c, " ")
		i := l.entry(short)
		for _, w := range strings.Fields(full) {
			j := l.entry(w) // may move entries
			l.entries[i].full = append(l.entries[i].full, j)
		}
	}
	for _, e := range endings {
		l.entry(e.full)
	}
	for _, language := range []Language{English, German, Other} {
		folder := "words/" + language.String()
		files, err := fs.ReadDir(from, folder) // sorted by name
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			name := folder + "/" + f.Name()
			text, err := fs.ReadFile(from, name)
			if err != nil {
				return nil, err
			}
			if err := l.file(language, name, string(text)); err != nil {
				return nil, err
			}
		}
	}
	l.linkStems()
	l.grow()
	return l, nil
}

// file takes one file in.
func (l *lexicon) file(language Language, name, text string) error {
	section, has := "", false
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		where := func() string { return name + ":" + strconv.Itoa(n) }
		if line[0] == '[' {
			header, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return fmt.Errorf("%s: section %q does not end with ]", where(), line)
			}
			f := strings.Fields(header)
			if len(f) == 0 {
				return fmt.Errorf("%s: a section without a name", where())
			}
			section, has = f[0], true
			clear(seen)
			if err := l.options(section, f[1:]); err != nil {
				return fmt.Errorf("%s: %w", where(), err)
			}
			if language == Other {
				l.foreign++
			}
			continue
		}
		if !has {
			return fmt.Errorf("%s: %q stands in no section", where(), line)
		}
		if err := l.line(language, section, line, seen); err != nil {
			return fmt.Errorf("%s: %w", where(), err)
		}
	}
	return nil
}

// options takes what stands after a section's name.
func (l *lexicon) options(section string, words []string) error {
	m := Meaning(slices.Index(meaningNames[:], section))
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "weight":
			v, err := strconv.Atoi(value)
			if err != nil || v < 1 || v > 1000 {
				return fmt.Errorf("section %s: weight is %q; give a number from 1 to 1000", section, value)
			}
			if l.weights[m] != 0 && l.weights[m] != v {
				return fmt.Errorf("section %s: weight is %d here and %d in another language", section, v, l.weights[m])
			}
			l.weights[m] = v
		case "affirmed":
			l.affirmed |= 1 << m
		default:
			return fmt.Errorf("section %s: unknown option %q; there are weight=N and affirmed", section, w)
		}
	}
	return nil
}

// line takes one line of a section in.
func (l *lexicon) line(language Language, section, line string, seen map[string]bool) error {
	if section == "function" || language == Other {
		bit := int(language)
		if language == Other {
			bit = int(numLanguages) + l.foreign - 1
			if bit >= int(numLanguages)+maxForeign {
				return fmt.Errorf("more than %d languages", maxForeign)
			}
		}
		for _, w := range strings.Fields(line) {
			l.entries[l.entry(fold(w))].function |= 1 << bit
		}
		return nil
	}
	m := Meaning(slices.Index(meaningNames[:], section))
	if m >= numMeanings {
		return fmt.Errorf("unknown section %q", section)
	}
	if seen[line] {
		return fmt.Errorf("%q stands there twice", line)
	}
	seen[line] = true
	l.lists[language][m] = append(l.lists[language][m], strings.TrimPrefix(strings.ReplaceAll(line, "*", ""), "= "))
	p := phrase{language: language, meaning: m}
	line, p.whole = strings.CutPrefix(line, "= ")
	for _, w := range strings.Fields(line) {
		if w == ".." {
			p.elements = append(p.elements, anyWords)
			continue
		}
		if stem, ok := strings.CutSuffix(w, "*"); ok {
			stem = fold(stem)
			if len(stem) < minStem {
				return fmt.Errorf("stem %q is shorter than %d letters", w, minStem)
			}
			p.elements = append(p.elements, l.entry(stem+"*"))
			continue
		}
		p.elements = append(p.elements, l.full1(fold(w))...)
	}
	if p.elements[0] == anyWords || p.elements[len(p.elements)-1] == anyWords {
		return fmt.Errorf("%q must not begin or end with \"..\"", line)
	}
	if slices.ContainsFunc(l.phrases, func(q phrase) bool {
		return q.language == p.language && q.meaning == m && q.whole == p.whole && slices.Equal(q.elements, p.elements)
	}) {
		return nil // another spelling of one that is there
	}
	l.phrases = append(l.phrases, p)
	if m == Negation {
		if len(p.elements) != 1 {
			return fmt.Errorf("%q is more than one word; a negation is one", line)
		}
		l.entries[p.elements[0]].negation |= 1 << language
	}
	return nil
}

// full1 gives the entries of the full form of a word of a file.
func (l *lexicon) full1(w string) []int32 {
	if i := l.words.find(hash([]byte(w)), []byte(w), l.entries); i >= 0 && l.entries[i].full != nil {
		return l.entries[i].full
	}
	for _, e := range endings {
		if base, ok := strings.CutSuffix(w, e.short); ok && base != "" {
			return []int32{l.entry(base), l.entry(e.full)}
		}
	}
	return []int32{l.entry(w)}
}

// entry gives the number of a word, or of a stem that ends in *, newly made
// where there is none.
func (l *lexicon) entry(w string) int32 {
	h := hash([]byte(w))
	if i := l.words.find(h, []byte(w), l.entries); i >= 0 {
		return i
	}
	i := int32(len(l.entries))
	l.entries = append(l.entries, entry{text: w, parent: -1})
	l.words.add(h, i)
	return i
}

// linkStems puts the stems in order and links each to the longest one that it
// begins with.
func (l *lexicon) linkStems() {
	for i := range l.entries {
		stem, ok := strings.CutSuffix(l.entries[i].text, "*")
		if ok {
			k := stemKey([]byte(stem))
			l.stems[k] = append(l.stems[k], int32(i))
		}
	}
	for _, list := range l.stems {
		slices.SortFunc(list, func(a, b int32) int { return len(l.entries[b].text) - len(l.entries[a].text) })
		for n, i := range list {
			stem := strings.TrimSuffix(l.entries[i].text, "*")
			for _, j := range list[n+1:] {
				if strings.HasPrefix(stem, strings.TrimSuffix(l.entries[j].text, "*")) {
					l.entries[i].parent = j
					break
				}
			}
		}
	}
}

func stemKey(w []byte) uint32 {
	return uint32(w[0]) | uint32(w[1])<<8 | uint32(w[2])<<16 | uint32(w[3])<<24
}

// table finds entries by the hash of their text.
type table struct {
	slots []int32 // number of the entry plus 1
	tags  []uint32
	n     int
}

func (t *table) grow(size int) {
	old := *t
	t.slots, t.tags = make([]int32, size), make([]uint32, size)
	for i, s := range old.slots {
		if s != 0 {
			t.put(old.tags[i], s)
		}
	}
}

func (t *table) put(h uint32, slot int32) {
	mask := uint32(len(t.slots) - 1)
	i := h & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i], t.tags[i] = slot, h
}

func (t *table) add(h uint32, i int32) {
	if t.n++; t.n*4 > len(t.slots) {
		t.grow(len(t.slots) * 2)
	}
	t.put(h, i+1)
}

// find gives the number of a text's entry, -1 for none.
func (t *table) find(h uint32, w []byte, entries []entry) int32 {
	mask := uint32(len(t.slots) - 1)
	for i := h & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if t.tags[i] == h && entries[t.slots[i]-1].text == string(w) {
			return t.slots[i] - 1
		}
	}
	return -1
}
