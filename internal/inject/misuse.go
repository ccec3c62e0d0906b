package inject

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func misuse() []operator {
	of := func(kind, name string, plant func(p *plant) bool) operator {
		return operator{"tool_misuse", kind, name, plant}
	}
	return []operator{
		of(Positive, "drop_required", func(p *plant) bool { return p.badCall(dropRequired) }),
		of(Positive, "wrong_type", func(p *plant) bool { return p.badCall(wrongType) }),
		of(Positive, "not_in_enum", func(p *plant) bool { return p.badCall(notInEnum) }),
		of(Positive, "mutated_id", func(p *plant) bool { return p.badCall(mutateID) }),
		of(Positive, "invented_id", (*plant).inventedID),
		of(Positive, "foreign_kind", (*plant).foreignKind),
		of(Positive, "amount_from_nowhere", (*plant).amountFromNowhere),
		of(Positive, "success_over_error", (*plant).successOverError),
		of(Positive, "success_over_silent_error", (*plant).successOverSilentError),
		of(Positive, "dependent_after_failure", (*plant).dependentAfterFailure),
		of(Positive, "unconfirmed", (*plant).unconfirmed),
		of(Positive, "order_violated", (*plant).orderViolated),
		of(Positive, "example_value", (*plant).exampleValue),
		of(LookAlike, "minted_name", (*plant).mintedName),
		of(LookAlike, "locale_number", (*plant).localeNumber),
		of(LookAlike, "yes_to_all", (*plant).yesToAll),
		of(LookAlike, "recovered_honestly", (*plant).recovered),
		of(LookAlike, "generated_key", (*plant).generatedKey),
		of(LookAlike, "derived_date", (*plant).derivedDate),
		of(LookAlike, "normalised_id", (*plant).normalisedID),
		of(LookAlike, "computed_amount", (*plant).computedAmount),
		of(LookAlike, "users_wrong_id", (*plant).usersWrongID),
		of(LookAlike, "confirmed_before", (*plant).confirmedBefore),
		of(LookAlike, "error_told", (*plant).errorTold),
		of(LookAlike, "digits_as_text", (*plant).digitsAsText),
	}
}

// mutation spoils the arguments of a call. It gives what it spoilt and what
// that became, for the text of an error; ok is false when there is nothing to
// spoil. seen is all that stood in the run before.
type mutation func(p *plant, spec *toolSpec, args map[string]any, seen string) (was, is string, ok bool)

// toolSpec is what the catalogue of the run says of a tool.
type toolSpec struct {
	Name       string
	Parameters struct {
		Properties map[string]struct {
			Type string
			Enum []string
		}
		Required []string
	}
}

func (p *plant) specOf(tool string) *toolSpec {
	for _, s := range p.run.steps {
		var task struct{ Tools []toolSpec }
		if s.kind != "task_start" || json.Unmarshal(s.rest["task"], &task) != nil {
			continue
		}
		for i := range task.Tools {
			if task.Tools[i].Name == tool {
				return &task.Tools[i]
			}
		}
	}
	return nil
}

// before is all text that stood in the run before a place.
func (p *plant) before(at int) string {
	var b strings.Builder
	for _, s := range p.run.steps[:at] {
		if s.text != nil {
			b.WriteString(*s.text + "\n")
		}
		if s.result != nil {
			b.Write(s.result.content)
		}
		if s.call != nil {
			b.Write(encode(s.call.args))
		}
		if s.kind == "task_start" {
			b.Write(s.rest["task"])
		}
	}
	return b.String()
}

