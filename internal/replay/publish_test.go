package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"misstep/event"
)

// sent is a sender that notes what comes when.
type sent struct {
	begin time.Time
	log   []string // seconds since the begin, and the message
	fail  int      // the call that fails, counted from 1
	calls int
}

var errSend = errors.New("the server is away")

func (s *sent) Publish(ctx context.Context, msgs []message) error {
	if s.calls++; s.calls == s.fail {
		return errSend
	}
	for _, m := range msgs {
		s.log = append(s.log, fmt.Sprintf("%.0f %s", time.Since(s.begin).Seconds(), brief(m.value)))
	}
	return ctx.Err()
}

// brief gives the ids of the steps of a message, with their times.
func brief(value []byte) string {
	var out []string
	d := event.Decoder{MaxEvent: 1 << 20}
	d.Reset(value)
	for {
		var s event.Step
		if d.Next(&s) != nil {
			return strings.Join(out, ",")
		}
		at := ""
		if s.Time != event.None {
			at = time.Unix(0, s.Time).UTC().Format("@15:04:05")
		}
		if s.LogTime != event.None {
			at += "!"
		}
		out = append(out, string(s.ID)+at)
	}
}

const toSend = `{"trajectory_id":"t","kind":"user_message","text":"x","id":"a","time":"2020-01-01T10:00:00Z"}
{"trajectory_id":"t","kind":"user_message","text":"x","id":"b"}
nonsense
{"trajectory_id":"t","kind":"user_message","text":"x","id":"c","time":"2020-01-01T10:00:20Z"}
{"trajectory_id":"t","kind":"user_message","text":"x","id":"d","time":"2020-01-01T10:00:10Z"}
{"trajectory_id":"t","kind":"user_message","text":"x","id":"e","log_time":"2020-01-01T10:01:00Z"}
`

func TestPublish(t *testing.T) {
	for _, c := range []struct {
		name string
		o    PublishOptions
		want string
	}{
		{"max", PublishOptions{}, "0 a@10:00:00|0 b|0 c@10:00:20|0 d@10:00:10|0 e@10:01:00"},
		{"packed", PublishOptions{Pack: 3}, "0 a@10:00:00,b,c@10:00:20|0 d@10:00:10,e@10:01:00"},
		{"1x", PublishOptions{Speed: 1}, "0 a@10:00:00|0 b|20 c@10:00:20|20 d@10:00:10|60 e@10:01:00"},
		{"10x, packed", PublishOptions{Speed: 10, Pack: 64}, "0 a@10:00:00,b|2 c@10:00:20,d@10:00:10|6 e@10:01:00"},
		// A bubble begins at midnight.
		{"shifted", PublishOptions{Shift: true}, "0 a@23:59:00|0 b|0 c@23:59:20|0 d@23:59:10|0 e@00:00:00"},
		{"1x shifted", PublishOptions{Shift: true, Speed: 1}, "0 a@00:00:00|0 b|20 c@00:00:20|20 d@00:00:10|60 e@00:01:00"},
		{"10x shifted", PublishOptions{Shift: true, Speed: 10}, "0 a@23:59:06|0 b|2 c@23:59:26|2 d@23:59:16|6 e@00:00:06"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, err := Find([]string{"-"}, Auto, strings.NewReader(toSend))
				if err != nil {
					t.Fatal(err)
				}
				c.o.Inputs = in
				to := &sent{begin: time.Now()}
				done, err := publish(t.Context(), &c.o, to, 1<<20, false)
				if err != nil {
					t.Fatal(err)
				}
				got := strings.Join(to.log, "|")
				if got != c.want {
					t.Errorf("sent %s\nwant %s", got, c.want)
				}
				if done.Steps != 5 || done.Messages != int64(len(to.log)) || done.Refused.Total != 1 {
					t.Errorf("counts are %+v", done)
				}
			})
		})
	}
}

func TestPublishFails(t *testing.T) {
	line := `{"trajectory_id":"t","kind":"user_message","id":"%d","text":"` + strings.Repeat("x", 1000) + `"}` + "\n"
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, line, i)
	}
	find := func() *Inputs {
		in, err := Find([]string{"-"}, Auto, strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	done, err := publish(t.Context(), &PublishOptions{Inputs: find(), Pack: 2}, &sent{fail: 2}, 1<<20, false)
	if !errors.Is(err, errSend) || done.Steps != 1024 || done.Messages != 512 ||
		!strings.HasSuffix(err.Error(), "; 1024 steps were acknowledged, 976 more were perhaps stored besides; sending all again is harmless where steps have ids") {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := publish(t.Context(), &PublishOptions{Inputs: find()}, &sent{}, 1000, false); err == nil || !strings.Contains(err.Error(), "is larger than the server takes, 1000; raise max_payload there") {
		t.Errorf("got %v", err)
	}
	// A message is no larger than the server takes, however many steps it may hold.
	to := &sent{}
	if done, err := publish(t.Context(), &PublishOptions{Inputs: find(), Pack: 1000}, to, 10_000, false); err != nil || done.Steps != 2000 || done.Messages < 2000/9 {
		t.Errorf("%+v, %v", done, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := publish(ctx, &PublishOptions{Inputs: find()}, to, 1<<20, false); err == nil || !strings.HasPrefix(err.Error(), "interrupted; 0 steps were acknowledged") {
		t.Errorf("got %v", err)
	}
}

func TestParseSpeed(t *testing.T) {
	for s, want := range map[string]Speed{"max": 0, "1x": 1, "10x": 10, "1000x": 1000} {
		if got, err := ParseSpeed(s); err != nil || got != want {
			t.Errorf("%s is %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "0x", "-1x", "10", "1.5x", "1001x", "fast"} {
		if got, err := ParseSpeed(s); err == nil {
			t.Errorf("%q is %d", s, got)
		}
	}
}

// TestPublishKeyed: a message holds steps of one trajectory, which keep their
// order, and has it as key.
func TestPublishKeyed(t *testing.T) {
	var text strings.Builder
	for i, id := range []string{"t", "u", "t", "t", "v", "u", "t", "u", "t"} {
		fmt.Fprintf(&text, `{"trajectory_id":%q,"kind":"user_message","text":"x","id":"%s%d"}`+"\n", id, id, i)
	}
	for pack, want := range map[int]string{
		1: "t=t0 u=u1 t=t2 t=t3 v=v4 u=u5 t=t6 u=u7 t=t8",
		2: "t=t0,t2 u=u1,u5 t=t3,t6 v=v4 u=u7 t=t8",
		9: "t=t0,t2,t3,t6,t8 u=u1,u5,u7 v=v4",
	} {
		in, err := Find([]string{"-"}, Auto, strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		var got keyedSent
		out, err := publish(t.Context(), &PublishOptions{Inputs: in, Pack: pack}, &got, 1<<20, true)
		if err != nil || out.Steps != 9 || int(out.Messages) != len(got) {
			t.Errorf("pack %d: %+v, %v", pack, out, err)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("pack %d: got %s, want %s", pack, text, want)
		}
	}
}

// keyedSent are messages with their keys.
type keyedSent []string

func (s *keyedSent) Publish(_ context.Context, msgs []message) error {
	for _, m := range msgs {
		*s = append(*s, string(m.key)+"="+brief(m.value))
	}
	return nil
}
