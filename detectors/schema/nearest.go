package schema

import (
	"slices"
	"strings"
	"unicode"
)

// Kind says how a name that does not exist resembles one that does.
type Kind uint8

// How near a name is.
const (
	None     Kind = iota // to no candidate
	Alias                // the same words, written in another way
	NearMiss             // most of the same letters or words
)

const (
	// Names are hostile, so what is spent on one is bounded.
	maxName       = 256 // bytes; a longer name resembles nothing
	maxCandidates = 10_000
	maxCells      = 4_000_000 // of distance tables, in one search
	maxWords      = 32        // of a name that are compared

	nearScore = 600 // per mille
)

// Nearest finds the candidate that name was most likely meant to be.
//
// An alias differs in case, in how words are joined (camelCase, kebab-case,
// dots) or by a namespace in front (mcp__server__, functions.). A near miss has
// a score of 600 per mille at least, or a distance of at most 2 or a quarter of
// the name's length. Distance counts letters that are added, dropped, changed or
// swapped with their neighbour; the score is the greater of the share of letters
// that need no such edit and the share of words in common. A candidate without
// one letter in its place is no near miss, however short.
//
// The best score wins, then the smallest distance, then the first by bytes.
// Only the first 10,000 candidates are looked at, and only names of up to 256
// bytes. It is for names that were looked up in vain: it costs about a
// microsecond a candidate.
func Nearest(name string, candidates []string) (best string, kind Kind) {
	if len(name) > maxName {
		return "", None
	}
	var s search
	return s.run(name, candidates)
}

func (s *search) run(name string, candidates []string) (best string, kind Kind) {
	n := newSpelling(name)
	for i, c := range candidates {
		if i == maxCandidates {
			break
		}
		if len(c) > maxName || c == "" {
			continue
		}
		s.other.set(c)
		if sameWords(n, &s.other) {
			if kind != Alias || c < best {
				best, kind = c, Alias
			}
			continue
		}
		if kind == None {
			s.compare(n, c)
		}
	}
	if kind == None && s.best != "" {
		return s.best, NearMiss
	}
	return best, kind
}

// Words gives the words of a name in lower case: "getUserID", "get-user-id" and
// "get.user_id" are get, user, id. A namespace in front counts as words.
func Words(name string) []string {
	return strings.FieldsFunc(string(appendSnake(nil, name)), func(r rune) bool { return r == '_' })
}

// spelling is a name in snake_case, with and without its namespace.
type spelling struct {
	whole []rune
	bare  []rune // without the namespace
	words [][]rune
}

func newSpelling(name string) *spelling {
	s := &spelling{}
	s.set(name)
	return s
}

func (s *spelling) set(name string) {
	s.whole = appendSnake(s.whole[:0], name)
	s.bare = s.whole
	if rest := bareName(name); rest != name {
		s.bare = appendSnake(nil, rest)
	}
	s.words = s.words[:0]
	for start, i := 0, 0; i <= len(s.bare) && len(s.words) < maxWords; i++ {
		if i == len(s.bare) || s.bare[i] == '_' {
			if i > start {
				s.words = append(s.words, s.bare[start:i])
			}
			start = i + 1
		}
	}
}

// sameWords reports whether two names are the same but for how they are
// written. A namespace is passed over when only one of them has it: tools of
// the same name on two servers are two tools.
func sameWords(a, b *spelling) bool {
	return slices.Equal(a.whole, b.whole) || slices.Equal(a.bare, b.whole) || slices.Equal(a.whole, b.bare)
}

// namespaces are the prefixes under which runtimes list the tools they are
// given.
var namespaces = [...]string{"functions.", "functions:", "functions/", "function.", "tools.", "tool.", "default_api."}

// bareName takes the namespace off a name.
func bareName(name string) string {
	if len(name) > 5 && strings.EqualFold(name[:5], "mcp__") {
		if i := strings.Index(name[5:], "__"); i > 0 && len(name) > 5+i+2 {
			return name[5+i+2:]
		}
	}
	for _, p := range namespaces {
		if len(name) > len(p) && strings.EqualFold(name[:len(p)], p) {
			return name[len(p):]
		}
	}
	return name
}

