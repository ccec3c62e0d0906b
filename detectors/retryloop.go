package detectors

import (
	"fmt"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// Rules of retry_loop.
var (
	identicalFailingCall = &Rule{
		Name: "identical_failing_call", Code: "R1", Family: "call", Fault: event.FaultAgent,
		Doc:       "The agent makes the same call again and again and gets the same error each time.",
		Threshold: "2 times warning, 3 error, 5 critical; error at 2 when the error is permanent (400, 404, 409, 422, validation, not found, permission) and no call in between told anything new, since a blind retry cannot help.",
		Guards:    "Calls of one parallel turn count once. One repeat after a user message is not counted: the user may have asked for it. A successful new write or another error in between starts the count anew. The first retry of a transient error (429, 503, timeout, lock) and up to 5 attempts with growing gaps (x1.5 or more, or as long as the server asked) stay at info: that is a retry policy.",
		Source:    "OpenHands stuck.py (3 equal actions with errors), Roo-Code and opencode (3 identical calls).",
		Needs:     facts.NeedArguments,
	}
	sameError = &Rule{
		Name: "same_error", Code: "R2", Family: "error", Fault: event.FaultAgent,
		Doc:       "The agent varies the arguments, yet the same error comes back each time.",
		Threshold: "Within the last 20 calls, at least 2 different calls: 2 times warning, 3 error, 5 critical.",
		Guards:    "Errors are compared with their values masked. A new call of the tool that worked in between starts the count anew. Parallel turns, user messages, writes and backoff count as in identical_failing_call.",
		Source:    "AutoGPT meta-issue 3668 (hash arguments and response); 3 times is seen in 1 of 157 successful and 10 of 143 failed tau-bench and AgentRx runs.",
		Needs:     facts.NeedErrorText,
	}
	noProgress = &Rule{
		Name: "no_progress", Code: "R3", Family: "result", Fault: event.FaultAgent,
		Doc:       "The agent repeats a call that worked and gets the very same result again.",
		Threshold: "Within the last 30 calls: 2 times info, 3 error, 6 critical.",
		Guards:    "Results are compared without time stamps, delivery ids and timings; a number that moves is progress. A repeat after a user message is not counted: the world may have moved on. Parallel turns and writes count as in identical_failing_call. Pagination and batches differ in their arguments. Tools that poll have a rule of their own.",
		Source:    "openclaw (equal results before critical), qwen-code (result-aware reads).",
		Needs:     facts.NeedArguments | facts.NeedResult,
	}
	noProgressPoll = &Rule{
		Name: "no_progress_poll", Code: "R3p", Family: "result", Fault: event.FaultAgent,
		Doc:       "The agent polls and sees the very same result for too long.",
		Threshold: "A tool that polls, by its ToolSpec, the configuration or its name (wait, status, screenshot, ...): 10 times warning, 20 error, 30 critical.",
		Guards:    "As no_progress; any change in the result starts the count anew.",
		Source:    "openclaw's known-poll thresholds 10 and 20.",
		Needs:     facts.NeedArguments | facts.NeedResult,
	}
	cycle = &Rule{
		Name: "cycle", Code: "R4", Family: "order", Fault: event.FaultAgent,
		Doc:       "The agent goes round a cycle of two to eight calls.",
		Threshold: "The smallest period with 3 full rounds: warning for equal calls, error for equal calls and results, critical after 5 such rounds; one alien call in 8 is forgiven.",
		Guards:    "Only calls since the last user message and the last new write. Rounds of one parallel turn count once. A period that holds a polling tool needs 10 rounds.",
		Source:    "OpenHands (A-B three times), qwen-code (A-B three cycles).",
		Needs:     facts.NeedArguments,
	}
	budget = &Rule{
		Name: "budget", Code: "R8", Family: "budget", Fault: event.FaultAgent,
		Doc:       "The task used up what it may use: calls, calls of one tool, cost or time.",
		Threshold: "75 % of a cap warning, beyond it error. Caps: task_start's limits, else the configuration's budgets; without either the rule is silent.",
		Guards:    "Caps below 4 have no 75 % mark.",
		Source:    "LangChain ToolCallLimitMiddleware; browser-use warns at 75 %.",
	}
	runaway = &Rule{
		Name: "runaway", Code: "R8s", Family: "budget", Fault: event.FaultAgent,
		Doc:       "The task does not come to an end: nobody set a cap, and its steps are beyond what a task takes.",
		Threshold: "10,000 step events of one task error, once; budgets.runaway_steps sets another number.",
		Guards:    "A task that another follows in the same trajectory counts by itself. The longest of 2,257 recorded runs of agents has 64 steps.",
		Source:    "Caps of agent frameworks, which count turns, lie between 10 and 50; a session of days needs a bound too.",
	}
)

// RetryLoop finds agents that repeat themselves without getting anywhere.
var RetryLoop = &Detector{
	Name: "retry_loop", Version: 1, Class: event.RetryLoop,
	Doc:   "The agent repeats itself without getting anywhere.\nRepetition counts with its results: what matters is whether anything changed, not whether a call looks like the one before.",
	Rules: []*Rule{identicalFailingCall, sameError, noProgress, rewordedRepeat, noProgressPoll, cycle, semanticStall, monologue, thrash, budget, runaway, compactionLoop},
	Kinds: []event.Kind{event.ToolCall, event.ToolResult, event.ModelCall, event.AgentMessage, event.UserMessage, event.ContextCompacted},
	New:   func(c *Config) Watcher { return &retryLoop{caps: c.Budgets} },
}

type retryLoop struct{ caps Budgets }

// Windows, in calls: qwen-code and browser-use look at the last 20, openclaw at
// the last 30.
const (
	errorWindow  = 20
	resultWindow = 30
)

// levels are the counts at which a rule reaches warning (or the severity that
// it begins with), error and critical, and how sure it is there, per mille.
type levels struct {
	begin                      event.Severity
	low, high, top             int
	lowConf, highConf, topConf int
}

var (
	identicalLevels = levels{event.Warning, 2, 3, 5, 850, 970, 990}
	errorLevels     = levels{event.Warning, 2, 3, 5, 600, 900, 970}
	resultLevels    = levels{event.Info, 2, 3, 6, 400, 800, 950}
	pollLevels      = levels{event.Warning, 10, 20, 30, 500, 800, 950}
)

func (l *levels) at(n int) (event.Severity, int) {
	switch {
	case n >= l.top:
		return event.Critical, l.topConf
	case n >= l.high:
		return event.Error, l.highConf
	case n >= l.low:
		return l.begin, l.lowConf
	}
	return event.SeverityNone, 0
}

// Observe implements Watcher.
func (r *retryLoop) Observe(p *Pass) {
	r.budgets(p)
	c := p.Call
	if p.Step.Kind != event.ToolResult || c == nil {
		said(p)
		return
	}
	fresh := true
	if c.Failed() {
		fresh = false
		r.failing(p, c)
	} else if prev := answeredLast(p.Agent, c); prev != nil && c.Result != 0 {
		fresh = prev.Result != c.Result
		r.repeating(p, c)
	}
	r.cycles(p, c)
	rewording(p, c)
	stalled(p, c)
	fresh = fresh && p.Fresh.Alike < 2
	if c.Failed() {
		thrashing(p, c)
	}
	if p.Troubled(event.RetryLoop) {
		if fresh {
			p.Resolve(event.RetryLoop, func(opener *Rule, subject string) bool {
				return opener.Family != budget.Family && subject == c.Tool.Name
			})
		}
		if p.Fresh.Still == 0 {
			p.Resolve(event.RetryLoop, func(opener *Rule, _ string) bool { return opener == semanticStall })
		}
		p.Fade(event.RetryLoop, fadeCalls, func(opener *Rule) bool { return opener.Family != budget.Family })
	}
}

// answeredLast gives the latest call before c with the same arguments that has
// its result, nil for none.
func answeredLast(a *facts.Agent, c *facts.Call) *facts.Call {
	q := a.Call(c.PrevKey)
	for q != nil && !q.Done {
		q = a.Call(q.PrevKey)
	}
	return q
}

// run is a series of calls that count together, the latest first.
type run struct {
	n           int         // how many count
	first, last *facts.Call // the earliest and the latest of all
	second      *facts.Call // the one after the first: where the waste begins
	distinct    bool        // not all have the same key
}

// back walks from c to ever earlier calls along prev, as long as same holds of
// each and the later one, and no new write lies in between. A call counts when
// it is in another turn than the one after it. Of those with a user message in
// between asked are not counted, since the user may have asked for them.
func back(a *facts.Agent, c *facts.Call, window int64, asked int, prev func(*facts.Call) int64, same func(q, later *facts.Call) bool) run {
	r := run{n: 1, first: c, last: c, second: c}
	for q := a.Call(prev(c)); q != nil && c.Index-q.Index < window; q = a.Call(prev(q)) {
		if !q.Done {
			continue
		}
		if !same(q, r.first) || r.first.Writes != q.After {
			break
		}
		switch {
		case q.Turn == r.first.Turn:
		case (q.Users != r.first.Users || q.Compactions != r.first.Compactions) && asked > 0:
			asked--
		default:
			r.n++
		}
		r.distinct = r.distinct || q.Key != c.Key
		r.second, r.first = r.first, q
	}
	return r
}

func prevKey(c *facts.Call) int64 { return c.PrevKey }

func prevError(c *facts.Call) int64 { return c.PrevError }

// succeeded reports whether a call between q and c told the agent something
// new: one of the tool, or of any tool for nil.
func succeeded(a *facts.Agent, q, c *facts.Call, tool *facts.Tool) bool {
	for i := q.Index + 1; i < c.Index; i++ {
		b := a.Call(i)
		if b.Done && !b.Failed() && b.PrevKey == facts.None && (tool == nil || b.Tool.Name == tool.Name) {
			return true
		}
	}
	return false
}

func (r *retryLoop) failing(p *Pass, c *facts.Call) {
	a := p.Agent
	if c.PrevKey != facts.None {
		run := back(a, c, facts.RingSize, 1, prevKey, func(q, _ *facts.Call) bool { return q.Error == c.Error })
		s, conf := identicalLevels.at(run.n)
		if run.n >= 2 && c.Class.Permanent() && !succeeded(a, run.first, c, nil) {
			s = max(s, event.Error)
		}
		s = patient(a, &run, prevKey, s)
		report(p, identicalFailingCall, &run, s, conf, "%s was called %d times with the same arguments and failed each time with the same error (%s)", c.Class)
	}
	if c.PrevError != facts.None {
		run := back(a, c, errorWindow, 1, prevError, func(q, later *facts.Call) bool { return !succeeded(a, q, later, c.Tool) })
		if run.distinct {
			s, conf := errorLevels.at(run.n)
			s = patient(a, &run, prevError, s)
			report(p, sameError, &run, s, conf, "%s failed %d times with the same error (%s) although the arguments were varied", c.Class)
		}
	}
}

func (r *retryLoop) repeating(p *Pass, c *facts.Call) {
	run := back(p.Agent, c, resultWindow, facts.RingSize, prevKey,
		func(q, _ *facts.Call) bool { return !q.Failed() && q.Result == c.Result })
	rule, l := noProgress, &resultLevels
	if c.Tool.Polls {
		rule, l = noProgressPoll, &pollLevels
	}
	s, conf := l.at(run.n)
	report(p, rule, &run, s, conf, "%s was called %d times with the same arguments and returned the same result each time", nil)
}

// report hands in a run, if its severity is any.
func report(p *Pass, rule *Rule, r *run, s event.Severity, conf int, format string, detail any) {
	c := r.last
	if s == event.SeverityNone {
		return
	}
	args := []any{c.Tool.Name, r.n}
	if detail != nil {
		args = append(args, detail)
	}
	message := fmt.Sprintf(format, args...) + "."
	if !p.Sees(rule, c.Tool.Name, s) {
		p.Recount(rule, c.Tool.Name, r.n, message)
		return
	}
	p.Report(Finding{
		Rule: rule, Subject: c.Tool.Name, Severity: s, Confidence: conf, Error: c.Error,
		Message: message, Count: r.n,
		Evidence: evidence(p.Agent, r, rule == sameError),
		Tokens:   r.second.Tokens, CostMicroUSD: r.second.Cost,
	})
}

// evidence lists the results of a run, oldest first: its beginning and what
// led to the present.
func evidence(a *facts.Agent, r *run, byError bool) []event.Evidence {
	var out []event.Evidence
	for q := r.last; q != nil && q.Index >= r.first.Index && len(out) < maxEvidence-1; {
		if q.Done {
			note := q.Status.String()
			if q.Failed() {
				note += ": " + q.Class.String()
			}
			out = append(out, a.ResultStep(q, note))
		}
		if byError {
			q = a.Call(q.PrevError)
		} else {
			q = a.Call(q.PrevKey)
		}
	}
	if len(out) == maxEvidence-1 && r.first.Index < r.last.Index {
		out = append(out, a.ResultStep(r.first, "first"))
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// maxPatient is how many attempts a retry policy may take.
const maxPatient = 5

// patient lowers the severity of a run of transient errors to info where the
// agent waits as a retry policy does: one retry, or up to maxPatient attempts
// whose gaps grow by half each or are as long as the server asked for.
func patient(a *facts.Agent, r *run, prev func(*facts.Call) int64, s event.Severity) event.Severity {
	if s == event.SeverityNone || !r.last.Class.Transient() || r.n > maxPatient {
		return s
	}
	later := int64(-1) // the gap after the one looked at
	for c := r.last; c != r.first; {
		q := a.Call(prev(c))
		if q == nil {
			break
		}
		if q.Turn != c.Turn {
			gap := c.Time - q.ResultTime
			asked := q.RetryAfter > 0 && gap >= q.RetryAfter
			grown := later < 0 || later > 0 && later*2 >= gap*3
			if !asked && !grown {
				return s
			}
			later = gap
		}
		c = q
	}
	return min(s, event.Info)
}

// maxPeriod is the longest cycle that is looked for, minRounds how often it
// must come round, pollRounds the same where polling is part of it.
const (
	maxPeriod  = 8
	minRounds  = 3
	topRounds  = 5
	pollRounds = 10
)

// fadeCalls is how many calls without it end a loop. It is more than the longest
// cycle, so that what comes round in one stays one failure.
const fadeCalls = maxPeriod + 2

func (r *retryLoop) cycles(p *Pass, c *facts.Call) {
	a, n := p.Agent, c.Index
	if c.PrevKey == facts.None || n-c.PrevKey > maxPeriod {
		return
	}
	for k := int64(2); k <= maxPeriod; k++ {
		if !a.SameKey(n, n-k) || !a.SameKey(n-1, n-1-k) {
			continue
		}
		m, results := suffix(a, n, k)
		rounds := m/k + 1
		if rounds < minRounds || uniform(a, n, k) {
			continue
		}
		names, polls := period(a, n, k)
		if polls && rounds < pollRounds {
			return
		}
		s, conf := event.Warning, 600
		switch {
		case results/k+1 >= topRounds:
			s, conf = event.Critical, 970
		case results/k+1 >= minRounds:
			s, conf = event.Error, 900
		}
		subject := strings.Join(names, " > ")
		message := fmt.Sprintf("The same %d calls (%s) went round %d times.", k, subject, rounds)
		if !p.Sees(cycle, subject, s) {
			p.Recount(cycle, subject, int(rounds), message)
			return
		}
		begin := a.Call(n - m - k + 1)
		second := a.Call(n - m + 1)
		f := Finding{
			Rule: cycle, Subject: subject, Severity: s, Confidence: conf,
			Message: message, Count: int(rounds),
			Tokens: second.Tokens, CostMicroUSD: second.Cost,
		}
		for i := begin.Index; i < begin.Index+min(k, 3); i++ {
			f.Evidence = append(f.Evidence, a.Step(a.Call(i), "first round"))
		}
		for i := n - min(k, 3) + 1; i <= n; i++ {
			f.Evidence = append(f.Evidence, a.Step(a.Call(i), "latest round"))
		}
		p.Report(f)
		return
	}
}

// suffix gives for how many of the latest calls, n the last of them, the call
// k before was the same, and for how many the result was the same too. Of each
// 8 one may differ. A user message or a new write ends it, and so does a turn
// that holds two rounds: calls of one turn count once.
func suffix(a *facts.Agent, n, k int64) (m, results int64) {
	const oneIn = 8
	last := a.Call(n)
	missed, same := int64(0), true
	for i := n; missed < facts.RingSize/oneIn; i-- {
		c, q := a.Call(i), a.Call(i-k)
		if q == nil || q.Users != last.Users || c.Writes != last.After || c.Turn == q.Turn {
			break
		}
		if c.Key == 0 || c.Key != q.Key {
			missed++
			continue
		}
		same = same && sameAnswer(c, q)
		if missed*oneIn <= n-i+1 {
			m = n - i + 1
			if same {
				results = m
			}
		}
	}
	return m, results
}

// sameAnswer reports whether a call was answered as the equal one before it,
// as far as it was answered.
func sameAnswer(c, before *facts.Call) bool {
	switch {
	case !c.Done:
		return true
	case c.Error != 0 || before.Error != 0:
		return c.Error == before.Error
	}
	return c.Result != 0 && c.Result == before.Result
}

// uniform reports whether the k latest calls are all the same: that is no
// cycle but a repetition.
func uniform(a *facts.Agent, n, k int64) bool {
	for i := n - k + 2; i <= n; i++ {
		if !a.SameKey(i, i-1) {
			return false
		}
	}
	return true
}

// period gives the names of the k latest calls, the smallest rotation first so
// that a cycle has one name wherever it is noticed, and whether one polls. A
// cycle of one tool goes by its name alone.
func period(a *facts.Agent, n, k int64) (names []string, polls bool) {
	one := true
	for i := n - k + 1; i <= n; i++ {
		t := a.Call(i).Tool
		names = append(names, t.Name)
		polls = polls || t.Polls
		one = one && t.Name == names[0]
	}
	if one {
		return names[:1], polls
	}
	best := names
	for i := range names {
		if rotated := append(append([]string{}, names[i:]...), names[:i]...); lessStrings(rotated, best) {
			best = rotated
		}
	}
	return best, polls
}

func lessStrings(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
