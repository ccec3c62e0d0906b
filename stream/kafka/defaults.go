package kafka

import (
	"errors"
	"fmt"
	"regexp"
)

// Names of topics and groups where configuration gives no others.
const (
	StepsTopic       = "agent.steps"
	FailuresTopic    = "agent.failures"
	TasksTopic       = "agent.tasks"
	DirectivesTopic  = "agent.directives"
	DeadLetterTopic  = "agent.deadletter"
	GapsTopic        = "agent.gaps"
	CheckpointsTopic = "agent.checkpoints"
	Group            = "misstep"
)

const maxTopic = 249

var topicPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// CheckTopic says what is wrong with the name of a topic.
func CheckTopic(s string) error {
	switch {
	case s == "", !topicPattern.MatchString(s):
		return errors.New("a topic's name has letters, digits, '.', '_' and '-'")
	case s == ".", s == "..":
		return errors.New("'.' and '..' are not names of topics")
	case len(s) > maxTopic:
		return fmt.Errorf("a topic's name has %d letters at the most", maxTopic)
	}
	return nil
}

// Compressions lists what outputs can be compressed with.
func Compressions() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }
