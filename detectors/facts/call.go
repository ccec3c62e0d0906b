package facts

import (
	"misstep/event"
	"misstep/windows"
)

// RingSize is how many calls of an agent are remembered: twice the longest
// window of a rule (30 calls), and some.
const RingSize = 64

// None is the index of no call.
const None = -1

// Call is one tool call and, once it came, its result. It belongs to its
// agent's ring and is overwritten RingSize calls later.
type Call struct {
	Index int64 // running number among the agent's calls, from 0

	Key   uint64 // of tool and canonical arguments; 0 when the arguments cannot be compared
	Shape uint64 // of tool and argument names
	// Result is the fingerprint of the masked result, 0 while there is none
	// that can be compared. Error is that of (tool, error class, masked
	// message), 0 unless the call failed.
	Result, Error uint64

	// PrevKey is the agent's latest earlier call with the same Key, PrevError
	// that with the same Error, None when the ring holds none.
	PrevKey, PrevError int64

	Tool   *Tool        `cbor:"-"`
	Status event.Status // as judged: a silent error is StatusError
	Silent bool         // the producer said ok, the content says error
	Misfit bool         // its arguments break the tool's schema, or name unknown parameters
	// FromUser says that an identifier in its arguments was shown by the user
	// alone.
	FromUser bool
	Unlisted bool // it names a parameter that the tool's schema does not know
	Echo     bool // its result only gives back what the call said
	Class    ErrorClass
	Fault    event.Fault
	Done     bool // a result came
	// RetryAfter is for how long a transient error asked to wait, ns; 0 when
	// it did not.
	RetryAfter int64

	Turn   uint32 // calls of one model turn share it
	Users  uint32 // user messages before the call
	Writes uint32 // successful new writes of the trajectory before the call
	After  uint32 // the same after its result
	// Compactions of a context before the call.
	Compactions uint32

	Time, ResultTime int64 // event times, ns; ResultTime is 0 until Done
	Seq, ResultSeq   int64 // event.None when the producer gave none
	Tokens, Cost     int64 // the trajectory's totals before the call: tokens, micro-USD

	id, resultID stepID // of the steps that made it and that brought its result
	count        int32  // place of the tool in the task's counters
}

// Failed reports whether the call is known not to have done its work.
func (c *Call) Failed() bool { return c.Done && c.Status.Failed() }

// Agent is what one agent of a trajectory did.
type Agent struct {
	calls    windows.Ring[Call]
	ids      stepIDs
	turnKey  uint64 // hash of the producer's turn, 0 when it gave none
	turn     uint32
	turnOpen bool
	open     []openCall  // oldest first
	few      [2]openCall // where open begins
	Name     string
	Context  Context // followed where slots are asked for

	// Tags repeat the low bits of Key and Error beside each other, so that
	// looking for an equal one touches one cache line rather than the ring.
	keyTags, errorTags [RingSize]uint8
}

// openCall is a call without a result.
type openCall struct {
	index int64
	id    uint64 // hash of the producer's call id, 0 when there is none
}

// Step gives the id and seq of the step that made a call, as evidence.
func (a *Agent) Step(c *Call, note string) event.Evidence {
	return event.Evidence{Seq: c.Seq, ID: string(a.ids.get(c.id)), Note: note}
}

// ResultStep gives the id and seq of the step that brought a call's result.
func (a *Agent) ResultStep(c *Call, note string) event.Evidence {
	return event.Evidence{Seq: c.ResultSeq, ID: string(a.ids.get(c.resultID)), Note: note}
}

// Call gives call number i, nil when the ring holds it no longer.
func (a *Agent) Call(i int64) *Call {
	if i < 0 {
		return nil
	}
	c, _ := a.calls.Abs(i)
	return c
}

// Calls is the number of calls the agent ever made.
func (a *Agent) Calls() int64 { return a.calls.Next() }

// SameKey reports whether calls i and j of the ring, i > j, had the same key.
func (a *Agent) SameKey(i, j int64) bool {
	if j < a.calls.First() || a.keyTags[i%RingSize] != a.keyTags[j%RingSize] {
		return false
	}
	c, d := a.Call(i), a.Call(j)
	return c.Key != 0 && c.Key == d.Key
}

// Open is the number of calls that have no result yet.
func (a *Agent) Open() int { return len(a.open) }

func (a *Agent) reset(name string) {
	a.Name = name
	a.calls.Init(RingSize)
	a.ids.reset()
	if a.open == nil {
		a.open = a.few[:0]
	}
	a.open = a.open[:0]
	a.turn, a.turnKey, a.turnOpen = 0, 0, false
	a.Context = Context{}
}

// push starts a call and links it to its likes.
func (a *Agent) push(key uint64) *Call {
	index := a.calls.Next()
	prev := a.find(&a.keyTags, key, index, func(c *Call) bool { return c.Key == key })
	c := a.calls.Push()
	*c = Call{Index: index, Key: key, PrevKey: prev, PrevError: None, Seq: event.None, ResultSeq: event.None}
	a.keyTags[index%RingSize] = uint8(key)
	a.errorTags[index%RingSize] = 0
	return c
}

// fail marks a call with its error and links it to the latest call before it
// that failed with the same one.
func (a *Agent) fail(c *Call, fingerprint uint64) {
	c.Error = fingerprint
	a.errorTags[c.Index%RingSize] = uint8(fingerprint)
	c.PrevError = a.find(&a.errorTags, fingerprint, c.Index, func(p *Call) bool { return p.Error == fingerprint })
}

// find gives the latest call before number end with the tag, None without one.
func (a *Agent) find(tags *[RingSize]uint8, want uint64, end int64, same func(*Call) bool) int64 {
	if want == 0 {
		return None
	}
	first := max(a.calls.First(), end-RingSize)
	for i := end - 1; i >= first; i-- {
		if tags[i%RingSize] == uint8(want) && same(a.Call(i)) {
			return i
		}
	}
	return None
}
