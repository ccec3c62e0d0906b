package event

import (
	"encoding/json"
	"fmt"
)

// UnmarshalFailure reads a failure event. Fields that it does not know are
// ignored, and an unknown value of an enumeration reads as unknown. It
// allocates: it is for those who follow the results.
func UnmarshalFailure(data []byte) (*Failure, error) {
	var w struct {
		jsonLabels
		ID         string      `json:"id"`
		Rev        int         `json:"rev"`
		Class      string      `json:"class"`
		Rule       string      `json:"rule"`
		Rules      []string    `json:"rules"`
		Subject    string      `json:"subject"`
		Severity   string      `json:"severity"`
		Fault      string      `json:"fault"`
		Confidence json.Number `json:"confidence"`
		State      string      `json:"state"`
		Time       jsonTime    `json:"time"`
		FirstSeq   *int64      `json:"first_seq"`
		LastSeq    *int64      `json:"last_seq"`
		Count      int         `json:"count"`
		Message    string      `json:"message"`
		Evidence   []struct {
			Seq  *int64 `json:"seq"`
			ID   string `json:"id"`
			Note string `json:"note"`
		} `json:"evidence"`
		Wasted struct {
			Tokens  int64       `json:"tokens"`
			CostUSD json.Number `json:"cost_usd"`
		} `json:"wasted"`
		Fingerprint string `json:"fingerprint"`
		Recovered   bool   `json:"recovered"`
		Detector    struct {
			Name    string `json:"name"`
			Version int    `json:"version"`
		} `json:"detector"`
		Ruleset string `json:"ruleset"`
	}
	if err := unmarshal(data, "failure", &w, "id", "rev", "trajectory_id", "class", "rule", "severity", "fault",
		"confidence", "state", "count", "message", "wasted", "detector"); err != nil {
		return nil, err
	}
	f := &Failure{
		ID: w.ID, Rev: w.Rev, Labels: Labels(w.jsonLabels),
		Class: Class(indexOf(classNames[:], w.Class)), Rule: w.Rule, Rules: w.Rules, Subject: w.Subject,
		Severity: Severity(indexOf(severityNames[:], w.Severity)),
		Fault:    Fault(indexOf(faultNames[:], w.Fault)),
		State:    State(indexOf(stateNames[:], w.State)),
		Time:     w.Time.ns(), FirstSeq: orNone(w.FirstSeq), LastSeq: orNone(w.LastSeq), Count: w.Count,
		Message: w.Message, Fingerprint: w.Fingerprint, Recovered: w.Recovered,
		Detector: DetectorRef(w.Detector), Ruleset: w.Ruleset,
	}
	f.Wasted.Tokens = w.Wasted.Tokens
	confidence, err := fixed(w.Confidence, 3)
	if err != nil {
		return nil, fmt.Errorf("failure: confidence: %w", err)
	}
	f.Confidence = int(confidence)
	if f.Wasted.CostMicroUSD, err = fixed(w.Wasted.CostUSD, 6); err != nil {
		return nil, fmt.Errorf("failure: wasted.cost_usd: %w", err)
	}
	for _, e := range w.Evidence {
		f.Evidence = append(f.Evidence, Evidence{Seq: orNone(e.Seq), ID: e.ID, Note: e.Note})
	}
	return f, nil
}

