package facts

// Grounding says how strictly the values in a tool's arguments must come from
// somewhere.
type Grounding uint8

// How values are judged that nobody gave.
const (
	GroundedDefault Grounding = iota // strict, but soft for tools that make something new
	GroundedStrict                   // they are failures
	GroundedSoft                     // they are information
	GroundedOff                      // the agent may make them up
)

// Policy is what an operator demands of the calls of the tools whose name
// matches, in the workflows that match. It is immutable.
type Policy struct {
	Match    func(tool string) bool
	Workflow func(workflow string) bool // nil: all

	Grounded Grounding
	Confirm  bool     // the user must have confirmed
	After    []string // tools that must have worked before, in the same task
	Bounds   []Bound
}

// Bound limits the values of one parameter.
type Bound struct {
	Param    string // path, without the numbers of array elements
	HasMin   bool
	HasMax   bool
	Min, Max int64    // in millionths
	In       []string // what is allowed, empty: anything
}

// Policies calls do with each policy that is about the tool in a workflow.
func (t *Tool) Policies(workflow string, do func(*Policy)) {
	for _, p := range t.policies {
		if p.Workflow == nil || p.Workflow(workflow) {
			do(p)
		}
	}
}

// Grounding gives how strictly the tool's values are judged in a workflow: the
// first policy that says so wins.
func (t *Tool) Grounding(workflow string) Grounding {
	g := GroundedDefault
	t.Policies(workflow, func(p *Policy) {
		if g == GroundedDefault {
			g = p.Grounded
		}
	})
	if g == GroundedDefault && t.makes {
		return GroundedSoft
	}
	return g
}

// makeWords are the words that begin the name of a tool that makes something
// new, whose identifier the agent may choose.
var makeWords = []string{"add", "create", "new", "generate", "register", "init", "initialize", "start", "open", "define", "make", "upload", "write", "save"}
