package event

// Keys are told apart by their first eight bytes, read as one little-endian
// word, which is all of a key of up to eight; what is left of a longer one is
// compared as a string.
const (
	keyID        = 'i' | 'd'<<8
	keyV         = 'v'
	keyTo        = 't' | 'o'<<8
	keyBy        = 'b' | 'y'<<8
	keySeq       = 's' | 'e'<<8 | 'q'<<16
	keyTime      = 't' | 'i'<<8 | 'm'<<16 | 'e'<<24
	keyKind      = 'k' | 'i'<<8 | 'n'<<16 | 'd'<<24
	keyText      = 't' | 'e'<<8 | 'x'<<16 | 't'<<24
	keyTask      = 't' | 'a'<<8 | 's'<<16 | 'k'<<24
	keyCall      = 'c' | 'a'<<8 | 'l'<<16 | 'l'<<24
	keyPlan      = 'p' | 'l'<<8 | 'a'<<16 | 'n'<<24
	keyTool      = 't' | 'o'<<8 | 'o'<<16 | 'l'<<24
	keyTurn      = 't' | 'u'<<8 | 'r'<<16 | 'n'<<24
	keyGoal      = 'g' | 'o'<<8 | 'a'<<16 | 'l'<<24
	keyAgent     = 'a' | 'g'<<8 | 'e'<<16 | 'n'<<24 | 't'<<32
	keyModel     = 'm' | 'o'<<8 | 'd'<<16 | 'e'<<24 | 'l'<<32
	keyUsage     = 'u' | 's'<<8 | 'a'<<16 | 'g'<<24 | 'e'<<32
	keyTools     = 't' | 'o'<<8 | 'o'<<16 | 'l'<<24 | 's'<<32
	keyScore     = 's' | 'c'<<8 | 'o'<<16 | 'r'<<24 | 'e'<<32
	keySource    = 's' | 'o'<<8 | 'u'<<16 | 'r'<<24 | 'c'<<32 | 'e'<<40
	keyStatus    = 's' | 't'<<8 | 'a'<<16 | 't'<<24 | 'u'<<32 | 's'<<40
	keyTenant    = 't' | 'e'<<8 | 'n'<<16 | 'a'<<24 | 'n'<<32 | 't'<<40
	keyResult    = 'r' | 'e'<<8 | 's'<<16 | 'u'<<24 | 'l'<<32 | 't'<<40
	keyLimits    = 'l' | 'i'<<8 | 'm'<<16 | 'i'<<24 | 't'<<32 | 's'<<40
	keyReason    = 'r' | 'e'<<8 | 'a'<<16 | 's'<<24 | 'o'<<32 | 'n'<<40
	keyAction    = 'a' | 'c'<<8 | 't'<<16 | 'i'<<24 | 'o'<<32 | 'n'<<40
	keyTaskID    = 't' | 'a'<<8 | 's'<<16 | 'k'<<24 | '_'<<32 | 'i'<<40 | 'd'<<48
	keyCallID    = 'c' | 'a'<<8 | 'l'<<16 | 'l'<<24 | '_'<<32 | 'i'<<40 | 'd'<<48
	keyRelease   = 'r' | 'e'<<8 | 'l'<<16 | 'e'<<24 | 'a'<<32 | 's'<<40 | 'e'<<48
	keyContext   = 'c' | 'o'<<8 | 'n'<<16 | 't'<<24 | 'e'<<32 | 'x'<<40 | 't'<<48
	keyContent   = 'c' | 'o'<<8 | 'n'<<16 | 't'<<24 | 'e'<<32 | 'n'<<40 | 't'<<48
	keyHandoff   = 'h' | 'a'<<8 | 'n'<<16 | 'd'<<24 | 'o'<<32 | 'f'<<40 | 'f'<<48
	keyOutcome   = 'o' | 'u'<<8 | 't'<<16 | 'c'<<24 | 'o'<<32 | 'm'<<40 | 'e'<<48
	keyGranted   = 'g' | 'r'<<8 | 'a'<<16 | 'n'<<24 | 't'<<32 | 'e'<<40 | 'd'<<48
	keyVerdict   = 'v' | 'e'<<8 | 'r'<<16 | 'd'<<24 | 'i'<<32 | 'c'<<40 | 't'<<48
	keyLogTime   = 'l' | 'o'<<8 | 'g'<<16 | '_'<<24 | 't'<<32 | 'i'<<40 | 'm'<<48 | 'e'<<56
	keyWorkflow  = 'w' | 'o'<<8 | 'r'<<16 | 'k'<<24 | 'f'<<32 | 'l'<<40 | 'o'<<48 | 'w'<<56
	keyMessages  = 'm' | 'e'<<8 | 's'<<16 | 's'<<24 | 'a'<<32 | 'g'<<40 | 'e'<<48 | 's'<<56 // messages_skipped too
	keyApproval  = 'a' | 'p'<<8 | 'p'<<16 | 'r'<<24 | 'o'<<32 | 'v'<<40 | 'a'<<48 | 'l'<<56
	keyFeedback  = 'f' | 'e'<<8 | 'e'<<16 | 'd'<<24 | 'b'<<32 | 'a'<<40 | 'c'<<48 | 'k'<<56
	keyCostUSD   = 'c' | 'o'<<8 | 's'<<16 | 't'<<24 | '_'<<32 | 'u'<<40 | 's'<<48 | 'd'<<56
	keyScoredBy  = 's' | 'c'<<8 | 'o'<<16 | 'r'<<24 | 'e'<<32 | 'd'<<40 | '_'<<48 | 'b'<<56
	keyTrajector = 't' | 'r'<<8 | 'a'<<16 | 'j'<<24 | 'e'<<32 | 'c'<<40 | 't'<<48 | 'o'<<56
	keyParentTra = 'p' | 'a'<<8 | 'r'<<16 | 'e'<<24 | 'n'<<32 | 't'<<40 | '_'<<48 | 't'<<56
	keyErrorTyp  = 'e' | 'r'<<8 | 'r'<<16 | 'o'<<24 | 'r'<<32 | '_'<<40 | 't'<<48 | 'y'<<56
	keyFinishRe  = 'f' | 'i'<<8 | 'n'<<16 | 'i'<<24 | 's'<<32 | 'h'<<40 | '_'<<48 | 'r'<<56
	keyDuration  = 'd' | 'u'<<8 | 'r'<<16 | 'a'<<24 | 't'<<32 | 'i'<<40 | 'o'<<48 | 'n'<<56
	keyContextT  = 'c' | 'o'<<8 | 'n'<<16 | 't'<<24 | 'e'<<32 | 'x'<<40 | 't'<<48 | '_'<<56
	keyContentX  = 'c' | 'o'<<8 | 'n'<<16 | 't'<<24 | 'e'<<32 | 'n'<<40 | 't'<<48 | '_'<<56 // content_len, content_hash
	keyEscalati  = 'e' | 's'<<8 | 'c'<<16 | 'a'<<24 | 'l'<<32 | 'a'<<40 | 't'<<48 | 'i'<<56
	keyGuardrai  = 'g' | 'u'<<8 | 'a'<<16 | 'r'<<24 | 'd'<<32 | 'r'<<40 | 'a'<<48 | 'i'<<56
	keyTruncate  = 't' | 'r'<<8 | 'u'<<16 | 'n'<<24 | 'c'<<32 | 'a'<<40 | 't'<<48 | 'e'<<56
	keyArgument  = 'a' | 'r'<<8 | 'g'<<16 | 'u'<<24 | 'm'<<32 | 'e'<<40 | 'n'<<48 | 't'<<56 // arguments, arguments_raw
	keyInputTok  = 'i' | 'n'<<8 | 'p'<<16 | 'u'<<24 | 't'<<32 | '_'<<40 | 't'<<48 | 'o'<<56
	keyOutputTo  = 'o' | 'u'<<8 | 't'<<16 | 'p'<<24 | 'u'<<32 | 't'<<40 | '_'<<48 | 't'<<56
	keyCacheRea  = 'c' | 'a'<<8 | 'c'<<16 | 'h'<<24 | 'e'<<32 | '_'<<40 | 'r'<<48 | 'e'<<56
	keyCacheWri  = 'c' | 'a'<<8 | 'c'<<16 | 'h'<<24 | 'e'<<32 | '_'<<40 | 'w'<<48 | 'r'<<56
	keyReasonin  = 'r' | 'e'<<8 | 'a'<<16 | 's'<<24 | 'o'<<32 | 'n'<<40 | 'i'<<48 | 'n'<<56
	keyMaxSteps  = 'm' | 'a'<<8 | 'x'<<16 | '_'<<24 | 's'<<32 | 't'<<40 | 'e'<<48 | 'p'<<56
	keyMaxCostU  = 'm' | 'a'<<8 | 'x'<<16 | '_'<<24 | 'c'<<32 | 'o'<<40 | 's'<<48 | 't'<<56
	keyDeadline  = 'd' | 'e'<<8 | 'a'<<16 | 'd'<<24 | 'l'<<32 | 'i'<<40 | 'n'<<48 | 'e'<<56
	keyTokensBe  = 't' | 'o'<<8 | 'k'<<16 | 'e'<<24 | 'n'<<32 | 's'<<40 | '_'<<48 | 'b'<<56
	keyTokensAf  = 't' | 'o'<<8 | 'k'<<16 | 'e'<<24 | 'n'<<32 | 's'<<40 | '_'<<48 | 'a'<<56
	keyFailureI  = 'f' | 'a'<<8 | 'i'<<16 | 'l'<<24 | 'u'<<32 | 'r'<<40 | 'e'<<48 | '_'<<56
)

