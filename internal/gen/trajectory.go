package gen

import "strconv"

// action is one step that a trajectory is about to take.
type action uint8

const (
	actModel action = iota
	actCall
	actResult
	actAgent
	actUser
	actContext
	actPlan
	actEnd
)

// call is one call of a tool: its arguments and its result follow from seed.
type call struct {
	seed   uint64
	number int32 // in the trajectory, from 1 on
	tool   int8
	mishap int8 // index into mishaps, -1: it succeeds
}

// trajectory is one run of an agent, written step by step.
type trajectory struct {
	rng    rng
	number uint64
	kit    int8
	seq    int32
	left   int32 // steps to come
	calls  int32
	tokens int32  // of its context
	seen   uint32 // the mishaps it has had, as a set
	failed bool   // a call has failed since the last message
	loop   loop

	queue  [8]action // what comes next, in order
	queued int8      // how much of queue is filled
	open   [3]call   // the calls of the current turn, in order
	nOpen  int8      // how many of open have been called
	nDone  int8      // how many of open have a result
}

// lengths are quantiles of the number of steps of recorded customer service
// runs, from 0 to 100 % by 5 %: the median is 26, 95 % are within 48.
var lengths = [21]int{6, 12, 14, 16, 17, 18, 20, 21, 23, 24, 26, 28, 29, 31, 33, 35, 37, 39, 43, 48, 64}

func (t *trajectory) init(underWay bool, loopPerMille int) {
	r := &t.rng
	at := r.below(2000)
	lo, hi := lengths[at/100], lengths[at/100+1]
	t.left = int32(lo + (hi-lo)*(at%100)/100)
	if underWay {
		t.left = int32(r.between(4, int(t.left)+2))
	}
	t.kit = int8(r.below(len(kits)))
	t.tokens = int32(r.between(800, 2500))
	if r.chance(loopPerMille) {
		t.loop.plan(r, &kits[t.kit])
		t.left += int32(t.loop.steps())
	}
}

// appendStep appends the next step as a line and moves on.
func (t *trajectory) appendStep(b []byte, line, live int) []byte {
	k := &kits[t.kit]
	b = append(b, `{"v":1,"id":"`...)
	b = t.appendName(b)
	b = append(b, '#')
	b = strconv.AppendInt(b, int64(t.seq), 10)
	b = append(b, `","trajectory_id":"`...)
	b = t.appendName(b)
	b = append(b, `","seq":`...)
	b = strconv.AppendInt(b, int64(t.seq), 10)
	b = append(b, `,"time":`...)
	// An agent takes a step every two seconds.
	b = appendTime(b, line*(2_000_000/live))
	b = append(b, `,"kind":`...)
	if t.seq == 0 {
		b = t.appendStart(b, k)
		t.push(actUser)
	} else {
		if t.queued == 0 {
			t.refill()
		}
		a := t.queue[0]
		copy(t.queue[:], t.queue[1:])
		t.queued--
		b = t.appendAction(b, k, a)
	}
	t.seq++
	t.left--
	return append(b, '}', '\n')
}

func (t *trajectory) appendName(b []byte) []byte {
	b = append(b, kits[t.kit].workflow...)
	b = append(b, '/')
	// An odd factor makes names that do not sort by age.
	return appendHex(b, (t.number+1)*0x9e3779b97f4a7c15)
}

func (t *trajectory) push(as ...action) {
	t.queued += int8(copy(t.queue[t.queued:], as))
}

// refill queues the next turn, such that the last step ends the task.
func (t *trajectory) refill() {
	r := &t.rng
	room := int(t.left) - 1
	t.nOpen, t.nDone = 0, 0
	switch {
	case room == 0:
		t.push(actEnd)
	case t.loop.due(room):
		t.open[0] = t.loop.next()
		t.push(actModel, actCall, actResult)
	case room < 3:
		t.push(actAgent)
	case room == 3 && t.loop.times == 0:
		t.push(actModel, actAgent)
	case r.chance(20):
		t.push(actPlan)
	case r.chance(15):
		t.push(actContext)
	case room < 4 || r.chance(420):
		t.push(actModel, actAgent, actUser)
	default:
		n := 1
		if r.chance(120) {
			n = min(r.between(2, 3), (room-1)/2)
		}
		for i := range n {
			t.open[i] = t.newCall()
		}
		t.push(actModel)
		for range n {
			t.push(actCall)
		}
		for range n {
			t.push(actResult)
		}
	}
}

// newCall draws a call that no other one of the trajectory equals. One in 18
// fails, each time in a way that is new to the trajectory.
func (t *trajectory) newCall() call {
	r := &t.rng
	c := call{seed: r.pcg.Uint64(), tool: int8(r.below(len(kits[t.kit].tools))), mishap: -1}
	if r.chance(55) {
		m := r.below(len(mishaps))
		if t.seen&(1<<m) == 0 && !t.loop.uses(m) {
			t.seen |= 1 << m
			c.mishap = int8(m)
		}
	}
	return c
}

