package jetstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"misstep/stream"
)

// external connects to a server of the user's.
func external(t testing.TB) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	s := natsServer(t, withJetStream)
	nc, err := Connect(t.Context(), ConnectOptions{URLs: []string{s.ClientURL()}, Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func create(t testing.TB, js jetstream.JetStream, c jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	s, err := createStream(t.Context(), js, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenExternal(t *testing.T) {
	nc, js := external(t)
	try := func(opts ExternalOptions, want string) External {
		t.Helper()
		e, err := OpenExternal(t.Context(), nc, opts)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", opts, err, want)
		}
		return e
	}
	try(ExternalOptions{}, "stream AGENT_STEPS: nats: API error: code=404 err_code=10059 description=stream not found; `detector topics --for nats` prints")
	try(ExternalOptions{Stream: "MINE", Create: true}, "stream MINE: it does not exist; correct nats.stream, or make it: only AGENT_STEPS is made on demand")
	mine := jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my.*"}, MaxMsgs: 5}
	create(t, js, mine)
	try(ExternalOptions{Stream: "MINE"}, "stream AGENT_RESULTS: nats: API error: code=404")
	create(t, js, jetstream.StreamConfig{Name: ResultsStream, Subjects: resultSubjects[1:]})
	try(ExternalOptions{Stream: "MINE"}, "stream AGENT_RESULTS: it lacks --allow-rollup, --allow-msg-ttl, --allow-batch, the subject agent.failures.>; edit it as")
	if e := try(ExternalOptions{Stream: "MINE", Create: true}, ""); e.TakesSteps {
		t.Error("a stream takes a subject that it does not have")
	}
	if e := try(ExternalOptions{Stream: "MINE"}, ""); e.TakesSteps {
		t.Error("a stream takes a subject that it does not have")
	}
	if e := try(ExternalOptions{Create: true}, ""); !e.TakesSteps {
		t.Error("our own stream does not take steps")
	}
	try(ExternalOptions{Stream: "MINE", Subject: "my.steps"}, "")
	try(ExternalOptions{Stream: "MINE", Subject: "my.steps.>"}, "stream MINE has the subjects my.*, of which none can be my.steps.>; correct nats.subject")
	s, err := js.Stream(t.Context(), "MINE")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().Config; fmt.Sprint(got.Subjects) != "[my.*]" || got.MaxMsgs != 5 {
		t.Errorf("the user's stream is now %+v", got)
	}
	create(t, js, jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work"}, Retention: jetstream.WorkQueuePolicy})
	create(t, js, jetstream.StreamConfig{Name: "INTEREST", Subjects: []string{"interest"}, Retention: jetstream.InterestPolicy})
	try(ExternalOptions{Stream: "WORK"}, "stream WORK has work queue retention, so messages are gone once they are consumed and cannot be read again after a restart: add a stream with limits retention that has WORK as its source")
	try(ExternalOptions{Stream: "INTEREST"}, "stream INTEREST has interest retention")
}

func TestTakes(t *testing.T) {
	for _, c := range []struct {
		of, s string
		want  bool
	}{
		{"a", "a", true},
		{"a", "a.b", false},
		{"a.b", "a", false},
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{">", "a", true},
		{"*.b", "a.b", true},
		{"*.b", "a.c", false},
	} {
		if takes([]string{"other", c.of}, c.s) != c.want {
			t.Errorf("%s for %s: want %t", c.of, c.s, c.want)
		}
	}
}

func TestCollide(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a.b", false},
		{"a.*", "a.b", true},
		{"a.*", "*.b", true},
		{"a.*", "b.*", false},
		{"a.>", "a.*.c", true},
		{"a.>", "a", false},
		{"a.>", "*", false},
		{">", "a.b", true},
		{"a.*", "a.b.>", false},
	} {
		if collide(c.a, c.b) != c.want || collide(c.b, c.a) != c.want {
			t.Errorf("%s and %s: want %t", c.a, c.b, c.want)
		}
	}
}

func readAll(t *testing.T, l *Log, n int) string {
	t.Helper()
	var got []string
	for len(got) < n {
		dst := make([]stream.Record, n-len(got))
		m, err := l.Read(t.Context(), dst)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range dst[:m] {
			got = append(got, fmt.Sprintf("%d:%s", r.Offset, r.Value))
		}
	}
	return strings.Join(got, " ")
}

// TestALogOfAnyStream reads a stream that misstep did not make: with a subject
// of its own, whose beginning is gone, and with messages that look like the
// server's.
func TestALogOfAnyStream(t *testing.T) {
	nc, js := external(t)
	create(t, js, jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my.>"}, MaxMsgs: 12})
	for i := 1; i <= 20; i++ {
		msg := nats.NewMsg([]string{"my.a", "my.b.x", "my.b.y"}[i%3])
		msg.Data = fmt.Append(nil, i)
		if i == 16 {
			msg.Data = nil
			msg.Header.Set("Status", "409")
			msg.Header.Set("Description", "Consumer Deleted")
		}
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		subject, want, gaps string
		from                int64
		n                   int
	}{
		{"", "9:9 10:10 11:11 12:12 13:13 14:14 15:15 16: 17:17 18:18 19:19 20:20", "1-8", 0, 12},
		{"", "12:12 13:13", "", 12, 2},
		{"my.a", "9:9 12:12 15:15 18:18", "1-8", 0, 4},
		{"my.b.*", "10:10 11:11 13:13 14:14 16: 17:17 19:19 20:20", "5-8", 5, 8},
		{"my.b.x", "13:13 16: 19:19", "", 11, 3},
	} {
		var gaps []string
		var trouble []error
		l := openLog(t, nc, LogOptions{
			Stream: "MINE", Subject: c.subject, From: c.from, OnGap: func(from, to int64) { gaps = append(gaps, fmt.Sprintf("%d-%d", from, to)) },
			OnError: func(err error) { trouble = append(trouble, err) },
		})
		if got := readAll(t, l, c.n); got != c.want || strings.Join(gaps, " ") != c.gaps || len(trouble) > 0 {
			t.Errorf("%q from %d: read %s, gaps %s, trouble %v; want %s, gaps %s", c.subject, c.from, got, gaps, trouble, c.want, c.gaps)
		}
	}
}

// TestAGapWithoutMessages: what is gone is told, though no message of the
// subject comes after it.
func TestAGapWithoutMessages(t *testing.T) {
	nc, js := external(t)
	create(t, js, jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my.>"}, MaxMsgs: 2})
	for range 5 {
		if _, err := js.Publish(t.Context(), "my.a", nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	gap := ""
	l := openLog(t, nc, LogOptions{Stream: "MINE", Subject: "my.b", OnGap: func(from, to int64) {
		gap = fmt.Sprintf("%d-%d", from, to)
		cancel()
	}})
	if _, err := l.Read(ctx, make([]stream.Record, 1)); !errors.Is(err, context.Canceled) || gap != "1-3" {
		t.Errorf("got %v, gap %s", err, gap)
	}
}

// TestALogThatIsOvertaken: retention takes what a slow reader has not read,
// and the reader says so, also with a subject.
func TestALogThatIsOvertaken(t *testing.T) {
	for _, subject := range []string{"", "my.a"} {
		nc, js := external(t)
		s := create(t, js, jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my.>"}})
		publish := func(from, to int) {
			for i := from; i <= to; i++ {
				if _, err := js.Publish(t.Context(), "my.a", fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		publish(1, 2)
		gaps := ""
		l := openLog(t, nc, LogOptions{Stream: "MINE", Subject: subject, OnGap: func(from, to int64) { gaps += fmt.Sprintf("%d-%d ", from, to) }})
		if got := readAll(t, l, 2); got != "1:1 2:2" {
			t.Fatalf("read %s", got)
		}
		if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(3)); err != nil {
			t.Fatal(err)
		}
		if err := js.DeleteConsumer(t.Context(), "MINE", l.consumer); err != nil { // so that none of what comes is on its way
			t.Fatal(err)
		}
		publish(3, 5000)
		if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(4999)); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, l, 2); got != "4999:4999 5000:5000" || gaps != "3-4998 " {
			t.Errorf("subject %q: read %s, gaps %s", subject, got, gaps)
		}
	}
}

// TestAReaderThatIsSlow is overtaken by retention while its consumer goes on.
func TestAReaderThatIsSlow(t *testing.T) {
	const n = 10_000
	for _, subject := range []string{"", "my.a"} {
		nc, js := external(t)
		create(t, js, jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my.a"}, MaxMsgs: 100, Storage: jetstream.MemoryStorage})
		gone, gaps, read := int64(0), 0, 0
		l := openLog(t, nc, LogOptions{Stream: "MINE", Subject: subject, OnGap: func(from, to int64) { gone += to - from + 1; gaps++ }})
		p, err := NewPublisher(nc, PublisherOptions{Stream: "MINE", Subject: "my.a", Timeout: patience})
		if err != nil {
			t.Fatal(err)
		}
		msgs := make([]StepMessage, n)
		dst := make([]stream.Record, 64)
		last := int64(0)
		take := func() {
			m, err := l.Read(t.Context(), dst)
			if err != nil {
				t.Fatal(err)
			}
			read += m
			last = dst[m-1].Offset
		}
		if err := p.Publish(t.Context(), msgs[:1]); err != nil {
			t.Fatal(err)
		}
		take() // so that it has its consumer
		if err := p.Publish(t.Context(), msgs[1:]); err != nil {
			t.Fatal(err)
		}
		for last < n {
			take()
		}
		// With a subject it is looked for now and then.
		if sum := int64(read) + gone; gone == 0 || gaps == 0 || sum > n || subject == "" && sum < n {
			t.Errorf("subject %q: read %d, %d gone in %d gaps, want %d in all", subject, read, gone, gaps, n)
		}
	}
}

// TestAStreamMadeAnew is not taken for the one before, however long it is.
func TestAStreamMadeAnew(t *testing.T) {
	nc, js := external(t)
	mine := jetstream.StreamConfig{Name: "MINE", Subjects: []string{"my"}}
	fill := func(n int) {
		create(t, js, mine)
		for i := range n {
			if _, err := js.Publish(t.Context(), "my", fmt.Append(nil, i+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(3)
	l := openLog(t, nc, LogOptions{Stream: "MINE"})
	readAll(t, l, 3)
	before := l.Identity()
	if err := js.DeleteStream(t.Context(), "MINE"); err != nil {
		t.Fatal(err)
	}
	fill(10)
	_, err := l.Read(t.Context(), make([]stream.Record, 1))
	if !errors.Is(err, ErrOtherStream) || !strings.Contains(err.Error(), before) {
		t.Errorf("got %v", err)
	}
	if again := openLog(t, nc, LogOptions{Stream: "MINE"}); again.Identity() == before {
		t.Errorf("both are %s", before)
	}
}

func TestPublishGap(t *testing.T) {
	nc, js := external(t)
	if _, err := OpenExternal(t.Context(), nc, ExternalOptions{Create: true}); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, g := range []Gap{{From: 1, To: 9}, {From: 1, To: 9}, {From: 2, To: 8}, {From: 1, To: 10}, {Partition: 1, From: 1, To: 10}} {
		g.Source, g.Time = "S", at
		if err := PublishGap(t.Context(), nc, g); err != nil {
			t.Fatal(err)
		}
	}
	s, err := js.Stream(t.Context(), ResultsStream)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	m, err := s.GetMsg(t.Context(), 1)
	if want := `{"v":1,"time":"2026-03-02T09:00:00Z","source":"S","partition":0,"from":1,"to":9}`; err != nil || string(m.Data) != want || m.Subject != "agent.gaps" {
		t.Errorf("got %v, %v; want %s", m, err, want)
	}
	schema, err := jsonschema.NewCompiler().Compile("../../fixtures/schema/gap.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Data))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Error(err)
	}
	for name := range v.(map[string]any) {
		less := maps.Clone(v.(map[string]any))
		delete(less, name)
		if schema.Validate(less) == nil {
			t.Errorf("the schema takes an event without %s", name)
		}
	}
}
