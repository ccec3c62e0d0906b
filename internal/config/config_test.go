package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"misstep/detectors"
	"misstep/detectors/facts"
	"misstep/event"
)

var update = flag.Bool("update", false, "write what was found into the fixtures as what is wanted")

const fixtures = "../../fixtures/"

// TestBadConfig reads each file of fixtures/bad-config and compares the whole
// error with the comment at the file's head, in which FILE stands for its name.
// The comment is not part of what is read, so lines count from after it.
func TestBadConfig(t *testing.T) {
	files, err := filepath.Glob(fixtures + "bad-config/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, body := splitWant(string(src))
			c, err := Parse("FILE", []byte(body))
			if err == nil {
				t.Fatalf("was accepted as\n%s", c.YAML())
			}
			var list Errors
			if !errors.As(err, &list) || len(list) == 0 {
				t.Fatalf("error is a %T, want Errors", err)
			}
			for _, e := range list {
				if e.Line == 0 || e.Column == 0 {
					t.Errorf("no place in %q", e)
				}
			}
			if got := err.Error(); got != want {
				if *update {
					head := "# want: " + strings.ReplaceAll(got, "\n", "\n# want: ") + "\n"
					if err := os.WriteFile(file, []byte(head+body), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func splitWant(src string) (want, body string) {
	const mark = "# want: "
	var lines []string
	for strings.HasPrefix(src, mark) {
		line, rest, _ := strings.Cut(src, "\n")
		lines = append(lines, strings.TrimPrefix(line, mark))
		src = rest
	}
	return strings.Join(lines, "\n"), src
}

// TestExample keeps the documented file and the defaults the same, and its
// commented examples valid.
func TestExample(t *testing.T) {
	file := fixtures + "config/misstep.yaml"
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("the example means\n%+v\nthe defaults are\n%+v", c, Default())
	}
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range detectors.All() {
		if !strings.Contains(string(src), "\n  "+d.Name+":") {
			t.Errorf("the example lacks detector %s", d.Name)
		}
		for _, r := range d.Rules {
			if !strings.Contains(string(src), "\n      "+r.Name+":") {
				t.Errorf("the example lacks rule %s of %s", r.Name, d.Name)
			}
		}
	}
	// An example line is a comment that begins with a letter or two spaces;
	// prose has one space.
	shown := regexp.MustCompile(`(?m)^(tools|policies|suppressions|feedback|prices|sinks): \[\]\n`).ReplaceAllString(string(src), "")
	shown = regexp.MustCompile(`(?m)^#(([a-z]| {2}[ -] ).*)$`).ReplaceAllStringFunc(shown, func(s string) string {
		if strings.HasPrefix(s, "#   ") && !strings.HasPrefix(s, "#    ") {
			return s // a list in prose
		}
		return s[1:]
	})
	c, err = Parse("example", []byte(shown))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, shown)
	}
	yes := true
	want := []detectors.ToolConfig{
		{Name: "get_job_status", Polls: &yes},
		{Name: "search_*", Volatile: []string{"request_id", "nonce"}, Effect: event.EffectRead},
		{Name: "send_email", Effect: event.EffectIrreversible},
	}
	if !reflect.DeepEqual(c.Detect.Tools, want) {
		t.Errorf("tools %+v, want %+v", c.Detect.Tools, want)
	}
	policies := []detectors.Policy{{
		Tool: "refund_order", Workflow: "support", Grounded: facts.GroundedStrict, Confirm: true, After: []string{"verify_identity"},
		Bounds: []facts.Bound{{Param: "amount", HasMin: true, HasMax: true, Max: 500_000_000}, {Param: "currency", In: []string{"EUR", "USD"}}},
	}}
	if !reflect.DeepEqual(c.Detect.Policies, policies) {
		t.Errorf("policies %+v, want %+v", c.Detect.Policies, policies)
	}
	suppressions := []detectors.Suppression{{
		Rule: "no_progress", Workflow: "nightly-*", Subject: "get_job", Until: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		MaxSeverity: event.Info, Reason: "the queue answers only after midnight",
	}}
	if !reflect.DeepEqual(c.Detect.Suppressions, suppressions) {
		t.Errorf("suppressions %+v, want %+v", c.Detect.Suppressions, suppressions)
	}
	feedback := []detectors.Feedback{{Rule: "fabricated_argument", Workflow: "support", TruePositives: 12, FalsePositives: 3}}
	if !reflect.DeepEqual(c.Detect.Feedback, feedback) {
		t.Errorf("feedback %+v, want %+v", c.Detect.Feedback, feedback)
	}
	oncall, chat := defaultSink(), defaultSink()
	oncall.Name, oncall.Type, oncall.URL, oncall.Labels, oncall.MinSeverity = "oncall", "alertmanager", "http://alertmanager.example:9093", []Header{{"team", "agents"}}, "error"
	chat.Name, chat.Type, chat.URLFile, chat.Template, chat.GroupWait, chat.GroupMost = "chat", "webhook", "/run/secrets/slack", "slack", 30*time.Second, 20
	chat.PerMinute, chat.MinSeverity, chat.States = 10, "warning", []string{"open", "escalated"}
	if want := []Sink{oncall, chat}; !reflect.DeepEqual(c.Sinks, want) {
		t.Errorf("sinks %+v, want %+v", c.Sinks, want)
	}
	if again, err := Parse("again", []byte(c.YAML())); err != nil || !reflect.DeepEqual(again.Sinks, c.Sinks) {
		t.Errorf("what YAML writes of sinks is read as %+v, %v", again, err)
	}
	prices := []detectors.Price{{Model: "example-large*", Input: 2_500_000, Output: 10_000_000, CacheRead: 250_000, CacheWrite: 3_125_000}}
	if !reflect.DeepEqual(c.Detect.Prices, prices) {
		t.Errorf("prices %+v, want %+v", c.Detect.Prices, prices)
	}
}

const full = `
data: /var/lib/misstep
nats:
  listen: "[::1]:14222"
  sync_interval: always
  min_free: 512MiB
  steps: {max_bytes: none, max_age: 24h}
  results: {max_bytes: 1024KiB}
  token_file: /run/secrets/nats
  tls: {cert_file: c.pem, key_file: k.pem}
http:
  listen: 0.0.0.0:0
  hosts: [detector.example, "no"]
  token_file: t
  tls: {cert_file: c, key_file: k}
admin: {listen: "[::1]:4319"}
idle: 90s
retain: 2h
memory: none
checkpoint: {work: 20ms, interval: 2s}
shards: 3
detectors:
  retry_loop:
    rules:
      cycle: {enabled: false}
      same_error:
        max_severity: warning
  tool_misuse: {enabled: false}
  hallucinated_tool:
tools:
  - name: "wait*"
    polls: false
    volatile: ["no", "1"]
  - {name: "yes", effect: write}
prices:
  - model: m
    input_usd_per_mtok: "0.000001"
    output_usd_per_mtok: 1000000
budgets: {max_calls: 5, max_calls_per_tool: 2, max_cost_usd: 0.5, runaway_steps: 7}
log: {level: debug, format: json}
metrics: {max_workflows: 1, max_tools: 7}
`

func TestFull(t *testing.T) {
	c, err := Parse("full", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	no := false
	want := &Config{
		Data: "/var/lib/misstep",
		NATS: NATS{
			Listen: "[::1]:14222", Stream: "AGENT_STEPS", PublishSubject: "agent.steps", Replicas: 1, Lease: 10 * time.Second,
			MinFree: 512 << 20, Steps: Limits{MaxAge: 24 * time.Hour}, Results: Limits{MaxBytes: 1 << 20, MaxAge: 720 * time.Hour},
			TokenFile: "/run/secrets/nats", TLS: NATSTLS{ServerTLS: ServerTLS{CertFile: "c.pem", KeyFile: "k.pem"}},
		},
		Kafka:  defaultKafka(),
		HTTP:   HTTP{Listen: "0.0.0.0:0", Hosts: []string{"detector.example", "no"}, TokenFile: "t", TLS: ServerTLS{CertFile: "c", KeyFile: "k"}},
		Admin:  HTTP{Listen: "[::1]:4319"},
		Shards: 3, Checkpoint: Checkpoint{Work: 20 * time.Millisecond, Interval: 2 * time.Second},
		Detect: detectors.Config{
			Idle: 90 * time.Second, Retain: 2 * time.Hour,
			Detectors: map[string]detectors.DetectorConfig{
				"retry_loop": {Rules: map[string]detectors.RuleConfig{
					"cycle":      {Disabled: true},
					"same_error": {MaxSeverity: event.Warning},
				}},
				"tool_misuse": {Disabled: true},
			},
			Tools: []detectors.ToolConfig{
				{Name: "wait*", Polls: &no, Volatile: []string{"no", "1"}},
				{Name: "yes", Effect: event.EffectWrite},
			},
			Prices:  []detectors.Price{{Model: "m", Input: 1, Output: 1e12}},
			Budgets: detectors.Budgets{MaxCalls: 5, MaxCallsPerTool: 2, MaxCostMicroUSD: 500_000, RunawaySteps: 7},
		},
		Log:     Log{Level: "debug", Format: "json"},
		Metrics: Metrics{MaxWorkflows: 1, MaxTools: 7},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c, want)
	}
}

const external = `
nats:
  url: [nats://a.example:4222, "tls://[::1]:4222"]
  user: detector
  password_file: /run/secrets/nats
  tls: {ca_file: ca.pem, server_name: nats.example, insecure_skip_verify: true, cert_file: c.pem, key_file: k.pem}
  stream: STEPS-2
  subject: "agent.*.support.>"
  publish_subject: my.steps
  create: true
  replicas: 3
  lease: 90s
`

func TestExternalNATS(t *testing.T) {
	c, err := Parse("external", []byte(external))
	if err != nil {
		t.Fatal(err)
	}
	want := NATS{
		Listen: "127.0.0.1:4222", SyncInterval: time.Second, MinFree: 256 << 20,
		Steps: Limits{10 << 30, 168 * time.Hour}, Results: Limits{10 << 30, 720 * time.Hour},
		URLs: []string{"nats://a.example:4222", "tls://[::1]:4222"}, User: "detector", PasswordFile: "/run/secrets/nats",
		TLS:    NATSTLS{ServerTLS: ServerTLS{CertFile: "c.pem", KeyFile: "k.pem"}, CAFile: "ca.pem", ServerName: "nats.example", InsecureSkipVerify: true},
		Stream: "STEPS-2", Subject: "agent.*.support.>", PublishSubject: "my.steps", Create: true, Replicas: 3, Lease: 90 * time.Second,
	}
	if !reflect.DeepEqual(c.NATS, want) || !c.NATS.External() || Default().NATS.External() {
		t.Errorf("got\n%+v\nwant\n%+v", c.NATS, want)
	}
	c, err = Parse("one", []byte("nats: {url: 'nats://h', token_file: t}\n"))
	if err != nil || len(c.NATS.URLs) != 1 || c.NATS.TokenFile != "t" {
		t.Errorf("got %+v, %v", c, err)
	}
}

const onKafka = `
kafka:
  brokers: ["a.example:9092", "[::1]:9093"]
  client_id: detector-7
  group: my-group
  topics: {steps: my.steps, failures: my.failures, tasks: my.tasks, directives: my.directives, deadletter: my.dead, gaps: my.gaps}
  checkpoint: my.state
  start: latest
  partitioner: crc32
  session: 30s
  heartbeat: 10s
  compression: zstd
  tls: {ca_file: ca.pem, server_name: kafka.example, cert_file: c.pem, key_file: k.pem, insecure_skip_verify: true}
  sasl: {mechanism: SCRAM-SHA-512, user: detector, password_file: /run/secrets/kafka}
`

func TestKafka(t *testing.T) {
	c, err := Parse("kafka", []byte(onKafka))
	if err != nil {
		t.Fatal(err)
	}
	want := Kafka{
		Brokers: []string{"a.example:9092", "[::1]:9093"}, ClientID: "detector-7", Group: "my-group",
		Topics:     KafkaTopics{"my.steps", "my.failures", "my.tasks", "my.directives", "my.dead", "my.gaps"},
		Checkpoint: "my.state", Replay: time.Hour, Latest: true, Partitioner: "crc32",
		Session: 30 * time.Second, Heartbeat: 10 * time.Second, Compression: "zstd",
		TLS:  KafkaTLS{Enabled: true, CAFile: "ca.pem", ServerName: "kafka.example", CertFile: "c.pem", KeyFile: "k.pem", InsecureSkipVerify: true},
		SASL: KafkaSASL{"SCRAM-SHA-512", "detector", "/run/secrets/kafka"},
	}
	if !reflect.DeepEqual(c.Kafka, want) || !c.Kafka.Used() || Default().Kafka.Used() {
		t.Errorf("got\n%+v\nwant\n%+v", c.Kafka, want)
	}
	if strings.Contains(c.YAML(), "nats:") {
		t.Errorf("there is a NATS server in\n%s", c.YAML())
	}
	c, err = Parse("one", []byte("kafka: {brokers: h:9092, checkpoint: none, replay: 24h}\n"))
	if err != nil || len(c.Kafka.Brokers) != 1 || c.Kafka.Checkpoint != "" || c.Kafka.Replay != 24*time.Hour {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestYAML reads back what YAML writes.
func TestYAML(t *testing.T) {
	for name, src := range map[string]string{"empty": "", "comment": "# nothing\n", "full": full, "hostile": hostile, "external": external, "nkey": "nats: {url: 'nats://h', nkey_file: k}", "credentials": "nats: {url: 'nats://h', credentials_file: k}", "kafka": onKafka, "kafka without state": "kafka: {brokers: 'h:1', checkpoint: none, replay: 2h, tls: {enabled: true}}"} {
		c, err := Parse(name, []byte(src))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := Parse(name, []byte(c.YAML()))
		if err != nil {
			t.Errorf("%s: %v\nin\n%s", name, err, c.YAML())
			continue
		}
		if !reflect.DeepEqual(c, again) {
			t.Errorf("%s: got\n%+v\nwant\n%+v\nfrom\n%s", name, again, c, c.YAML())
		}
	}
}

const hostile = `
observe_until: 2026-12-24T18:00:00+01:00
policies:
  - tool: "*: x"
    grounded: "off"
    after: ["no", "- y"]
    bounds: [{param: "a.b", min: -0.25, in: ["1", "~"]}]
suppressions:
  - {detector: retry_loop, subject: "a: *", until: 2026-12-24T18:00:00.5Z}
  - {workflow: "no", until: 2026-12-24, max_severity: none, reason: "x: #y"}
feedback: [{rule: cycle, true_positives: 1}]
data: "a: b\t# c\u202e\x1b[31m\\ 'd'"
tools:
  - name: "- x\n: y"
    volatile: ["~", "null", "1e3", "0x1", "TRUE", "a#b", " a ", "\U0001F600", "a:"]
  - name: 'it''s "quoted"'
`

func TestSameMeaningSameRuleset(t *testing.T) {
	a := Default()
	b, err := Parse("b", []byte("detectors: {retry_loop: {enabled: true, rules: {cycle: {enabled: true, max_severity: critical}}}}\nshards: 5\n"))
	if err != nil {
		t.Fatal(err)
	}
	ra, err := a.Ruleset()
	if err != nil {
		t.Fatal(err)
	}
	rb, err := b.Ruleset()
	if err != nil {
		t.Fatal(err)
	}
	if ra.Hash() != rb.Hash() {
		t.Errorf("a file that says the defaults has ruleset %s, the defaults have %s", rb.Hash(), ra.Hash())
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := Load(filepath.Join("no", "such.yaml"))
	want := "configuration " + filepath.Join("no", "such.yaml") + ": there is no such file"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoadLarge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(file, []byte("#"+strings.Repeat("x", maxSize)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestMillionths(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "3": 3e6, "0.000001": 1, "1000000": 1e12, "2.50": 2_500_000, "007.5": 7_500_000} {
		got, ok := parseMillionths(s)
		if !ok || got != want {
			t.Errorf("%s: got %d, %t; want %d", s, got, ok, want)
		}
		if again, ok := parseMillionths(formatMillionths(got)); !ok || again != got {
			t.Errorf("%s: %s reads as %d, %t", s, formatMillionths(got), again, ok)
		}
	}
	for _, s := range []string{"", ".", ".5", "5.", "1e3", "-1", "+1", "1_0", "1000000.000001", "0.0000001", "99999999", "1.2.3", "0x1", " 1", "½"} {
		if got, ok := parseMillionths(s); ok {
			t.Errorf("%q reads as %d, want refused", s, got)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"idle", "idle", 0},
		{"idel", "idle", 1},
		{"ab", "ba", 1},
		{"ab", "bc", 2},
		{"ab", "ca", 2},
		{"abc", "", 3},
		{"", "abc", 3},
		{"kitten", "sitting", 3},
		{strings.Repeat("x", 65), "idle", 65},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestBlockText(t *testing.T) {
	c, err := Parse("f", []byte("data: |-\n  a folder\n"))
	if err != nil || c.Data != "a folder" {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := Parse("f", []byte("data: |-\n\nidle: 1m\n")); err == nil {
		t.Error("an empty block was taken for a folder")
	}
}

func TestErrorsAreBounded(t *testing.T) {
	src := "tools:\n" + strings.Repeat("  - {nam: x}\n", 1000)
	_, err := Parse("f", []byte(src))
	var list Errors
	if !errors.As(err, &list) || len(list) != maxErrors {
		t.Fatalf("got %d errors, want %d", len(list), maxErrors)
	}
}

// FuzzParse looks for panics, and for a configuration that YAML writes but
// Parse does not read back.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"config/*.yaml", "bad-config/*.yaml"} {
		files, _ := filepath.Glob(fixtures + pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Add([]byte(full))
	f.Add([]byte(hostile))
	f.Add([]byte(external))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Parse("f", src)
		if err != nil {
			return
		}
		again, err := Parse("f", []byte(c.YAML()))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%v: got %+v, want %+v, from\n%s", err, again, c, c.YAML())
		}
	})
}