// What a step can hold once: for what was seen.
const (
	hasTask = 1 << iota
	hasCall
	hasResult
	hasContext
	hasApproval
	hasEscalation
	hasGuardrail
	hasHandoff
	hasOutcome
	hasFeedback
	hasUsage
	hasGranted
	hasTools
)

// step reads the event at i into *s. It gives the place after it, -1 when it
// failed.
func (d *Decoder) step(b []byte, i int, s *Step) int {
	s.reset()
	d.seen, d.kindSet, d.tools = 0, false, Value{}
	if b[i] != '{' {
		return d.failType(b, i, "", "an event as an object", "")
	}
	i, more := d.open(b, i, "")
	for more {
		key, word, next := d.key(b, i, "")
		if next < 0 {
			return -1
		}
		i = next
		// The switch has what most steps hold, and rarer the rest.
		switch word {
		case keyTrajector:
			if string(key) != "trajectory_id" {
				i = d.skip(b, i, 2, "")
				break
			}
			i = d.name(b, i, &s.TrajectoryID, "trajectory_id", MaxName)
		case keyKind:
			i = d.kind(b, i, s)
		case keyID:
			i = d.name(b, i, &s.ID, "id", MaxName)
		case keySeq:
			i = d.count(b, i, &s.Seq, None, "seq")
		case keyTime:
			i = d.time(b, i, &s.Time, "time")
		case keyAgent:
			i = d.name(b, i, &s.Agent, "agent", MaxName)
		case keyText:
			i = d.text(b, i, &s.Text, "text")
		case keyCall:
			i = d.call(b, i, s)
		case keyResult:
			i = d.result(b, i, s)
		case keyWorkflow:
			if len(key) != 8 {
				i = d.skip(b, i, 2, "")
				break
			}
			i = d.name(b, i, &s.Workflow, "workflow", MaxName)
		case keyRelease:
			i = d.name(b, i, &s.Release, "release", MaxName)
		case keyModel:
			i = d.name(b, i, &s.Model, "model", MaxName)
		case keyTenant:
			i = d.name(b, i, &s.Tenant, "tenant", MaxName)
		case keyTaskID:
			i = d.name(b, i, &s.TaskID, "task_id", MaxName)
		case keyV:
			i = d.version(b, i)
		case keyUsage:
			i = d.usage(b, i, s)
		default:
			i = d.rarer(b, i, s, key, word)
		}
		i, more = d.after(b, i, "")
	}
	if i < 0 {
		return -1
	}
	s.Raw, s.Offset = b[d.start:i:i], d.start
	return d.check(i, s)
}

