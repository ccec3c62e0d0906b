package kafka

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/internal/kafkatest"
	"misstep/stream"
	"misstep/stream/logtest"
)

// clusterOf reaches a broker's plain listener.
func clusterOf(t testing.TB, addr string) *Cluster {
	t.Helper()
	c, err := Connect(t.Context(), ConnectOptions{Brokers: []string{addr}, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func cluster(t testing.TB) (*kafkatest.Broker, *Cluster) {
	t.Helper()
	b := secured.Start(t)
	return b, clusterOf(t, b.Addr())
}

// unique gives a name that no other test has.
func unique(name string) string { return name + "-" + rand.Text() }

func create(t testing.TB, b *kafkatest.Broker, name string, partitions int, settings map[string]string) string {
	t.Helper()
	if err := b.CreateTopic(t.Context(), name, partitions, settings); err != nil {
		t.Fatal(err)
	}
	return name
}

var appendTime = map[string]string{"message.timestamp.type": "LogAppendTime"}

func writeTo(t testing.TB, c *Cluster, topic string, partition int32, compression kafka.Compression, values ...[]byte) int64 {
	t.Helper()
	for try := 0; ; try++ {
		base, err := c.produce(t.Context(), topic, partition, valued(values...), compression) // anew, since they are read
		if err == nil {
			return base
		}
		if try > 200 || !temporary(err) {
			t.Errorf("write: %v", err)
			return -1
		}
		<-time.After(20 * time.Millisecond) // until the client has heard of the topic
	}
}

func valued(values ...[]byte) (recs []kafka.Record) {
	for _, v := range values {
		recs = append(recs, kafka.Record{Value: kafka.NewBytes(v)})
	}
	return recs
}

func TestLogConformance(t *testing.T) {
	for _, compression := range []kafka.Compression{0, kafka.Lz4} {
		t.Run(compression.String(), func(t *testing.T) {
			b, c := cluster(t)
			logtest.TestLog(t, func(t *testing.T) logtest.Log {
				topic := create(t, b, unique("log"), 2, appendTime)
				return logtest.Log{
					Append: func(t *testing.T, values ...[]byte) {
						for len(values) > 0 {
							n, size := 0, 0
							for n < len(values) && n < 100 && (n == 0 || size+len(values[n]) < 500<<10) {
								size += len(values[n])
								n++
							}
							writeTo(t, c, topic, 1, compression, values[:n]...)
							values = values[n:]
						}
					},
					Open: func(t *testing.T, from int64) stream.Log {
						l, err := OpenLog(t.Context(), c, LogOptions{Topic: topic, Partition: 1, OnError: func(err error) { t.Log(err) }})
						if err != nil {
							t.Fatal(err)
						}
						if from > 0 {
							if err := l.Seek(t.Context(), from-1, from-1); err != nil {
								t.Fatal(err)
							}
						}
						return l
					},
					MaxValue: 900 << 10,
					Timed:    true,
				}
			})
		})
	}
}

// everything reads a partition from its beginning.
func everything(t testing.TB, c *Cluster, topic string, partition int32, see func(*record)) {
	t.Helper()
	first, end, err := c.end(t.Context(), topic, partition)
	if err == nil {
		err = c.scan(t.Context(), topic, partition, first, end, fetchBytes, func(r *record) error { see(r); return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestResultsConformance(t *testing.T) {
	b, c := cluster(t)
	logtest.TestResults(t, func(t *testing.T) logtest.Results {
		topic := create(t, b, unique("failures"), 1, nil)
		return logtest.Results{
			Open: func(*testing.T) stream.Results {
				return NewResults(c, ResultsOptions{Topics: map[stream.Topic]string{stream.Failures: topic}})
			},
			Read: func(t *testing.T) (outs []stream.Output) {
				everything(t, c, topic, 0, func(r *record) {
					v, _ := r.header(HeaderOrigin)
					o, err := stream.ParseOrigin(string(v))
					if err != nil {
						t.Fatal(err)
					}
					outs = append(outs, stream.Output{Origin: o, Value: append([]byte{}, r.value...)})
				})
				return outs
			},
			MaxValue: 900 << 10,
		}
	})
}

// owners lets one member after the other be the owner of a group.
type owners struct {
	c     *Cluster
	group string
	topic string
	last  string
}

// join makes a new owner; the one before is none any more.
func (m *owners) join(t *testing.T) *Tenure {
	t.Helper()
	if m.last != "" {
		m.leave(t)
	}
	protocol := []kafka.GroupProtocol{{Name: "misstep-sticky", Metadata: kafka.GroupProtocolSubscription{Topics: []string{m.topic}}}}
	var id string
	for range 200 {
		resp, err := m.c.Client.JoinGroup(t.Context(), &kafka.JoinGroupRequest{
			GroupID: m.group, MemberID: id, SessionTimeout: 30 * time.Second, RebalanceTimeout: 10 * time.Second, ProtocolType: "consumer", Protocols: protocol,
		})
		if err == nil {
			err = resp.Error
		}
		if err != nil {
			if resp != nil && resp.MemberID != "" {
				id = resp.MemberID
			}
			<-time.After(20 * time.Millisecond) // until there is a coordinator
			continue
		}
		sync, err := m.c.Client.SyncGroup(t.Context(), &kafka.SyncGroupRequest{
			GroupID: m.group, GenerationID: resp.GenerationID, MemberID: resp.MemberID, ProtocolType: "consumer", ProtocolName: "misstep-sticky",
			Assignments: []kafka.SyncGroupRequestAssignment{{MemberID: resp.MemberID, Assignment: kafka.GroupProtocolAssignment{}}},
		})
		if err == nil {
			err = sync.Error
		}
		if err != nil {
			t.Fatal(err)
		}
		m.last = resp.MemberID
		o := newTenure(m.c, m.group, 0, time.Minute)
		o.resume(resp.GenerationID, resp.MemberID)
		return o
	}
	t.Fatal("cannot join the group")
	return nil
}

func (m *owners) leave(t *testing.T) {
	t.Helper()
	resp, err := m.c.Client.LeaveGroup(t.Context(), &kafka.LeaveGroupRequest{GroupID: m.group, Members: []kafka.LeaveGroupRequestMember{{ID: m.last}}})
	if err == nil {
		err = resp.Error
	}
	if err != nil || len(resp.Members) > 0 && resp.Members[0].Error != nil {
		t.Fatal(err, resp.Members)
	}
	m.last = ""
}

func TestCheckpointsConformance(t *testing.T) {
	b, c := cluster(t)
	for _, name := range []string{"log", "other", "log-5", "log-6", "log-7", "log-8", "log-9"} {
		create(t, b, name, 3, nil)
	}
	logtest.TestCheckpoints(t, func(t *testing.T) logtest.Checkpoints {
		failures, checkpoints := unique("failures"), unique("checkpoints")
		create(t, b, failures, 2, nil)
		compacted := map[string]string{"cleanup.policy": "compact"}
		create(t, b, checkpoints, 2, compacted)
		m := &owners{c: c, group: unique("group"), topic: "log"}
		return logtest.Checkpoints{
			PlainSources: true,
			Open: func(t *testing.T) (stream.Results, stream.Checkpoints) {
				o := m.join(t)
				r := NewResults(c, ResultsOptions{Topics: map[stream.Topic]string{stream.Failures: failures}, Group: m.group})
				s := NewCheckpoints(c, r, CheckpointsOptions{Topic: checkpoints, Group: m.group, Owner: o})
				s.forget = true // where parts are that were deleted; the broker removes them much later
				t.Cleanup(s.Close)
				return r, s
			},
			RemoveHead: func(t *testing.T, source string, partition int32) {
				m.leave(t)
				resp, err := c.Client.OffsetDelete(t.Context(), &kafka.OffsetDeleteRequest{GroupID: m.group, Topics: map[string][]int{source: {int(partition)}}})
				if err == nil {
					err = resp.Error
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			Wipe: func(t *testing.T) {
				if _, err := c.Client.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{checkpoints}}); err != nil {
					t.Fatal(err)
				}
				for range 100 {
					if err := b.CreateTopic(t.Context(), checkpoints, 2, compacted); err == nil {
						return
					}
				}
				t.Fatal("cannot make the topic again")
			},
		}
	})
}

func TestPartitioners(t *testing.T) {
	// As the Java client, librdkafka and sarama have it.
	for _, tt := range []struct {
		of   Partitioner
		key  string
		n    int
		want int32
	}{
		{Murmur2, "21", 1 << 30, int32(-973932308 & 0x7fffffff % (1 << 30))},
		{Murmur2, "foobar", 1 << 30, int32(-790332482 & 0x7fffffff % (1 << 30))},
		{Murmur2, "a-little-bit-long-string", 1 << 30, int32(-985981536 & 0x7fffffff % (1 << 30))},
		{Murmur2, "abc", 1 << 30, 479470107 % (1 << 30)},
	} {
		t.Run(fmt.Sprint(tt.of, tt.key), func(t *testing.T) {
			if got := tt.of.Of([]byte(tt.key), tt.n); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
	for i := range 1000 {
		key := []byte(strconv.Itoa(i))
		for _, b := range []struct {
			p     Partitioner
			other kafka.Balancer
		}{
			{Murmur2, kafka.Murmur2Balancer{Consistent: true}},
			{CRC32, kafka.CRC32Balancer{Consistent: true}},
			{FNV1a, &kafka.Hash{}},
		} {
			const n = 12
			all := make([]int, n)
			for j := range all {
				all[j] = j
			}
			if got, want := int(b.p.Of(key, n)), b.other.Balance(kafka.Message{Key: key}, all...); got != want {
				t.Fatalf("%s of %q: got %d, want %d", b.p, key, got, want)
			}
		}
	}
}
