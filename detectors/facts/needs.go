package facts

import "strings"

// Needs is a set of facts that a rule cannot do without. The same bits say
// what a step, or a whole task, lacks.
type Needs uint32

// What a rule may need.
const (
	NeedBeginning      Needs = 1 << iota // the trajectory from its first step on
	NeedCatalogue                        // the tools that the agent was offered
	NeedSchema                           // the parameter schema of the called tool
	NeedArguments                        // arguments that can be compared
	NeedResult                           // a result that can be compared
	NeedErrorText                        // an error's type or text
	NeedMessages                         // readable messages of the agent
	NeedPlainArguments                   // arguments that can be read, not only compared
	NeedPlainResult                      // a result that can be read, not only compared
	NeedText                             // readable texts of the user and the agent
	NeedLanguage                         // texts in a language whose words are known
)

// NeedPlanSeen is the plan of the agent: it told one.
const NeedPlanSeen Needs = 1 << 11

// NeedSlotTypes asks that what users said, and the arguments of the call at
// hand, can be read: from them the types of values are learned.
const NeedSlotTypes Needs = 1 << 12

// NeedProvenanceWhole asks that nothing that was said before is hidden, cut or
// forgotten.
const NeedProvenanceWhole Needs = 1 << 13

// What is computed only for a rule that asks for it. It can always be had.
const (
	NeedShape        Needs = 1 << 31 // the shape key of calls
	NeedProvenance   Needs = 1 << 30 // the provenance of values; how whole it is NeedProvenanceWhole says
	NeedSlots        Needs = 1 << 29 // what users pinned; whether it is whole NeedSlotTypes says
	NeedDecisions    Needs = 1 << 28 // what the agent decided, and how the user pressed it
	NeedPlan         Needs = 1 << 27 // plans, and how calls fit them
	NeedResources    Needs = 1 << 26 // what calls are about and what became of it
	NeedProgress     Needs = 1 << 25 // what results and messages bring that is new
	NeedOutputSchema Needs = 1 << 24 // to hold results against the tool's output schema
)

// NeedBits is the number of needs that may be lacking.
const NeedBits = 14

var reasons = [NeedBits]string{
	"partial", "no_catalogue", "no_schema", "no_arguments", "no_result",
	"no_error_text", "no_messages", "unreadable_arguments", "unreadable_result", "no_text", "language",
	"no_plan", "no_slots", "no_provenance",
}

// Reason names why a detector abstains for the lowest of the needs in n, as it
// stands in coverage records and on metrics; empty for none.
func (n Needs) Reason() string {
	for i, r := range reasons {
		if r != "" && n&(1<<i) != 0 {
			return r
		}
	}
	return ""
}

var needNames = [NeedBits]string{
	"beginning", "catalogue", "schema", "arguments", "result", "error text", "messages",
	"readable arguments", "readable result", "readable texts", "a known language",
	"a plan", "typed values of the user", "all that was said before",
}

// String lists the needs for a reader.
func (n Needs) String() string {
	var parts []string
	for i, s := range needNames {
		if s != "" && n&(1<<i) != 0 {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}
