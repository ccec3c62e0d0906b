package sinks

import (
	"encoding/json"
	"fmt"
	"time"
)

// The kinds of records that followers read.
const (
	KindFailure   = "failure"
	KindIncident  = "incident"
	KindBudget    = "budget"
	KindVerdict   = "verdict"
	KindDirective = "directive"
)

// Kinds lists them.
func Kinds() []string {
	return []string{KindFailure, KindIncident, KindBudget, KindVerdict, KindDirective}
}

// Note is what a destination tells of a record. All of it may be foreign text.
type Note struct {
	Kind string `json:"-"`
	ID   string `json:"id"`
	Rev  int    `json:"rev"`

	TrajectoryID string `json:"trajectory_id"`
	TaskID       string `json:"task_id"`
	Workflow     string `json:"workflow"`
	Agent        string `json:"agent"`
	Release      string `json:"release"`
	Tenant       string `json:"tenant"`

	Class       string `json:"class"`
	Rule        string `json:"rule"`
	Subject     string `json:"subject"`
	Severity    string `json:"severity"`
	State       string `json:"state"`
	Message     string `json:"message"`
	Fingerprint string `json:"fingerprint"`
	Level       string `json:"level"`  // of a directive
	Reason      string `json:"reason"` // of a directive

	Time       time.Time   `json:"time"` // zero: the record has none
	Confidence json.Number `json:"confidence"`
	Count      int         `json:"count"`
	Recovered  bool        `json:"recovered"`
	Wasted     struct {
		Tokens  int64       `json:"tokens"`
		CostUSD json.Number `json:"cost_usd"`
	} `json:"wasted"`
	Evidence []struct {
		Seq  *int64 `json:"seq"`
		ID   string `json:"id"`
		Note string `json:"note"`
	} `json:"evidence"`

	// Encoded is the record as it stands on the wire.
	Encoded json.RawMessage `json:"-"`
}

// Key is the idempotency key: ID/Rev.
func (n *Note) Key() string { return fmt.Sprintf("%s/%d", n.ID, n.Rev) }

// Resolved reports whether what the record tells of is over.
func (n *Note) Resolved() bool { return n.State == "resolved" }

// NewNote reads a record of a kind. Fields that it does not know are ignored.
func NewNote(kind string, encoded []byte) (*Note, error) {
	n := &Note{}
	if err := json.Unmarshal(encoded, n); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if n.ID == "" {
		return nil, fmt.Errorf("%s: id is missing", kind)
	}
	n.Kind, n.Encoded = kind, encoded
	return n, nil
}

// severities order the words for how bad something is, mildest first.
var severities = map[string]int{"info": 1, "warning": 2, "error": 3, "critical": 4}

// SeverityAtLeast reports whether a severity is least or worse. A record without
// a severity passes: it is no failure.
func SeverityAtLeast(severity, least string) bool {
	return severity == "" || severities[severity] >= severities[least]
}