// appendSnake appends name in lower case with its words joined by single
// underscores.
func appendSnake(dst []rune, name string) []rune {
	start := len(dst)
	var prev rune // as it stood in name
	for i, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			if n := len(dst); n > start && dst[n-1] != '_' {
				dst = append(dst, '_')
			}
			prev = 0
			continue
		}
		if unicode.IsUpper(r) && prev != 0 {
			// A word begins where case rises, and at the last capital of a run of
			// them before a small letter: HTTPServer is http_server.
			next := nextRune(name[i:])
			if !unicode.IsUpper(prev) || unicode.IsLower(next) {
				dst = append(dst, '_')
			}
		}
		dst = append(dst, unicode.ToLower(r))
		prev = r
	}
	if n := len(dst); n > start && dst[n-1] == '_' {
		dst = dst[:n-1]
	}
	return dst
}

// nextRune is the second rune of s, 0 when there is none.
func nextRune(s string) rune {
	first := true
	for _, r := range s {
		if !first {
			return r
		}
		first = false
	}
	return 0
}

// search is the state of looking for a near miss.
type search struct {
	other    spelling
	rows     [3][2*maxName + 1]int32 // snake_case may be longer
	cells    int
	best     string
	score    int // of best, per mille
	distance int
}

func (s *search) compare(n *spelling, candidate string) {
	a, b := n.bare, s.other.bare
	longest := max(len(a), len(b))
	if longest == 0 {
		return
	}
	// Beyond this distance it neither makes a near miss nor raises a score.
	far := max(2, (len(a)+3)/4, longest*(1000-nearScore)/1000)
	distance := far + 1
	if !differ(a, b, far) {
		distance = s.osa(a, b, far)
	}
	score := sharedWords(n.words, s.other.words)
	if distance <= far && distance < longest {
		score = max(score, 1000*(longest-distance)/longest)
	}
	near := score >= nearScore || distance <= max(2, (len(a)+3)/4)
	if !near || distance >= longest && score == 0 {
		return
	}
	switch {
	case s.best == "" || score > s.score:
	case score < s.score || distance > s.distance:
		return
	case distance == s.distance && candidate >= s.best:
		return
	}
	s.best, s.score, s.distance = candidate, score, distance
}

// differ reports whether more than far letters of one name are not in the other,
// wherever they stand: then no few edits lead from one to the other.
func differ(a, b []rune, far int) bool {
	var counts [64]int16
	for _, r := range a {
		counts[r%64]++
	}
	for _, r := range b {
		counts[r%64]--
	}
	more, less := 0, 0
	for _, n := range counts {
		more += int(max(n, 0))
		less -= int(min(n, 0))
	}
	return max(more, less) > far
}

// osa gives the optimal string alignment distance, or far+1 where it is more
// than far or too much has been computed already.
func (s *search) osa(a, b []rune, far int) int {
	if len(a)-len(b) > far || len(b)-len(a) > far || s.cells > maxCells {
		return far + 1
	}
	if len(b) == 0 {
		return len(a)
	}
	before, prev, cur := &s.rows[0], &s.rows[1], &s.rows[2]
	for j := range b {
		prev[j+1] = int32(j + 1)
	}
	prev[0] = 0
	for i := 1; i <= len(a); i++ {
		// Only the cells within far of the diagonal can be of use; their
		// neighbours outside count as too far.
		lo, hi := max(1, i-far), min(len(b), i+far)
		s.cells += hi - lo + 1
		least := int32(far + 1)
		cur[lo-1] = int32(far + 1)
		if lo == 1 {
			cur[0] = int32(i)
		}
		for j := lo; j <= hi; j++ {
			d := prev[j-1]
			if a[i-1] != b[j-1] {
				d++
				if j < i+far { // else above lies outside
					d = min(d, prev[j]+1)
				}
				d = min(d, cur[j-1]+1)
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					d = min(d, before[j-2]+1)
				}
			}
			cur[j] = d
			least = min(least, d)
		}
		if least > int32(far) {
			return far + 1
		}
		before, prev, cur = prev, cur, before
	}
	return min(int(prev[len(b)]), far+1)
}

// sharedWords is the share of words in common (Jaccard), per mille.
func sharedWords(a, b [][]rune) int {
	union, common := len(b), 0
	for i, w := range a {
		if !contains(a[:i], w) {
			if contains(b, w) {
				common++
			} else {
				union++
			}
		}
	}
	for i, w := range b {
		if contains(b[:i], w) {
			union--
		}
	}
	if union == 0 {
		return 0
	}
	return 1000 * common / union
}

func contains(words [][]rune, w []rune) bool {
	for _, x := range words {
		if slices.Equal(x, w) {
			return true
		}
	}
	return false
}
