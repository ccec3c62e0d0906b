package config

import (
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"misstep/stream/kafka"
)

// Kafka says which Kafka cluster is used. It is used when Brokers holds any, and
// then there is no NATS server.
type Kafka struct {
	Brokers  []string // host:port
	ClientID string
	// Group shares the partitions of the steps between all processes that name
	// it.
	Group  string
	Topics KafkaTopics
	// Checkpoint is the compacted topic that holds the state; empty: none is
	// kept, and a start reads again what is younger than Replay before its
	// position.
	Checkpoint string
	Replay     time.Duration
	// Latest begins at the end of the log where the group has no position yet,
	// else at its beginning.
	Latest bool
	// Partitioner is how the producers choose the partition of a key, one of
	// kafka.Partitioners.
	Partitioner string
	// Session is how long a process that says nothing keeps its partitions, and
	// Heartbeat how often it says something.
	Session, Heartbeat time.Duration
	// Compression of what is written, one of kafka.Compressions.
	Compression string
	TLS         KafkaTLS
	SASL        KafkaSASL
}

// KafkaTopics are the names of the topics.
type KafkaTopics struct {
	Steps, Failures, Tasks, Directives, DeadLetter, Gaps string
}

// KafkaTLS says how the broker's certificate is checked, and what this process
// proves itself with.
type KafkaTLS struct {
	Enabled            bool
	CAFile             string
	ServerName         string
	CertFile, KeyFile  string // both or neither
	InsecureSkipVerify bool
}

// KafkaSASL says who this process is; all of it is set or nothing.
type KafkaSASL struct {
	Mechanism, User, PasswordFile string
}

// CheckKafkaBroker says what is wrong with the address of a broker.
func CheckKafkaBroker(s string) error { return kafka.CheckBroker(s) }

// Used reports whether there is a Kafka cluster.
func (k *Kafka) Used() bool { return len(k.Brokers) > 0 }

func defaultKafka() Kafka {
	return Kafka{
		ClientID: "misstep", Group: kafka.Group,
		Topics: KafkaTopics{
			Steps: kafka.StepsTopic, Failures: kafka.FailuresTopic, Tasks: kafka.TasksTopic,
			Directives: kafka.DirectivesTopic, DeadLetter: kafka.DeadLetterTopic, Gaps: kafka.GapsTopic,
		},
		Checkpoint: kafka.CheckpointsTopic, Replay: time.Hour, Partitioner: "murmur2",
		Session: 10 * time.Second, Heartbeat: 300 * time.Millisecond, Compression: "lz4",
	}
}

// list gives the topics with the names of their settings.
func (t *KafkaTopics) list() []kafkaTopic {
	return []kafkaTopic{
		{"steps", &t.Steps},
		{"failures", &t.Failures},
		{"tasks", &t.Tasks},
		{"directives", &t.Directives},
		{"deadletter", &t.DeadLetter},
		{"gaps", &t.Gaps},
	}
}

type kafkaTopic struct {
	name string
	p    *string
}

const (
	minSession = time.Second
	maxSession = 5 * time.Minute
	minReplay  = time.Minute
	maxReplay  = 720 * time.Hour
)

