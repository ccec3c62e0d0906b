package event

type fieldType int

const (
	aName    fieldType = iota // string of at most max bytes, no controls
	aTool                     // as aName, or hidden
	aWord                     // string
	aTurn                     // string or number
	aText                     // string or hidden
	anyForm                   // any JSON
	anArray                   // or hidden
	anObject                  // or hidden
	aTools                    // any JSON; what it has to be depends on the kind
	aCount                    // integer of 0 or more
	aFixed                    // decimal with scale digits kept
	aFlag
	aTime
	anEnum
	aVersion
	aGroup // object with fields of its own
)

type fieldRule struct {
	is     fieldType
	max    int
	scale  int
	signed bool
	names  []string // of an enumeration, the one for unknown values first
	fields map[string]fieldRule
}

func name() fieldRule { return fieldRule{is: aName, max: MaxName} }

func group(fields map[string]fieldRule) fieldRule { return fieldRule{is: aGroup, fields: fields} }

func fixedPoint(scale int, signed bool) fieldRule {
	return fieldRule{is: aFixed, scale: scale, signed: signed}
}

func withCut(fields map[string]fieldRule) map[string]fieldRule {
	fields["truncated"] = fieldRule{is: aFlag}
	fields["content_len"] = fieldRule{is: aCount}
	fields["content_hash"] = fieldRule{is: aWord}
	return fields
}

func stepRules() map[string]fieldRule {
	word, text, count := fieldRule{is: aWord}, fieldRule{is: aText}, fieldRule{is: aCount}
	tool := fieldRule{is: aTool, max: MaxToolName}
	status := fieldRule{is: anEnum, names: statusNames[:]}
	return withCut(map[string]fieldRule{
		"trajectory_id": name(), "kind": {is: anEnum, names: kindNames[:]}, "v": {is: aVersion},
		"id": name(), "seq": count, "time": {is: aTime}, "log_time": {is: aTime}, "task_id": name(),
		"agent": name(), "parent_trajectory_id": name(), "workflow": name(), "release": name(),
		"model": name(), "tenant": name(),
		"usage": group(map[string]fieldRule{
			"input_tokens": count, "output_tokens": count, "cache_read_tokens": count,
			"cache_write_tokens": count, "reasoning_tokens": count, "cost_usd": fixedPoint(6, false),
		}),
		"text": text, "source": word, "messages": {is: anArray}, "messages_skipped": count,
		"context_tokens": count, "status": status, "error_type": word, "finish_reason": word,
		"duration_ms": count, "tools": {is: aTools}, "plan": {is: anObject},
		"task": group(map[string]fieldRule{
			"goal": text, "tools": {is: anArray},
			"limits": group(map[string]fieldRule{
				"max_steps": count, "max_cost_usd": fixedPoint(6, false), "deadline_s": fixedPoint(3, false),
			}),
		}),
		"call": group(withCut(map[string]fieldRule{
			"id": word, "tool": tool, "arguments": {is: anObject}, "arguments_raw": text, "turn": {is: aTurn},
		})),
		"result": group(withCut(map[string]fieldRule{
			"call_id": word, "tool": tool, "status": status, "error_type": word, "content": {is: anyForm},
			"duration_ms": count,
		})),
		"context":  group(map[string]fieldRule{"tokens_before": count, "tokens_after": count}),
		"approval": group(map[string]fieldRule{"call_id": word, "granted": {is: aFlag}, "by": word}),
		"escalation": group(map[string]fieldRule{
			"to": {is: anEnum, names: escalationNames[:]}, "reason": text,
		}),
		"guardrail": group(map[string]fieldRule{"action": word, "reason": text}),
		"handoff":   group(map[string]fieldRule{"to": name()}),
		"outcome": group(map[string]fieldRule{
			"status": {is: anEnum, names: outcomeNames[:OutcomeAbandoned]}, "score": fixedPoint(3, true),
			"scored_by": {is: anEnum, names: scoredByNames[:]},
		}),
		"feedback": group(map[string]fieldRule{"failure_id": name(), "verdict": word, "by": word}),
	})
}
