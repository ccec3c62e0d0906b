package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The model is a decoder of steps written with encoding/json, slowly and
// plainly, out of a table. The real one has to agree with it on every input.

// seen is what a step holds, by path: a text that is the same where the content
// is. A group that is there has an entry of its own.
type seen map[string]string

var errModel = errors.New("refused")

var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// modelStep decodes one event, which has to be all of b.
func modelStep(b []byte) (seen, error) {
	if !utf8.Valid(b) || !json.Valid(b) || nesting(b) > DefaultMaxDepth || bytes.TrimLeft(b, " \t\r\n")[0] != '{' {
		return nil, errModel
	}
	got := seen{}
	if err := modelGroup(b, "", stepRules(), got); err != nil {
		return nil, err
	}
	return got, modelRequired(got)
}

func nesting(b []byte) (most int) {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

func modelGroup(b []byte, path string, rules map[string]fieldRule, got seen) error {
	members, err := membersOf(b)
	if err != nil {
		return err
	}
	for _, m := range members {
		rule, known := rules[m.key]
		if !known {
			continue
		}
		at := strings.TrimPrefix(path+"."+m.key, ".")
		for k := range got {
			if k == at || strings.HasPrefix(k, at+".") {
				delete(got, k)
			}
		}
		if string(m.raw) == "null" {
			if rule.is == anyForm {
				got[at] = "null"
			}
			continue
		}
		if rule.is == aGroup {
			if m.raw[0] != '{' {
				return fmt.Errorf("%s: %w", at, errModel)
			}
			got[at] = "there"
			if err := modelGroup(m.raw, at, rule.fields, got); err != nil {
				return err
			}
			continue
		}
		text, err := rule.read(m.raw)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		got[at] = text
	}
	return nil
}

type member struct {
	key string
	raw json.RawMessage
}

func membersOf(b []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var list []member
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: k.(string)}
		if err := dec.Decode(&m.raw); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func (r fieldRule) read(raw json.RawMessage) (string, error) {
	switch r.is {
	case aName, aTool, aWord, aText, aTurn, anEnum, aTime:
		if raw[0] == '"' {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return "", err
			}
			return r.readString(s)
		}
		h, isHidden := hiddenMember(raw)
		switch {
		case r.is == aTurn && (raw[0] == '-' || raw[0]-'0' <= 9):
			return string(raw), nil
		case r.is == aText && isHidden:
			return "hidden " + compacted(h), nil
		case r.is == aTool && isHidden:
			return readHiddenName(h)
		}
	case anyForm:
		if h, ok := hiddenMember(raw); ok {
			return "hidden " + compacted(h), nil
		}
		return compacted(raw), nil
	case aTools:
		return compacted(raw), nil
	case anArray, anObject:
		if h, ok := hiddenMember(raw); ok {
			return "hidden " + compacted(h), nil
		}
		if raw[0] == '[' && r.is == anArray || raw[0] == '{' && r.is == anObject {
			return compacted(raw), nil
		}
	case aFlag:
		if string(raw) == "true" || string(raw) == "false" {
			return string(raw), nil
		}
	case aCount, aVersion, aFixed:
		return r.readNumber(raw)
	}
	return "", errModel
}

func (r fieldRule) readString(s string) (string, error) {
	switch r.is {
	case aName, aTool:
		if len(s) > r.max || strings.ContainsFunc(s, unicode.IsControl) {
			return "", errModel
		}
	case anEnum:
		if !slices.Contains(r.names, s) {
			return r.names[0], nil
		}
	case aTime:
		// encoding/json is not as strict as RFC 3339.
		if !rfc3339.MatchString(s) {
			return "", errModel
		}
		var at time.Time
		if err := at.UnmarshalText([]byte(s)); err != nil {
			return "", err
		}
		sec := big.NewInt(at.Unix())
		ns := sec.Mul(sec, big.NewInt(nanosecond)).Add(sec, big.NewInt(int64(at.Nanosecond())))
		if !ns.IsInt64() || at.UTC().Year() < 1678 {
			return "", errModel
		}
		return ns.String(), nil
	}
	return s, nil
}