func (t *trajectory) appendAction(b []byte, k *kit, a action) []byte {
	r := &t.rng
	switch a {
	case actModel:
		b = appendHead(b, "model_call", k)
		return t.appendModel(b)
	case actCall:
		t.calls++
		c := &t.open[t.nOpen]
		c.number = t.calls
		t.nOpen++
		b = appendHead(b, "tool_call", k)
		return t.appendCall(b, k, c)
	case actResult:
		c := &t.open[t.nDone]
		t.nDone++
		t.failed = t.failed || c.mishap >= 0
		t.loop.observe(c, t.seq)
		b = appendHead(b, "tool_result", k)
		return t.appendResult(b, k, c)
	case actAgent:
		b = appendHead(b, "agent_message", k)
		b = append(b, `,"text":"`...)
		if t.failed {
			b = append(b, `Sorry, I could not do that, there was an error. `...)
		}
		t.failed = false
		b = appendText(b, r, r.between(12, 70))
		return append(b, '"')
	case actUser:
		b = appendHead(b, "user_message", k)
		b = append(b, `,"text":"`...)
		b = appendText(b, r, r.between(4, 40))
		return append(b, '"')
	case actContext:
		b = appendHead(b, "context_added", k)
		b = append(b, `,"source":"retrieval","text":"`...)
		b = appendText(b, r, r.between(60, 160))
		return append(b, '"')
	case actPlan:
		b = appendHead(b, "plan_update", k)
		return appendPlan(b, r)
	default:
		b = appendHead(b, "task_end", k)
		return appendOutcome(b, r)
	}
}

// loop is a planted failure: calls that go round and round.
type loop struct {
	rule   int8 // index into loopRules
	times  int8 // rounds to go; 0: none is planted, or it is over
	total  int8 // rounds
	second bool // of a cycle, the second call of the round is next
	found  bool // the third round has just ended
	seq    int32
	calls  [2]call
	reseed rng
}

var loopRules = [...]string{"R1", "R2", "R4"}

const (
	loopIdentical = iota
	loopVaried
	loopCycle
)

// plan plants a loop of 3 to 6 rounds for a tool of the kit.
func (l *loop) plan(r *rng, k *kit) {
	l.rule = int8(r.below(len(loopRules)))
	l.total = int8(r.between(3, 6))
	l.times = l.total
	l.reseed = newRNG(r.pcg.Uint64(), 0)
	m := r.below(len(mishaps))
	for !mishaps[m].permanent {
		m = r.below(len(mishaps))
	}
	first := r.below(len(k.tools))
	if l.rule == loopCycle {
		for k.tools[first].effect != "read" {
			first = (first + 1) % len(k.tools)
		}
		second := (first + 1) % len(k.tools)
		for k.tools[second].effect != "read" {
			second = (second + 1) % len(k.tools)
		}
		l.calls[1] = call{seed: r.pcg.Uint64(), tool: int8(second), mishap: -1}
		m = -1
	}
	l.calls[0] = call{seed: r.pcg.Uint64(), tool: int8(first), mishap: int8(m)}
}

// steps says how many steps the loop takes.
func (l *loop) steps() int {
	if l.rule == loopCycle {
		return 2 * 3 * int(l.total)
	}
	return 3 * int(l.total)
}

// due reports whether the loop goes on, given the steps that are left for it
// and the rest; it begins when as many steps are left for the rest as it takes
// itself, or at the first turn.
func (l *loop) due(room int) bool {
	return l.times > 0 && (l.times < l.total || l.second || room <= 2*l.steps())
}

// uses reports whether the loop repeats this mishap, which then must not come
// up elsewhere.
func (l *loop) uses(m int) bool {
	return l.total > 0 && l.calls[0].mishap == int8(m)
}

// next gives the next call of the loop.
func (l *loop) next() call {
	if l.second {
		l.second = false
		l.times--
		return l.calls[1]
	}
	if l.rule == loopCycle {
		l.second = true
		return l.calls[0]
	}
	l.times--
	c := l.calls[0]
	if l.rule == loopVaried {
		c.seed = l.reseed.pcg.Uint64()
	}
	return c
}

// observe notes the result that ends the third round.
func (l *loop) observe(c *call, seq int32) {
	last := l.calls[0]
	if l.rule == loopCycle {
		last = l.calls[1]
	}
	if l.times == l.total-3 && !l.second && l.seq == 0 && c.tool == last.tool && c.mishap == last.mishap {
		l.found = true
		l.seq = seq
	}
}

func (t *trajectory) truth() Truth {
	return Truth{
		Trajectory: string(t.appendName(nil)),
		Class:      "retry_loop",
		Rule:       loopRules[t.loop.rule],
		Tool:       kits[t.kit].tools[t.loop.calls[0].tool].name,
		Seq:        int(t.loop.seq),
	}
}
