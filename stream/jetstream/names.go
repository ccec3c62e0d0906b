// Package jetstream has the engine's logs on NATS JetStream, and an embedded
// server for when there is none. Steps come from one stream, all results go to
// another, each of them only under the fence of its owner.
package jetstream

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"misstep/stream"
)

// Names on the wire. The stream StepsStream holds the steps, ResultsStream all
// that is put out.
const (
	StepsStream   = "AGENT_STEPS"
	ResultsStream = "AGENT_RESULTS"
	// CheckpointsStream holds what restarts begin with.
	CheckpointsStream = "AGENT_CHECKPOINTS"

	// StepsSubject is for steps without a workflow; those with one go to
	// StepsSubject.WORKFLOW.
	StepsSubject = "agent.steps"

	// HeaderOrigin and HeaderTrajectory are the headers of each result.
	HeaderOrigin     = "misstep-origin"
	HeaderTrajectory = "trajectory_id"

	fencePrefix      = "agent.fence."
	checkpointPrefix = "agent.checkpoint."

	maxName, maxSubject = 255, 1024 // bytes
)

// The parts of the JetStream API that are used; a stream's name follows.
const (
	apiInfo         = "$JS.API.INFO"
	apiStreamInfo   = "$JS.API.STREAM.INFO."
	apiStreamCreate = "$JS.API.STREAM.CREATE."
	apiStreamUpdate = "$JS.API.STREAM.UPDATE."
	apiPurge        = "$JS.API.STREAM.PURGE."
	apiMessageGet   = "$JS.API.STREAM.MSG.GET."
	apiDirectGet    = "$JS.API.DIRECT.GET."
	apiCreate       = "$JS.API.CONSUMER.CREATE."
	apiDelete       = "$JS.API.CONSUMER.DELETE."
	apiNext         = "$JS.API.CONSUMER.MSG.NEXT."
	apiConsumerInfo = "$JS.API.CONSUMER.INFO."
	flowControl     = "$JS.FC."
)

// resultSubjects are what ResultsStream takes.
var resultSubjects = [...]string{
	"agent.failures.>", "agent.directives.>", "agent.tasks", "agent.slis.>", "agent.budgets.>", "agent.verdicts.>", "agent.incidents.>",
	"agent.deadletter", GapsSubject, fencePrefix + ">",
}

// Errors that callers tell apart. Test for them with errors.Is.
var (
	// ErrUnavailable says that the server cannot be reached, or does not answer.
	ErrUnavailable = errors.New("NATS is not available")
	// ErrStorage says that the server has no room for what was published.
	ErrStorage = errors.New("JetStream has no room")
	// ErrTooLarge says that a message is larger than the server takes.
	ErrTooLarge = errors.New("message is larger than the server takes")
)

// Lengths in bytes up to which names are written out. Of longer ones the
// beginning is kept, and a hash tells them apart.
const (
	maxToken  = 128
	maxHeader = 1024
)

// SubjectToken makes one token of a subject of any text: what NATS does not
// allow in one, and all that is not printable ASCII, is percent-encoded. Empty
// text is "_", and "_" itself "%5F". A token that would be longer than 128
// bytes is cut and ends with "~" and a hash of the text. Texts that differ give
// tokens that differ, but for collisions of the hash.
func SubjectToken(s string) string {
	switch s {
	case "":
		return "_"
	case "_":
		return "%5F"
	}
	return bounded(s, maxToken, func(c byte) bool {
		return c > ' ' && c < 0x7f && c != '.' && c != '*' && c != '>'
	})
}

// headerValue makes a header value of any text, likewise.
func headerValue(s string) string {
	return bounded(s, maxHeader, func(c byte) bool { return c >= ' ' && c < 0x7f })
}

func bounded(s string, limit int, plain func(c byte) bool) string {
	const hashBytes = 8
	// The text that is encoded is bounded as well: it may be of any length.
	// The mark of a cut is never plain, so no text can pass for a cut one.
	b := stream.AppendPercent(nil, s[:min(len(s), limit+1)], func(c byte) bool { return c != '~' && plain(c) })
	if len(b) <= limit {
		return string(b)
	}
	sum := sha256.Sum256([]byte(s))
	cut := limit - 2*hashBytes - 1
	for i := 1; i <= 2; i++ {
		if b[cut-i] == '%' {
			cut -= i // do not end within an escape
			break
		}
	}
	return string(b[:cut]) + "~" + hex.EncodeToString(sum[:hashBytes])
}

// subjectOf gives the subject that an output goes to.
func subjectOf(o *stream.Output) (string, error) {
	switch o.Topic {
	case stream.Failures:
		return "agent.failures." + SubjectToken(o.Class) + "." + SubjectToken(o.Workflow), nil
	case stream.Directives:
		return "agent.directives." + SubjectToken(o.Workflow), nil
	case stream.Tasks:
		return "agent.tasks", nil
	case stream.DeadLetter:
		return "agent.deadletter", nil
	}
	return "", fmt.Errorf("output %v has the unknown topic %q", o.Origin, o.Topic)
}

// StepSubject gives the subject for steps of a workflow, empty for none.
func StepSubject(workflow string) string { return workflowSubject(StepsSubject, workflow) }

func workflowSubject(subject, workflow string) string {
	if workflow == "" {
		return subject
	}
	return subject + "." + SubjectToken(workflow)
}

func fenceSubject(source string, partition int32) string {
	return fencePrefix + SubjectToken(source) + "." + strconv.Itoa(int(partition))
}

// checkpointSubject is the subject of a part of a checkpoint; id and part may
// be wildcards.
func checkpointSubject(p place, id, part string) string {
	return checkpointPrefix + SubjectToken(p.source) + "." + strconv.Itoa(int(p.partition)) + "." + id + "." + part
}

// CheckStream says what is wrong with the name of a stream.
func CheckStream(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`.*>/\`, r)
	}) {
		return fmt.Errorf("a stream's name has 1 to %d printable characters, without space, '.', '*', '>', '/' and '\\'", maxName)
	}
	return nil
}

// CheckSubject says what is wrong with a subject to publish to.
func CheckSubject(s string) error {
	if err := CheckFilter(s); err != nil {
		return err
	}
	if strings.ContainsAny(s, "*>") {
		return errors.New("steps are published there, so it has no wildcard")
	}
	return nil
}

// CheckFilter says what is wrong with a subject that may hold wildcards.
func CheckFilter(s string) error {
	tokens := strings.Split(s, ".")
	for i, t := range tokens {
		switch {
		case t == "" || strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			return errors.New("a subject has tokens with a '.' between them, none of them empty or with a space")
		case len(t) > 1 && strings.ContainsAny(t, "*>"):
			return errors.New("a wildcard, '*' or '>', is a token of its own")
		case t == ">" && i < len(tokens)-1:
			return errors.New("the wildcard '>' is the last token")
		}
	}
	if len(s) > maxSubject {
		return fmt.Errorf("a subject has at most %d bytes", maxSubject)
	}
	return nil
}