// rarer reads those members that few steps have.
func (d *Decoder) rarer(b []byte, i int, s *Step, key []byte, word uint64) int {
	switch word {
	case keyLogTime:
		if len(key) == 8 {
			return d.time(b, i, &s.LogTime, "log_time")
		}
	case keyParentTra:
		if string(key) == "parent_trajectory_id" {
			return d.name(b, i, &s.Parent, "parent_trajectory_id", MaxName)
		}
	case keySource:
		return d.word(b, i, &s.Source, "source")
	case keyStatus:
		return d.status(b, i, &s.ModelCall.Status, "status")
	case keyErrorTyp:
		if string(key) == "error_type" {
			return d.word(b, i, &s.ModelCall.ErrorType, "error_type")
		}
	case keyFinishRe:
		if string(key) == "finish_reason" {
			return d.word(b, i, &s.ModelCall.FinishReason, "finish_reason")
		}
	case keyDuration:
		if string(key) == "duration_ms" {
			return d.count(b, i, &s.ModelCall.DurationMS, None, "duration_ms")
		}
	case keyMessages:
		switch string(key) {
		case "messages":
			return d.form(b, i, 1, &s.ModelCall.Messages, Array, "messages", "")
		case "messages_skipped":
			return d.count(b, i, &s.ModelCall.MessagesSkipped, 0, "messages_skipped")
		}
	case keyContextT:
		if string(key) == "context_tokens" {
			return d.count(b, i, &s.ModelCall.ContextTokens, None, "context_tokens")
		}
	case keyTruncate, keyContentX:
		if next, ok := d.cutMark(b, i, key, &s.Cut, "truncated", "content_len", "content_hash"); ok {
			return next
		}
	case keyTools:
		d.toolsAt = i
		var next int
		d.tools, next = d.list(b, i, 2, "tools")
		return next
	case keyTask:
		return d.task(b, i, s)
	case keyPlan:
		return d.form(b, i, 1, &s.Plan, Object, "plan", "")
	case keyContext:
		return d.compaction(b, i, s)
	case keyApproval:
		if len(key) == 8 {
			return d.approval(b, i, s)
		}
	case keyEscalati:
		if string(key) == "escalation" {
			return d.escalation(b, i, s)
		}
	case keyGuardrai:
		if string(key) == "guardrail" {
			return d.guardrail(b, i, s)
		}
	case keyHandoff:
		return d.handoff(b, i, s)
	case keyOutcome:
		return d.outcome(b, i, s)
	case keyFeedback:
		if len(key) == 8 {
			return d.feedback(b, i, s)
		}
	}
	return d.skip(b, i, 2, "")
}

