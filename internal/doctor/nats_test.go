package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"misstep/internal/config"
	"misstep/stream/jetstream"
)

// natsServer is a server of somebody's own: admin may do all, user what is
// printed for a detector, and reader little.
func natsServer(t *testing.T) (url string, js natsjs.JetStream) {
	t.Helper()
	dir := t.TempDir()
	var publish []string
	for _, r := range jetstream.Roles(jetstream.TopicsOptions{}) {
		if r.Name == "detect" || r.Name == "intake" {
			publish = append(publish, r.Publish...)
		}
	}
	quoted := func(s []string) string { return `"` + strings.Join(s, `", "`) + `"` }
	conf := `jetstream { store_dir: "` + filepath.ToSlash(dir) + `/js" }
authorization { users: [
  { user: admin, password: pw }
  { user: user, password: pw, permissions: { publish: [` + quoted(append(publish, "$SYS.REQ.USER.INFO")) + `], subscribe: ["` + jetstream.InboxPrefix + `.>"] } }
  { user: reader, password: pw, permissions: { publish: [` + quoted(append(publish[1:3], "$JS.API.INFO", "$SYS.REQ.USER.INFO")) + `], subscribe: ["` + jetstream.InboxPrefix + `.>"] } }
] }`
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.NoLog, opts.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("admin", "pw"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if js, err = natsjs.New(nc); err != nil {
		t.Fatal(err)
	}
	return s.ClientURL(), js
}

func TestNATS(t *testing.T) {
	url, js := natsServer(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("pw"), 0o600); err != nil {
		t.Fatal(err)
	}
	as := func(user string) *config.NATS {
		c, err := config.Parse("test", []byte("nats: {url: '"+url+"', user: "+user+", password_file: '"+password+"'}"))
		if err != nil {
			t.Fatal(err)
		}
		return &c.NATS
	}
	r, err := NATS(t.Context(), as("user"))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, r, "ok       connection  ", "ok       rights      detect and intake may do what they do",
		"wrong    streams     stream AGENT_STEPS: ", "`detector topics --for nats` prints the commands")

	for _, c := range []natsjs.StreamConfig{
		{Name: jetstream.StepsStream, Subjects: []string{"agent.steps"}, MaxAge: time.Minute},
		{Name: jetstream.ResultsStream, Subjects: []string{"agent.failures.>", "agent.directives.>", "agent.tasks", "agent.slis.>", "agent.budgets.>", "agent.verdicts.>", "agent.incidents.>", "agent.deadletter", "agent.gaps", "agent.fence.>"}, AllowRollup: true, AllowMsgTTL: true, AllowAtomicPublish: true},
		{Name: jetstream.CheckpointsStream, Subjects: []string{"agent.checkpoint.>"}},
	} {
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range []string{`{"trajectory_id":"t","id":"1","kind":"tool_call","call":{"tool":"x"}}`, `no JSON`} {
		if _, err := js.Publish(t.Context(), "agent.steps", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = NATS(t.Context(), as("user")); err != nil {
		t.Fatal(err)
	}
	holds(t, r, "warning  streams     AGENT_STEPS does not take agent.steps, or subjects below it", "AGENT_STEPS keeps steps for 1m0s",
		"ok       clocks      the server's clock is within 2s", "ok       lag         no detector has put out anything yet; AGENT_STEPS holds 2 messages",
		"wrong    steps       1 of 2 steps cannot be read", "all of the steps have no time", "all of the trajectories do not name their tools")

	if r, err = NATS(t.Context(), as("reader")); err != nil {
		t.Fatal(err)
	}
	holds(t, r, "wrong    rights      there is no right to publish to ", "agent.failures.>")
	if r.Wrong() == 0 {
		t.Error("nothing is wrong")
	}
	if _, err := NATS(t.Context(), as("nobody")); err == nil || !strings.Contains(err.Error(), `the server refuses user "nobody"`) {
		t.Errorf("got %v", err)
	}
}

func TestEmbedded(t *testing.T) {
	r, err := NATS(t.Context(), &config.Default().NATS)
	if err != nil || r.Wrong() > 0 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{">", "a.b", true},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{"a.*", "a.b", true},
		{"a.*", "a.>", false},
		{"a.>", "a.>", true},
		{"a.b", "a.*", false},
		{"a.*", "a.b.c", false},
		{"a.b.c", "a.b", false},
	} {
		if got := covers(c.pattern, c.subject); got != c.want {
			t.Errorf("%s covers %s: %t", c.pattern, c.subject, got)
		}
	}
	if may([]string{"a.>"}, []string{"a.b"}, "a.>") || !may(nil, []string{"b"}, "a") || may([]string{"a"}, nil, "b") {
		t.Error("a denied part counts for nothing, or an allowed one for all")
	}
}