// badCall spoils a call of the run, or for the family that is held out, and
// where the run has none that fits, one of a scene. In half of the cases the
// tool takes it; else it fails, and the right call follows.
func (p *plant) badCall(m mutation) bool {
	at := -1
	if p.family != heldOut {
		calls := p.index(func(s *step) bool { return s.call != nil && len(s.call.args) > 0 })
		p.r.Shuffle(len(calls), func(i, k int) { calls[i], calls[k] = calls[k], calls[i] })
		for _, i := range calls {
			s := p.run.steps[i]
			if spec := p.specOf(s.call.tool); spec != nil && p.resultOf(i) > 0 {
				if _, _, ok := m(p, spec, cloneArgs(s.call.args), p.before(i)); ok {
					at = i
					break
				}
			}
		}
	}
	if at < 0 {
		if p.strict && p.family != heldOut || !p.opening() {
			return false
		}
		p.agree()
		at = p.at
		p.call(p.d.act, p.actArgs())
		p.ok(p.acted())
		p.agent(p.say("acted"))
	}
	s := p.run.steps[at]
	spec := p.specOf(s.call.tool)
	if spec == nil {
		return false
	}
	args := cloneArgs(s.call.args)
	was, is, ok := m(p, spec, args, p.before(at))
	if !ok {
		return false
	}
	if p.r.IntN(2) == 0 { // the tool takes it
		s.call.args = args
		r := p.run.steps[p.resultOf(at)].result
		if was != "" && is != "" {
			r.content = json.RawMessage(strings.ReplaceAll(string(r.content), was, is))
			if !json.Valid(r.content) {
				return false
			}
		}
		p.complete(s)
		return true
	}
	p.at = at
	p.complete(p.call(s.call.tool, args))
	p.fail(p.refusal(was, is))
	return true
}

// refusal is how a tool of the family says that it does not take a call.
func (p *plant) refusal(was, is string) failure {
	what := is
	if what == "" {
		what = was
	}
	switch p.family {
	case 0:
		return failure{"Error: invalid request: " + what, "validation"}
	case 1:
		return failure{"Could not process the request: check " + what + ".", "ValidationError"}
	case 2:
		return failure{`{"error":"bad_request","detail":` + string(encode(what)) + `}`, ""}
	}
	return failure{"java.lang.IllegalArgumentException: " + what, "IllegalArgumentException"}
}

func dropRequired(p *plant, spec *toolSpec, args map[string]any, _ string) (was, is string, ok bool) {
	names := slices.DeleteFunc(slices.Clone(spec.Parameters.Required), func(n string) bool { _, has := args[n]; return !has })
	if len(names) == 0 {
		return "", "", false
	}
	n := pick(p, names)
	delete(args, n)
	return "missing " + n, "", true
}

func wrongType(p *plant, spec *toolSpec, args map[string]any, _ string) (was, is string, ok bool) {
	for _, n := range sortedKeys(args) {
		switch spec.Parameters.Properties[n].Type {
		case "string":
			args[n] = []any{args[n]}
		case "number", "integer":
			args[n] = map[string]any{"value": args[n], "unit": "EUR"}
		case "array":
			args[n] = "all of them"
		default:
			continue
		}
		return n + " is of the wrong type", "", true
	}
	return "", "", false
}

func notInEnum(p *plant, spec *toolSpec, args map[string]any, _ string) (was, is string, ok bool) {
	for _, n := range sortedKeys(args) {
		if len(spec.Parameters.Properties[n].Enum) == 0 {
			continue
		}
		bad := pick(p, []string{"other", "customer unhappy", "n/a", "see notes"})
		args[n] = bad
		return n + " cannot be " + bad, "", true
	}
	return "", "", false
}

var idLike = regexp.MustCompile(`^[#A-Za-z][#A-Za-z0-9_/-]*\d[A-Za-z0-9_-]*$|^\d{6,}$`)

// mutateID changes one digit of an id, so that the id was never seen.
func mutateID(p *plant, _ *toolSpec, args map[string]any, seen string) (was, is string, ok bool) {
	for _, n := range sortedKeys(args) {
		text, isText := args[n].(string)
		if !isText || len(text) < 5 || !idLike.MatchString(text) || !strings.Contains(seen, text) {
			continue
		}
		for range 20 {
			b := []byte(text)
			i := p.r.IntN(len(b))
			if b[i] < '0' || b[i] > '9' {
				continue
			}
			b[i] = '0' + (b[i]-'0'+byte(1+p.r.IntN(9)))%10
			if bad := string(b); !strings.Contains(seen, bad) {
				args[n] = bad
				return text, bad, true
			}
		}
	}
	return "", "", false
}