// UnmarshalTask reads a task record. Fields that it does not know are ignored.
// It allocates.
func UnmarshalTask(data []byte) (*TaskRecord, error) {
	var w struct {
		jsonLabels
		Type      string       `json:"type"`
		ID        string       `json:"id"`
		Rev       int          `json:"rev"`
		Was       *jsonVerdict `json:"was"`
		Now       jsonVerdict  `json:"now"`
		Steps     int64        `json:"steps"`
		CostUSD   json.Number  `json:"cost_usd"`
		Tokens    int64        `json:"tokens"`
		WallMS    int64        `json:"wall_ms"`
		ActiveMS  int64        `json:"active_ms"`
		Escalated []string     `json:"escalated"`
		Tools     []struct {
			Tool       string `json:"tool"`
			OK         int64  `json:"ok"`
			AgentFault int64  `json:"agent_fault"`
			ToolFault  int64  `json:"tool_fault"`
			UserFault  int64  `json:"user_fault"`
			Timeout    int64  `json:"timeout"`
			Denied     int64  `json:"denied"`
			Unknown    int64  `json:"unknown"`
		} `json:"tools"`
		Classes  []string `json:"classes"`
		Partial  bool     `json:"partial"`
		Coverage []struct {
			Detector string `json:"detector"`
			Rule     string `json:"rule"`
			Reason   string `json:"reason"`
		} `json:"coverage"`
		Plan *struct {
			Versions int64 `json:"versions"`
			Items    int64 `json:"items"`
			Begun    int64 `json:"begun"`
			Ordered  int64 `json:"ordered"`
			Calls    int64 `json:"calls"`
			Planned  int64 `json:"planned"`
			Stale    int64 `json:"stale"`
			Replan   int64 `json:"replan"`
		} `json:"plan"`
		Time jsonTime `json:"time"`
	}
	if err := unmarshal(data, "task record", &w, "type", "id", "rev", "now", "trajectory_id", "steps", "cost_usd",
		"tokens", "wall_ms", "active_ms"); err != nil {
		return nil, err
	}
	if w.Type != "task" {
		return nil, fmt.Errorf("task record: type: want task, found %q", w.Type)
	}
	t := &TaskRecord{
		ID: w.ID, Rev: w.Rev, Now: w.Now.verdict(), Labels: Labels(w.jsonLabels),
		Steps: w.Steps, Tokens: w.Tokens, WallMS: w.WallMS, ActiveMS: w.ActiveMS,
		Escalated: w.Escalated, Classes: w.Classes, Partial: w.Partial, Time: w.Time.ns(),
	}
	if w.Was != nil {
		was := w.Was.verdict()
		t.Was = &was
	}
	var err error
	if t.CostMicroUSD, err = fixed(w.CostUSD, 6); err != nil {
		return nil, fmt.Errorf("task record: cost_usd: %w", err)
	}
	for _, u := range w.Tools {
		t.Tools = append(t.Tools, ToolUse(u))
	}
	for _, a := range w.Coverage {
		t.Coverage = append(t.Coverage, Abstention(a))
	}
	if w.Plan != nil {
		u := PlanUse(*w.Plan)
		t.Plan = &u
	}
	return t, nil
}

type jsonLabels struct {
	TrajectoryID string `json:"trajectory_id"`
	TaskID       string `json:"task_id"`
	Workflow     string `json:"workflow"`
	Agent        string `json:"agent"`
	Release      string `json:"release"`
	Model        string `json:"model"`
	Tenant       string `json:"tenant"`
}

type jsonVerdict struct {
	Outcome  string `json:"outcome"`
	ScoredBy string `json:"scored_by"`
	Bucket   int64  `json:"bucket"`
}

func (v *jsonVerdict) verdict() TaskVerdict {
	return TaskVerdict{
		Outcome:  OutcomeStatus(indexOf(outcomeNames[:], v.Outcome)),
		ScoredBy: ScoredBy(indexOf(scoredByNames[:], v.ScoredBy)),
		Bucket:   v.Bucket,
	}
}

// jsonTime is a time of a record, nil when absent.
type jsonTime struct{ at *int64 }

// UnmarshalText reads RFC 3339.
func (t *jsonTime) UnmarshalText(text []byte) error {
	ns, fault := parseTime(text)
	if fault != timeOK {
		return fmt.Errorf("want an RFC 3339 time from 1678 to 2262, found %q", text)
	}
	t.at = &ns
	return nil
}

func (t *jsonTime) ns() int64 { return orNone(t.at) }

func orNone(n *int64) int64 {
	if n == nil {
		return None
	}
	return *n
}

// unmarshal reads a record of version 1 into w. The fields named have to be
// there.
func unmarshal(data []byte, what string, w any, required ...string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, name := range append(required, "v") {
		if m := members[name]; len(m) == 0 || string(m) == "null" {
			return fmt.Errorf("%s: %s: want a value, found none", what, name)
		}
	}
	if v, ok := parseInt(members["v"]); !ok || v != 1 {
		return fmt.Errorf("%s: v: want 1, found another version", what)
	}
	if err := json.Unmarshal(data, w); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// indexOf gives the place of a name, 0 (which is what an unknown one reads as)
// when there is none.
func indexOf(names []string, name string) int {
	for i, n := range names {
		if n == name {
			return i
		}
	}
	return 0
}

func fixed(n json.Number, scale int64) (int64, error) {
	if n == "" {
		return 0, nil
	}
	v, _, ok := scaled([]byte(n), scale)
	if !ok {
		return 0, fmt.Errorf("%s is out of range", n)
	}
	return v, nil
}
