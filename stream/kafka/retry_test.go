package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err, want error
	}{
		{kafka.NotLeaderForPartition, ErrUnavailable},
		{kafka.LeaderNotAvailable, ErrUnavailable},
		{kafka.BrokerNotAvailable, ErrUnavailable},
		{kafka.NotEnoughReplicas, ErrUnavailable},
		{kafka.GroupCoordinatorNotAvailable, ErrUnavailable},
		{kafka.NotCoordinatorForGroup, ErrUnavailable},
		{kafka.GroupLoadInProgress, ErrUnavailable},
		{kafka.RequestTimedOut, ErrUnavailable},
		{kafka.InvalidMessage, ErrUnavailable},
		{protocol.NewErrNoLeader("t", 1), ErrUnavailable},
		{io.EOF, ErrUnavailable},
		{io.ErrUnexpectedEOF, ErrUnavailable},
		{syscall.ECONNRESET, ErrUnavailable},
		{context.DeadlineExceeded, ErrUnavailable},
		{kafka.UnknownTopicOrPartition, ErrNoTopic},
		{protocol.NewErrNoTopic("t"), ErrNoTopic},
		{protocol.NewErrNoPartition("t", 1), ErrNoTopic},
		{kafka.TopicAuthorizationFailed, ErrDenied},
		{kafka.GroupAuthorizationFailed, ErrDenied},
		{kafka.SASLAuthenticationFailed, ErrCredentials},
		{errors.New("remote error: tls: bad certificate"), ErrCredentials},
		{kafka.OffsetOutOfRange, ErrOutOfRange},
		{kafka.IllegalGeneration, ErrStale},
		{kafka.UnknownMemberId, ErrStale},
		{kafka.MessageSizeTooLarge, ErrTooLarge},
		{kafka.MessageTooLargeError{}, ErrTooLarge},
		{context.Canceled, context.Canceled},
		{kafka.InvalidTopic, kafka.InvalidTopic},
	} {
		for _, err := range []error{c.err, fmt.Errorf("call: %w", c.err)} {
			got := Classify(err)
			if !errors.Is(got, c.want) || !errors.Is(got, c.err) && !strings.Contains(got.Error(), c.err.Error()) {
				t.Errorf("%v: got %v, want %v", err, got, c.want)
			}
			if again := Classify(got); again.Error() != got.Error() {
				t.Errorf("classified twice: %v", again)
			}
		}
	}
	if err := Classify(nil); err != nil {
		t.Error(err)
	}
}

func TestDo(t *testing.T) {
	stopped := errors.New("stopped")
	for _, c := range []struct {
		name  string
		errs  []error // of the calls; the last again and again
		calls int     // 0: not looked at
		least time.Duration
		most  time.Duration
		want  error
		text  string
	}{
		{"at once", []error{nil}, 1, 0, 0, nil, ""},
		{"a closed connection costs nothing", []error{io.EOF, nil}, 2, 0, 0, nil, ""},
		{"a leader that moves", []error{kafka.NotLeaderForPartition, kafka.NotLeaderForPartition, protocol.NewErrNoLeader("t", 0), nil}, 4, 60 * time.Millisecond, 60 * time.Millisecond, nil, ""},
		{"for long", []error{kafka.LeaderNotAvailable}, 0, 10 * time.Second, 11 * time.Second, ErrUnavailable, "fetch: the Kafka cluster is not available"},
		{"no topic", []error{kafka.UnknownTopicOrPartition}, 0, 3 * time.Second, 4 * time.Second, ErrNoTopic, "`detector topics --for kafka` prints the commands"},
		{"a new topic", []error{kafka.UnknownTopicOrPartition, kafka.UnknownTopicOrPartition, nil}, 3, 20 * time.Millisecond, 20 * time.Millisecond, nil, ""},
		{"denied", []error{kafka.TopicAuthorizationFailed}, 1, 0, 0, ErrDenied, "`detector topics --for kafka` prints the ACLs"},
		{"stale", []error{kafka.IllegalGeneration}, 1, 0, 0, ErrStale, "fetch: "},
		{"another", []error{kafka.InvalidTopic}, 1, 0, 0, kafka.InvalidTopic, "fetch: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				cl := &Cluster{pool: &kafka.Transport{}, opts: ConnectOptions{Patience: 10 * time.Second, Logger: zerolog.New(&said)}}
				calls, began := 0, time.Now()
				err := cl.Do(t.Context(), "fetch", func(context.Context) error {
					calls++
					return c.errs[min(calls, len(c.errs))-1]
				})
				if took := time.Since(began); took < c.least || took > c.most || c.calls != 0 && calls != c.calls {
					t.Errorf("%d calls in %v", calls, took)
				}
				if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v, want %v, %s", err, c.want, c.text)
				}
				if told := strings.Count(said.String(), "trying again"); (told > 0) != (c.most > time.Second) || told > 2 {
					t.Errorf("it says %s", said.String())
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		cl := &Cluster{pool: &kafka.Transport{}}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(stopped) })
		err := cl.Do(ctx, "x", func(context.Context) error { return io.EOF })
		if !errors.Is(err, stopped) {
			t.Errorf("got %v", err)
		}
		began := time.Now()
		err = cl.Do(t.Context(), "x", func(ctx context.Context) error {
			if time.Since(began) > 0 {
				return nil
			}
			<-ctx.Done() // a call that hangs
			return ctx.Err()
		})
		if took := time.Since(began); err != nil || took != requestTimeout {
			t.Errorf("%v after %v", err, took)
		}
	})
}