// inventedID looks up a thing that nobody has named.
func (p *plant) inventedID() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("no_id"))
	p.complete(p.call(p.d.look, map[string]any{p.d.idParam: p.e.id}))
	if p.r.IntN(2) == 0 {
		p.ok(p.e.record(p.d))
		p.agent(p.say("status"))
	} else {
		p.fail(p.d.notFound.of(p.e.id))
		p.agent(p.say("ask_id"))
	}
	return true
}

// foreignKind gives the id of another kind of thing where this one's belongs.
func (p *plant) foreignKind() bool {
	if !p.opening() {
		return false
	}
	p.complete(p.call(p.d.look, map[string]any{p.d.idParam: p.e.sub}))
	if p.r.IntN(2) == 0 {
		p.ok(map[string]any{"item_ref": p.e.sub, "status": p.d.live})
	} else {
		p.fail(p.d.notFound.of(p.e.sub))
	}
	p.agent(p.say("status"))
	return true
}

func (p *plant) amountFromNowhere() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	args := p.actArgs()
	n, _ := strconv.ParseFloat(p.e.amount, 64)
	bad := strconv.FormatFloat(n*1.37+23.45, 'f', 2, 64)
	args[p.d.amountParam] = json.Number(bad)
	p.complete(p.call(p.d.act, args))
	if p.r.IntN(2) == 0 {
		p.ok(map[string]any{p.d.idParam: p.e.id, "status": "completed", p.d.amountParam: json.Number(bad)})
		p.agent(p.say("acted"))
	} else {
		p.fail(failure{p.d.amountParam + " is more than the total", "validation"})
		p.agent(p.say("failed_told"))
	}
	return true
}

func (p *plant) successOverError() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.call(p.d.act, p.actArgs())
	p.bad(p.fail(pick(p, []failure{p.d.denied, p.d.notFound, p.d.busy}).of(p.e.id)))
	p.complete(p.agent(p.say("acted")))
	return true
}

// successOverSilentError is told of a failure inside of an answer that is ok.
func (p *plant) successOverSilentError() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.call(p.d.act, p.actArgs())
	p.bad(p.ok(map[string]any{"success": false, "error": "limit of today reached", p.d.idParam: p.e.id}))
	p.complete(p.agent(p.say("acted")))
	return true
}

// dependentAfterFailure goes on with what the failed call would have given.
func (p *plant) dependentAfterFailure() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("create"))
	p.call(p.d.create, map[string]any{p.d.idParam: p.e.id, "item_ref": p.e.sub})
	p.bad(p.fail(p.d.busy))
	made := strings.ToUpper(p.d.newParam[:2]) + "-" + digits(p.r, 6)
	p.complete(p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.say("created_note", "{new}", made)}))
	p.okText("sent")
	p.agent(p.say("created", "{new}", made))
	return true
}

// unconfirmed does what cannot be undone after a mere question.
func (p *plant) unconfirmed() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("status"))
	p.user(p.say("mere_question"))
	p.complete(p.call(p.d.cancel, map[string]any{p.d.idParam: p.e.id}))
	p.ok(map[string]any{p.d.idParam: p.e.id, "status": p.d.dead})
	p.agent(p.say("cancelled"))
	return true
}

// orderViolated acts without the check that its catalogue asks for.
func (p *plant) orderViolated() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("request"))
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
	p.complete(p.call(p.d.act, p.actArgs()))
	p.ok(p.acted())
	p.call(p.d.verify, p.verifyArgs())
	p.ok(map[string]any{"verified": true})
	p.agent(p.say("acted"))
	return true
}
