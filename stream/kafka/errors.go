package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Errors that callers tell apart. Test for them with errors.Is.
var (
	// ErrUnavailable says that the cluster cannot be reached, does not answer,
	// or has no leader at the moment: the same may work later. What was written
	// may be there or not.
	ErrUnavailable = errors.New("the Kafka cluster is not available")
	// ErrDenied says that an ACL is missing.
	ErrDenied = errors.New("the Kafka cluster denies it")
	// ErrCredentials says that the cluster does not take this client for who it
	// says it is.
	ErrCredentials = errors.New("the Kafka cluster refuses the credentials")
	// ErrNoTopic says that a topic or a partition is not there.
	ErrNoTopic = errors.New("topic is not there")
	// ErrOutOfRange says that an offset is not in the log.
	ErrOutOfRange = errors.New("offset is not in the log")
	// ErrStale says that a member of a group, or its generation, is not the
	// group's any more: another process has the partitions now.
	ErrStale = errors.New("group has gone on without this process")
	// ErrTooLarge says that a message is larger than the topic takes.
	ErrTooLarge = errors.New("message is larger than the topic takes")
)

// Classify wraps an error of the client library into the one of this package
// that it means. Others, and a context that was cancelled, it gives back as
// they are.
func Classify(err error) error {
	if kind := kindOf(err); kind != nil && !errors.Is(err, kind) {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

func kindOf(err error) error {
	var code kafka.Error
	var tooLarge kafka.MessageTooLargeError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return nil
	case errors.As(err, &tooLarge):
		return ErrTooLarge
	case errors.As(err, &code):
		return kindOfCode(code)
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return ErrNoTopic
	case errors.Is(err, protocol.ErrNoLeader), strings.Contains(err.Error(), "mismatching leaders"):
		return ErrUnavailable
	case refusedTLS(err):
		return ErrCredentials
	case broken(err):
		return ErrUnavailable
	}
	return nil
}

func kindOfCode(code kafka.Error) error {
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID:
		return ErrNoTopic
	case kafka.OffsetOutOfRange:
		return ErrOutOfRange
	case kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed:
		return ErrDenied
	case kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return ErrCredentials
	case kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.FencedInstanceID:
		return ErrStale
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return ErrTooLarge
	case kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.RebalanceInProgress:
		return ErrUnavailable
	case kafka.InvalidMessage: // its checksum was wrong: the network, or the disk
		return ErrUnavailable
	}
	if code.Temporary() {
		return ErrUnavailable
	}
	return nil
}

// broken reports whether the connection, not what was asked, is the trouble. A
// pooled connection that the broker has closed shows as EOF.
func broken(err error) bool {
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &network)
}

// mended adds to an error of a running program what to do about it.
func mended(err error) error {
	const topics = "`detector topics --for kafka` prints"
	switch {
	case errors.Is(err, ErrDenied):
		return fmt.Errorf("%w; %s the ACLs that are needed", err, topics)
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("%w; raise its max.message.bytes", err)
	case errors.Is(err, ErrNoTopic):
		return fmt.Errorf("%w; %s the commands that make it, and the ACLs without which it is not seen", err, topics)
	}
	return err
}
