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
)

// NeedPlanSeen is the plan of the agent: it told one.
const NeedPlanSeen Needs = 1 << 11

// What is computed only for a rule that asks for it. It can always be had.
const (
	NeedShape     Needs = 1 << 31 // the shape key of calls
	NeedPlan      Needs = 1 << 27 // plans, and how calls fit them
	NeedResources Needs = 1 << 26 // what calls are about and what became of it
	NeedProgress  Needs = 1 << 25 // what results and messages bring that is new
)

// NeedBits is the number of bits among which those that may be lacking are.
const NeedBits = 14

var reasons = [NeedBits]string{
	"partial", "no_catalogue", "no_schema", "no_arguments", "no_result",
	"no_error_text", "no_messages", "unreadable_arguments", "unreadable_result",
	11: "no_plan",
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
	"readable arguments", "readable result",
	11: "a plan",
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