func (d *decoder) kafka(n node, c *Kafka) {
	given, topics := map[string]node{}, map[string]node{}
	note := func(name string, set func(node)) field {
		return field{name, func(n node) {
			given[name] = n
			set(n)
		}}
	}
	name := func(p *string, want string) func(node) {
		return func(n node) {
			if s, ok := d.text(n, want); ok {
				*p = s
			}
		}
	}
	topic := func(p *string) func(node) {
		return func(n node) { d.checked(n, p, "a topic's name, such as agent.steps", kafka.CheckTopic) }
	}
	before := len(d.errs)
	d.mapping(
		n,
		field{"brokers", func(n node) { d.brokers(n, &c.Brokers) }},
		note("client_id", name(&c.ClientID, "a name that shows in the broker's logs and quotas")),
		note("group", name(&c.Group, "a group's name, such as misstep")),
		note("topics", func(n node) {
			var fields []field
			for _, t := range c.Topics.list() {
				fields = append(fields, field{t.name, func(n node) {
					topics[t.name] = n
					topic(t.p)(n)
				}})
			}
			d.mapping(n, fields...)
		}),
		note("checkpoint", func(n node) {
			if v, ok := n.ast.(*ast.StringNode); ok && v.Value == none {
				c.Checkpoint = ""
				return
			}
			d.checked(n, &c.Checkpoint, "a topic's name, such as agent.checkpoints, or none", kafka.CheckTopic)
		}),
		note("replay", func(n node) { d.duration(n, &c.Replay, minReplay, maxReplay, "") }),
		note("start", func(n node) {
			word := ""
			d.choice(n, &word, "earliest", "latest")
			c.Latest = word == "latest"
		}),
		note("partitioner", func(n node) {
			words := make([]string, 0, len(kafka.Partitioners()))
			for _, p := range kafka.Partitioners() {
				words = append(words, string(p))
			}
			d.choice(n, &c.Partitioner, words...)
		}),
		note("session", func(n node) { d.duration(n, &c.Session, minSession, maxSession, "") }),
		note("heartbeat", func(n node) { d.duration(n, &c.Heartbeat, 100*time.Millisecond, maxSession/3, "") }),
		note("compression", func(n node) { d.choice(n, &c.Compression, kafka.Compressions()...) }),
		note("tls", func(n node) { d.kafkaTLS(n, &c.TLS) }),
		note("sasl", func(n node) { d.kafkaSASL(n, &c.SASL) }),
	)
	if len(d.errs) == before {
		d.kafkaTogether(c, given, topics)
	}
}

func (d *decoder) brokers(n node, p *[]string) {
	one := func(n node) { // [localhost:9092] without quotes can be a mapping
		if _, ok := n.ast.(ast.MapNode); ok {
			d.fail(n, "found %s; give host:port, such as localhost:9092, in quotes", n.found())
			return
		}
		s, ok := d.text(n, "a broker as host:port, such as localhost:9092")
		if !ok {
			return
		}
		if err := kafka.CheckBroker(s); err != nil {
			d.fail(n, "%v", err)
			return
		}
		*p = append(*p, s)
	}
	if _, list := n.ast.(*ast.SequenceNode); list {
		d.list(n, one)
		return
	}
	one(n)
}

func (d *decoder) kafkaTLS(n node, c *KafkaTLS) {
	var cert, key, off node
	file := func(p *string, want string) func(node) {
		return func(n node) {
			if s, ok := d.text(n, want); ok {
				*p = s
			}
		}
	}
	server := ServerTLS{}
	d.mapping(n, append(
		d.certFiles(&server, &cert, &key),
		field{"enabled", func(n node) {
			d.boolean(n, &c.Enabled)
			if !c.Enabled {
				off = n
			}
		}},
		field{"ca_file", file(&c.CAFile, "the name of a file that holds certificates in PEM form")},
		field{"server_name", file(&c.ServerName, "a name that is in the broker's certificate")},
		field{"insecure_skip_verify", func(n node) { d.boolean(n, &c.InsecureSkipVerify) }},
	)...)
	d.together(server, cert, key)
	c.CertFile, c.KeyFile = server.CertFile, server.KeyFile
	if *c == (KafkaTLS{}) {
		return
	}
	c.Enabled = true
	if off.at != nil {
		d.fail(off, "found false, and there are other settings of TLS; remove them, or this")
	}
}

func (d *decoder) kafkaSASL(n node, c *KafkaSASL) {
	before := len(d.errs)
	text := func(p *string, want string) func(node) {
		return func(n node) {
			if s, ok := d.text(n, want); ok {
				*p = s
			}
		}
	}
	d.mapping(
		n,
		field{"mechanism", func(n node) { d.choice(n, &c.Mechanism, kafka.Mechanisms()...) }},
		field{"user", text(&c.User, "a user's name")},
		field{"password_file", text(&c.PasswordFile, "the name of a file that holds the password")},
		// A secret in the file is a mistake that deserves an answer of its own.
		field{"password", func(n node) {
			d.fail(n, "secrets are read from files alone; write it to a file and name that as password_file")
		}},
	)
	if len(d.errs) > before || *c == (KafkaSASL{}) {
		return
	}
	d.require(n, c.Mechanism, "mechanism")
	d.require(n, c.User, "user")
	d.require(n, c.PasswordFile, "password_file")
}

