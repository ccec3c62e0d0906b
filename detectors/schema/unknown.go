package schema

import (
	"math/bits"
	"slices"

	"misstep/event"
)

// unknowns notes the members of an object that are not among the names. The
// cursor has entered the object.
func (v *Violations) unknowns(known *names, c event.Cursor) {
	present := map[string]bool{}
	var keys, unknown []string
	for c.More() {
		key := string(c.Key().AppendText(nil))
		if !v.spend(1 + known.cost*len(key)/8) {
			return
		}
		if _, again := present[key]; !again {
			keys = append(keys, key)
		}
		present[key] = c.Value().Form != event.Null
	}
	for _, key := range keys {
		if present[key] && !known.has([]byte(key)) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return
	}
	free := slices.DeleteFunc(slices.Clone(known.list), func(name string) bool { return present[name] })
	for _, key := range unknown {
		if len(v.Unknown) == maxFound {
			v.More++
			continue
		}
		u := Unknown{Path: v.whereMember(key), Strict: known.shut}
		// One that is not there yet is more likely meant than one that is.
		u.Nearest, u.Kind = Nearest(key, free)
		if u.Kind == None {
			u.Nearest, u.Kind = Nearest(key, known.list)
		}
		if u.Kind != None {
			u.meant = v.whereMember(u.Nearest)
		}
		v.Unknown = append(v.Unknown, u)
	}
}

// whereMember is the path of a member of the object at the current path.
func (v *Violations) whereMember(key string) string {
	depth := len(v.path)
	// The key is no JSON, but is read as it stands.
	v.path = append(v.path, segment{key: event.Value{Raw: []byte(key), Form: event.String}})
	path := v.where()
	v.path = v.path[:depth]
	return path
}

// missing notes the required properties of one word of bits that are missing,
// but for those whose name is misspelt.
func (v *Violations) missing(o *objectCheck, word int, missing uint64) {
	if v.quiet {
		return
	}
	for ; missing != 0; missing &= missing - 1 {
		path := v.whereMember(o.props[word*64+bits.TrailingZeros64(missing)].name)
		explained := false
		for i := range v.Unknown {
			if u := &v.Unknown[i]; u.meant == path && !u.Missing {
				u.Missing, explained = true, true
				break
			}
		}
		if !explained {
			v.add(Violation{Path: path, Keyword: "required"})
		}
	}
}