// cutMark reads one of the marks of cut content; ok is false when key is none.
func (d *Decoder) cutMark(b []byte, i int, key []byte, c *Cut, truncated, length, hash string) (next int, ok bool) {
	switch string(key) {
	case "truncated":
		var has bool
		return d.flag(b, i, &c.Truncated, &has, truncated), true
	case "content_len":
		return d.count(b, i, &c.Len, None, length), true
	case "content_hash":
		return d.word(b, i, &c.Hash, hash), true
	}
	return i, false
}

// reset makes *s a step without anything in it.
func (s *Step) reset() {
	*s = Step{}
	s.Seq, s.Time, s.LogTime = None, None, None
	s.Cut.Len = None
	s.Call.Cut.Len = None
	s.Result.Cut.Len, s.Result.DurationMS = None, None
	s.Task.MaxSteps, s.Task.MaxCostMicroUSD, s.Task.DeadlineMS = None, None, None
	s.ModelCall.ContextTokens, s.ModelCall.DurationMS = None, None
	s.Compaction = blankCompaction
	s.Outcome.Score = None
}

// What a payload is before anything of it was read. Nobody writes to these.
var (
	blankCall       = Call{Cut: Cut{Len: None}}
	blankResult     = Result{Cut: Cut{Len: None}, DurationMS: None}
	blankTask       = Task{MaxSteps: None, MaxCostMicroUSD: None, DeadlineMS: None}
	blankCompaction = Compaction{TokensBefore: None, TokensAfter: None}
	blankOutcome    = Outcome{Score: None}
)
