//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"misstep/internal/kafkatest"
	"misstep/internal/require"
)

// kafkaWorld is a broker with users and ACLs, Kafka's own tools and kcat.
type kafkaWorld struct {
	t        *testing.T
	b        *kafkatest.Broker
	bin      string // of the tools
	config   string // of the detector, as the user alice
	password string // its file
}

func newKafkaWorld(t *testing.T) *kafkaWorld {
	t.Helper()
	w := &kafkaWorld{t: t, bin: t.TempDir()}
	w.b = kafkatest.Start(t, kafkatest.Options{Secured: true, Authorize: true, Users: map[string]string{"alice": "alice-secret"}})
	if err := w.b.Scripts(w.bin); err != nil {
		t.Fatal(err)
	}
	w.password = w.write("password", "alice-secret\n")
	w.config = w.write("misstep.yaml", fmt.Sprintf(`data: %q
http: {listen: "127.0.0.1:0"}
log: {format: json}
kafka:
  brokers: [%q]
  tls: {ca_file: %q}
  sasl: {mechanism: SCRAM-SHA-512, user: alice, password_file: %q}
`, filepath.Join(t.TempDir(), "data"), w.b.Listener(kafkatest.SASLTLS), w.b.Authority.CAFile(), w.password))
	return w
}

func (w *kafkaWorld) write(name, text string) string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// tool runs a program with what it reads, and gives what it writes.
func (w *kafkaWorld) tool(stdin, name string, args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PATH="+w.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if path := filepath.Join(w.bin, name); strings.HasSuffix(name, ".sh") {
		cmd.Path, cmd.Err = path, nil
	}
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%s %q: %v: %s%s", name, args, err, out.String(), errs.String())
	}
	return out.String()
}

func (w *kafkaWorld) kcat(stdin string, args ...string) string {
	w.t.Helper()
	if _, err := exec.LookPath("kcat"); err != nil {
		require.Cannot(w.t, "there is no kcat, so what other clients write and read on Kafka is left out; install it (Debian: apt-get install kcat)")
	}
	return w.tool(stdin, "kcat", append([]string{"-b", w.b.Addr(), "-q"}, args...)...)
}

// story is what n trajectories do, as lines of key, tab, value.
func story(name string, n int) string {
	var b strings.Builder
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		for _, step := range []string{
			`{"trajectory_id":%q,"id":"1","workflow":"support","kind":"task_start","task":{"tools":[{"name":"search"}]}}`,
			`{"trajectory_id":%q,"id":"2","kind":"tool_call","call":{"tool":"teleport","arguments":{"to":"Oslo"}}}`,
			`{"trajectory_id":%q,"id":"3","kind":"task_end","outcome":{"status":"success","scored_by":"check"}}`,
		} {
			fmt.Fprintf(&b, "%s\t"+step+"\n", id, id)
		}
	}
	return b.String()
}

// consumed are messages of a topic as kcat sees them: key, headers, value.
func (w *kafkaWorld) consumed(topic string) [][3]string {
	w.t.Helper()
	var out [][3]string
	for line := range strings.Lines(w.kcat("", "-C", "-t", topic, "-o", "beginning", "-e", "-f", `%k\t%h\t%s\n`)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if len(f) != 3 {
			w.t.Fatalf("kcat writes %q", line)
		}
		out = append(out, [3]string(f))
	}
	return out
}

// waitFor gives the messages of a topic once there are n.
func (w *kafkaWorld) waitFor(topic string, n int) [][3]string {
	w.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * patience); ; {
		got := w.consumed(topic)
		if len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s has %d messages, want %d: %q", topic, len(got), n, got)
		}
		<-tick.C
	}
}