func (r fieldRule) readNumber(raw json.RawMessage) (string, error) {
	if raw[0] != '-' && raw[0]-'0' > 9 {
		return "", errModel
	}
	if _, exp, ok := strings.Cut(strings.ToLower(string(raw)), "e"); ok && len(strings.TrimLeft(exp, "+-0")) > 4 {
		return "", errTooBig
	}
	n, ok := new(big.Rat).SetString(string(raw))
	if !ok {
		return "", errModel
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(r.scale)), nil))
	n.Mul(n, scale)
	if r.is != aFixed && !n.IsInt() {
		return "", errModel
	}
	if n.Sign() < 0 && !r.signed {
		return "", errModel
	}
	// Half up is the floor of n + 1/2.
	n.Add(n, big.NewRat(1, 2))
	whole := new(big.Int).Div(n.Num(), n.Denom())
	if !whole.IsInt64() || whole.Int64() == None {
		return "", errModel
	}
	if r.is == aVersion && whole.Int64() != 1 {
		return "", errModel
	}
	return whole.String(), nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// errTooBig says that math/big would take too long.
var errTooBig = errors.New("exponent too big for the model")

func hiddenMember(raw json.RawMessage) (json.RawMessage, bool) {
	if raw[0] != '{' {
		return nil, false
	}
	members, err := membersOf(raw)
	if err != nil || len(members) != 1 || members[0].key != "$hidden" || members[0].raw[0] != '{' {
		return nil, false
	}
	return members[0].raw, true
}

func readHiddenName(h json.RawMessage) (string, error) {
	members, err := membersOf(h)
	if err != nil {
		return "", err
	}
	name := map[string]string{}
	for _, m := range members {
		var err error
		null := string(m.raw) == "null"
		switch m.key {
		case "kid", "mac":
			s := ""
			if !null {
				err = json.Unmarshal(m.raw, &s)
			}
			name[m.key] = s
		case "len":
			if !null {
				_, err = fieldRule{is: aCount}.readNumber(m.raw)
			}
		case "tokens":
			if !null && m.raw[0] != '[' {
				err = errModel
			}
		}
		if err != nil {
			return "", errModel
		}
	}
	mac := strings.TrimRight(name["mac"], "=")
	if len(mac) > MaxToolName || strings.ContainsFunc(mac, unicode.IsControl) {
		return "", errModel
	}
	return "hidden " + name["kid"] + " " + mac, nil
}

func compacted(raw json.RawMessage) string {
	if raw[0] == '"' {
		var s string
		_ = json.Unmarshal(raw, &s)
		return "text " + s
	}
	var b bytes.Buffer
	_ = json.Compact(&b, raw)
	return b.String()
}

// modelRequired refuses what says nothing for its kind.
func modelRequired(got seen) error {
	need := func(path string) error {
		if got[path] == "" {
			return fmt.Errorf("%s: %w", path, errModel)
		}
		return nil
	}
	if got["trajectory_id"] == "" {
		return errModel
	}
	if _, ok := got["kind"]; !ok {
		return errModel
	}
	switch got["kind"] {
	case "system_message", "user_message", "agent_message", "context_added":
		if _, ok := got["text"]; !ok {
			return errModel
		}
	case "tool_call":
		return need("call.tool")
	case "tool_result":
		return need("result")
	case "plan_update":
		return need("plan")
	case "approval":
		return need("approval.granted")
	case "escalation":
		return need("escalation")
	case "guardrail":
		return need("guardrail")
	case "handoff":
		return need("handoff.to")
	case "outcome":
		return need("outcome")
	case "feedback":
		return need("feedback.failure_id")
	case "model_call":
		if t := got["tools"]; t != "" && t[0] != '[' {
			if _, ok := hiddenMember(json.RawMessage(t)); !ok {
				return errModel
			}
		}
	case "tools_changed":
		t := got["tools"]
		if t == "" || t[0] != '{' {
			return errModel
		}
		if _, ok := hiddenMember(json.RawMessage(t)); ok {
			return nil
		}
		members, err := membersOf([]byte(t))
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.key != "add" && m.key != "remove" || string(m.raw) == "null" || m.raw[0] == '[' {
				continue
			}
			if _, ok := hiddenMember(m.raw); !ok {
				return errModel
			}
		}
	}
	return nil
}
