package facts

import (
	"bytes"
	"slices"

	"misstep/detectors/schema"
	"misstep/event"
)

// kind says that an identifier of some form stood under a key. Both are hashes.
type kind struct{ key, form uint32 }

// maxKinds bounds the kinds of one trajectory.
const maxKinds = 48

// namelessWords are words of a key that say nothing of what it names.
var namelessWords = []string{"id", "ids", "ref", "reference", "number", "no", "num", "code", "key", "identifier", "value", "name", "new", "old", "current"}

// kindOf hashes what a key names: its words but for those that say nothing; 0
// where nothing is left.
func (w *Workspace) kindOf(key []byte) uint32 {
	if h, ok := w.kinds[string(key)]; ok {
		return h
	}
	h, any := uint32(2166136261), false
	for _, word := range schema.Words(string(key[:min(len(key), mostIdentifier)])) {
		if slices.Contains(namelessWords, word) {
			continue
		}
		if n := len(word); n > 3 && word[n-1] == 's' {
			word = word[:n-1]
		}
		any = true
		for i := range len(word) {
			h = (h ^ uint32(word[i])) * 16777619
		}
		h *= 31
	}
	if !any {
		h = 0
	}
	if len(w.kinds) >= maxNames {
		clear(w.kinds)
	}
	w.kinds[string(key)] = h
	return h
}

// formOf hashes the form of an identifier: capital letters and signs as they
// are, runs of small letters and of digits as one each.
func formOf(b []byte) uint32 {
	h := uint32(2166136261)
	last := byte(0)
	for _, c := range bytes.TrimLeft(b, "#") {
		switch {
		case byteClass[c] == isNumeral:
			c = '9'
		case c-'a' < 26:
			c = 'a'
		}
		if c != last || c != '9' && c != 'a' {
			h = (h ^ uint32(c)) * 16777619
		}
		last = c
	}
	return h
}

// learn remembers the forms of the identifiers in a JSON text, by the keys that
// they stand under.
func (v *Provenance) learn(w *Workspace, b []byte, escaped bool) {
	for i := 0; len(v.kinds) < maxKinds; {
		r, ok := nextRun(b, i, escaped)
		if !ok {
			return
		}
		from, to := r.from, r.to
		for from > i && (joinsName(b[from-1]) || b[from-1] == '#') && !(escaped && isEscape(b, from-1)) {
			from--
		}
		for to < len(b) && joinsName(b[to]) {
			to++
		}
		i = to
		key := keyBefore(b[:from])
		if key == nil || to == len(b) || b[to] != '"' && b[to] != '\\' || !isIdentifier(b[from:to], event.String) {
			continue
		}
		if k := w.kindOf(key); k != 0 {
			v.know(kind{k, formOf(b[from:to])})
		}
	}
}

func (v *Provenance) know(k kind) {
	if !slices.Contains(v.kinds, k) && len(v.kinds) < maxKinds {
		v.kinds = append(v.kinds, k)
	}
}

// keyBefore gives the key of the string that begins after b, nil when there is
// none.
func keyBefore(b []byte) []byte {
	quote := func() bool {
		if len(b) == 0 || b[len(b)-1] != '"' {
			return false
		}
		b = bytes.TrimRight(b[:len(b)-1], "\\")
		return true
	}
	if !quote() {
		return nil
	}
	b = bytes.TrimRight(b, " ")
	if len(b) == 0 || b[len(b)-1] != ':' {
		return nil
	}
	b = bytes.TrimRight(b[:len(b)-1], " ")
	if !quote() {
		return nil
	}
	end := len(b)
	for end > 0 && joinsName(b[end-1]) {
		end--
	}
	return b[end:]
}

// foreign reports whether an identifier of this form is known of another kind
// of thing alone, and of the kind that the parameter names only other forms are.
func (v *Provenance) foreign(key, form uint32) bool {
	own, other := false, false
	for _, k := range v.kinds {
		if k.form == form {
			if k.key == key {
				return false
			}
			other = true
		} else if k.key == key {
			own = true
		}
	}
	return own && other
}