// TestKafkaWithOthers: the printed commands make what is needed and the printed
// rights suffice; what kcat and Java produce with murmur2 keys is judged, what
// lies in another partition is not; and what is put out is read back by kcat and
// Java as the schemas say.
func TestKafkaWithOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds of Java")
	}
	w := newKafkaWorld(t)
	plain := w.write("plain.yaml", fmt.Sprintf("kafka: {brokers: [%q]}\n", w.b.Addr()))
	script := output(t, "topics", "--for", "kafka", "-c", plain, "--partitions", "3", "--principal", "User:alice")
	w.tool(script, "sh", "-e")
	if code := run([]string{"doctor", "-c", w.config}, strings.NewReader(""), &bytes.Buffer{}, os.Stderr); code != exitDone {
		t.Errorf("the doctor gives %d", code)
	}
	d := spawn(t, "detector", "run", "-c", w.config)
	d.logged("started")

	const each = 8
	w.kcat(story("kcat", each), "-P", "-t", "agent.steps", "-K", "\t", "-X", "topic.partitioner=murmur2_random")
	w.tool(story("java", each), "kafka-console-producer.sh", "--bootstrap-server", w.b.Addr(), "--topic", "agent.steps",
		"--reader-property", "parse.key=true")
	got := w.waitFor("agent.failures", 4*each) // opened, and resolved at the end of the task
	var want []string
	for i := range each {
		want = append(want, fmt.Sprintf("java-%d", i), fmt.Sprintf("kcat-%d", i))
	}
	slices.Sort(want)
	failures := compile(t, "failure")
	var keys, values []string
	for _, m := range got {
		keys, values = append(keys, m[0]), append(values, m[2])
		valid(t, failures, m[2])
		if !strings.Contains(m[1], "misstep-origin=agent.steps/") || !strings.Contains(m[1], "trajectory_id="+m[0]) {
			t.Errorf("headers %s of key %s", m[1], m[0])
		}
		if !strings.Contains(m[2], `"rule":"invented_tool"`) || !strings.Contains(m[2], `"trajectory_id":"`+m[0]+`"`) {
			t.Errorf("%s: %s", m[0], m[2])
		}
	}
	slices.Sort(keys)
	if once := slices.Compact(slices.Clone(keys)); !slices.Equal(once, want) || len(keys) != 4*each {
		t.Errorf("failures of %q, want %q twice", keys, want)
	}
	java := w.tool("", "kafka-console-consumer.sh", "--bootstrap-server", w.b.Addr(), "--topic", "agent.failures", "--from-beginning",
		"--max-messages", fmt.Sprint(len(got)), "--timeout-ms", "60000")
	lines := strings.Split(strings.TrimSpace(java), "\n")
	slices.Sort(lines)
	if slices.Sort(values); !slices.Equal(lines, values) {
		t.Errorf("Java reads %q, kcat %q", lines, values)
	}
	tasks := compile(t, "task")
	n := 0
	for _, m := range w.waitFor("agent.tasks", 2*each) {
		if strings.Contains(m[2], `"type":"task"`) {
			valid(t, tasks, m[2])
			n++
		}
	}
	if n < 2*each {
		t.Errorf("%d task records", n)
	}
	if got := w.consumed("agent.deadletter"); len(got) > 0 {
		t.Errorf("dead letters %q", got)
	}

	// Keys by another partitioner: some lie where murmur2 puts them by chance.
	w.kcat(story("crc", each), "-P", "-t", "agent.steps", "-K", "\t", "-X", "topic.partitioner=consistent")
	letters := compile(t, "deadletter")
	for _, m := range w.waitFor("agent.deadletter", 3) {
		valid(t, letters, m[2])
		if !strings.Contains(m[2], `"reason":"key"`) {
			t.Errorf("dead letter %s", m[2])
		}
	}
	d.signal(syscall.SIGTERM)
	if code := d.exit(); code != exitDone {
		t.Errorf("exit code %d:\n%s", code, d.log.String())
	}
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	path := "../../fixtures/schema/" + name + ".schema.json"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(path, tree); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, value string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil || !json.Valid([]byte(value)) {
		t.Errorf("%s: %v", value, err)
	}
}