// kafkaTogether refuses settings that do not go together.
func (d *decoder) kafkaTogether(c *Kafka, given, topics map[string]node) {
	if !c.Used() {
		def := defaultKafka()
		for _, f := range []struct {
			name string
			same bool
		}{
			{"client_id", c.ClientID == def.ClientID},
			{"group", c.Group == def.Group},
			{"topics", c.Topics == def.Topics},
			{"checkpoint", c.Checkpoint == def.Checkpoint},
			{"replay", c.Replay == def.Replay},
			{"start", !c.Latest},
			{"partitioner", c.Partitioner == def.Partitioner},
			{"session", c.Session == def.Session},
			{"heartbeat", c.Heartbeat == def.Heartbeat},
			{"compression", c.Compression == def.Compression},
			{"tls", c.TLS == def.TLS},
			{"sasl", c.SASL == def.SASL},
		} {
			if !f.same {
				d.fail(given[f.name], "this is for a Kafka cluster, and kafka.brokers names none; add brokers: [\"host:9092\"], or remove this")
			}
		}
		return
	}
	if c.Heartbeat > c.Session/3 {
		at := given["heartbeat"] // its default is no more than a third of the shortest session
		d.fail(at, "heartbeat is %s and session %s; give a heartbeat of a third of the session at the most, so that one that is late costs nothing", short(c.Heartbeat), short(c.Session))
	}
	if at, ok := given["replay"]; ok && c.Checkpoint != "" && c.Replay != defaultKafka().Replay {
		d.fail(at, "this is for checkpoint: none, and the state is kept in the topic %s; remove this, or set checkpoint to none", c.Checkpoint)
	}
	d.sameTopics(c, given, topics)
}

// sameTopics refuses one topic for two purposes.
func (d *decoder) sameTopics(c *Kafka, given, topics map[string]node) {
	used := []kafkaTopic{{"checkpoint", &c.Checkpoint}}
	for _, t := range c.Topics.list() {
		used = append(used, kafkaTopic{"topics." + t.name, t.p})
	}
	at := func(name string) (node, bool) {
		if n, ok := topics[strings.TrimPrefix(name, "topics.")]; ok {
			return n, true
		}
		n, ok := given[name]
		return n, ok
	}
	for i, t := range used {
		for _, before := range used[:i] {
			if *t.p == "" || *t.p != *before.p {
				continue
			}
			n, ok := at(t.name)
			if !ok {
				n, _ = at(before.name) // the defaults differ, so the file names one of the two
			}
			d.fail(n, "%s and %s are the same topic; give each one of its own", before.name, t.name)
		}
	}
}

// yaml writes the settings in the form in which kafka reads them.
func (k *Kafka) yaml(p func(format string, args ...any)) {
	brokers := make([]string, len(k.Brokers))
	for i, b := range k.Brokers {
		brokers[i] = quote(b)
	}
	p("kafka:\n  brokers: [%s]\n  client_id: %s\n  group: %s\n  topics:", strings.Join(brokers, ", "), quote(k.ClientID), quote(k.Group))
	for _, t := range k.Topics.list() {
		p("    %s: %s", t.name, quote(*t.p))
	}
	checkpoint, start := none, "earliest"
	if k.Checkpoint != "" {
		checkpoint = quote(k.Checkpoint)
	}
	if k.Latest {
		start = "latest"
	}
	p("  checkpoint: %s\n  replay: %s\n  start: %s\n  partitioner: %s", checkpoint, short(k.Replay), start, k.Partitioner)
	p("  session: %s\n  heartbeat: %s\n  compression: %s", short(k.Session), short(k.Heartbeat), k.Compression)
	if k.TLS != (KafkaTLS{}) {
		p("  tls:\n    enabled: true")
		for _, f := range [][2]string{{"ca_file", k.TLS.CAFile}, {"server_name", k.TLS.ServerName}, {"cert_file", k.TLS.CertFile}, {"key_file", k.TLS.KeyFile}} {
			if f[1] != "" {
				p("    %s: %s", f[0], quote(f[1]))
			}
		}
		p("    insecure_skip_verify: %t", k.TLS.InsecureSkipVerify)
	}
	if k.SASL != (KafkaSASL{}) {
		p("  sasl:\n    mechanism: %s\n    user: %s\n    password_file: %s", k.SASL.Mechanism, quote(k.SASL.User), quote(k.SASL.PasswordFile))
	}
}
