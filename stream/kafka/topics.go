package kafka

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Names are what is used of a cluster. Empty ones are not used.
type Names struct {
	Steps, Failures, Tasks, Directives, DeadLetter, Gaps string // topics
	Checkpoints                                          string // topic
	Group                                                string
}

// DefaultNames are the names where configuration gives no others.
func DefaultNames() Names {
	return Names{StepsTopic, FailuresTopic, TasksTopic, DirectivesTopic, DeadLetterTopic, GapsTopic, CheckpointsTopic, Group}
}

// outputs are the topics that are written and searched for what was written.
func (n *Names) outputs() []string {
	return slices.DeleteFunc([]string{n.Failures, n.Tasks, n.Directives, n.DeadLetter, n.Gaps}, func(s string) bool { return s == "" })
}

// Setting is one of a topic.
type Setting struct{ Name, Value string }

// TopicSpec is a topic as it should be.
type TopicSpec struct {
	Name, Doc  string
	Partitions int
	// Exactly says that another number of partitions is wrong.
	Exactly  bool
	Settings []Setting
	// Advised are settings with which it works better.
	Advised []Setting
}

// Settings of topics.
const (
	cleanupPolicy = "cleanup.policy"
	timestampType = "message.timestamp.type"
	minInSync     = "min.insync.replicas"
	compact       = "compact"
	logAppendTime = "LogAppendTime"
)

// DefaultPartitions is how many partitions the topic of the steps is advised to
// have: as many processes can share it.
const DefaultPartitions = 12

// Specs are the topics that are needed. partitions are those of the steps, and
// replicas of each.
func Specs(n Names, partitions, replicas int) []TopicSpec {
	all := []TopicSpec{
		{
			Name: n.Steps, Partitions: partitions, Advised: []Setting{{timestampType, logAppendTime}},
			Doc: "the steps, in partitions by the trajectory; as many processes can share them as there are partitions. The broker's time is the log time",
		},
		{Name: n.Failures, Partitions: partitions, Doc: "the failures; best with as many partitions as the steps"},
		{Name: n.Tasks, Partitions: 1, Exactly: true, Doc: "the task records, in one partition, so that one process accounts for all"},
		{Name: n.Directives, Partitions: partitions, Doc: "advice to orchestrators"},
		{Name: n.DeadLetter, Partitions: 1, Doc: "where input stands that could not be read, without its content"},
		{Name: n.Gaps, Partitions: 1, Doc: "what of the steps was gone before it was read"},
		{
			Name: n.Checkpoints, Partitions: partitions,
			Doc:      "the state, for restarts: the newest of each key counts, and is never too old",
			Settings: []Setting{{cleanupPolicy, compact}},
			Advised:  []Setting{{"segment.bytes", "67108864"}, {"min.cleanable.dirty.ratio", "0.1"}},
		},
	}
	all = slices.DeleteFunc(all, func(s TopicSpec) bool { return s.Name == "" })
	if replicas > 2 {
		for i := range all {
			all[i].Advised = append(all[i].Advised, Setting{minInSync, "2"})
		}
	}
	return all
}

// Operation is what an ACL allows, as kafka-acls.sh names it.
type Operation string

// The operations that are needed.
const (
	Read            Operation = "Read"
	Write           Operation = "Write"
	Describe        Operation = "Describe"
	DescribeConfigs Operation = "DescribeConfigs"
)

// Right is what may be done with one topic or group.
type Right struct {
	Kind       string // topic or group
	Name       string
	Operations []Operation
}

// Role is a part of the program, or of what is around it, and the rights that
// its principal needs.
type Role struct {
	Name, Doc string
	Rights    []Right
}

// Roles are the least rights with which everything works.
func Roles(n Names) []Role {
	topic := func(name string, ops ...Operation) Right { return Right{"topic", name, ops} }
	group := func(name string) Right { return Right{"group", name, []Operation{Read, Describe}} }
	detect := []Right{topic(n.Steps, Read, Describe, DescribeConfigs), group(n.Group)}
	for _, t := range n.outputs() {
		detect = append(detect, topic(t, Read, Write, Describe, DescribeConfigs))
	}
	if n.Checkpoints != "" {
		detect = append(detect, topic(n.Checkpoints, Read, Write, Describe, DescribeConfigs))
	}
	var readers []Right
	for _, t := range n.outputs() {
		readers = append(readers, topic(t, Read, Describe))
	}
	return []Role{
		{"detect", "reads the steps, writes the results, and looks for what it has written already", detect},
		{"intake", "stores steps that come over HTTP", []Right{topic(n.Steps, Write, Describe)}},
		{"producer", "an agent or a gateway that produces steps; not misstep", []Right{topic(n.Steps, Write, Describe)}},
		{"reader", "who consumes results, in a group of its own; not misstep", readers},
	}
}

// TopicsOptions say what WriteTopics writes. Empty values are the defaults.
type TopicsOptions struct {
	Names      Names
	Brokers    []string
	Partitions int
	Replicas   int
	// CommandConfig is the file with which Kafka's tools reach a cluster that
	// asks for TLS or credentials.
	CommandConfig string
	// Principal is who the detector is, such as User:detector. With one, the
	// rights of detect and intake are commands, else comments.
	Principal   string
	Partitioner Partitioner
}

// WriteTopics writes what makes all that is missing on a cluster, as commands
// of Kafka's own tools, and the rights that are needed: so it is a shell script.
func WriteTopics(w io.Writer, o TopicsOptions) error {
	if o.Names == (Names{}) {
		o.Names = DefaultNames()
	}
	if len(o.Brokers) == 0 {
		o.Brokers = []string{"localhost:9092"}
	}
	o.Partitions, o.Replicas = cmp.Or(o.Partitions, DefaultPartitions), cmp.Or(o.Replicas, 1)
	o.Partitioner = cmp.Or(o.Partitioner, Murmur2)
	reach := " --bootstrap-server " + shellWord(strings.Join(o.Brokers, ","))
	if o.CommandConfig != "" {
		reach += " --command-config " + shellWord(o.CommandConfig)
	}
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# What misstep needs on a Kafka cluster, 2.1 to 4. It makes nothing by itself. Settings such as")
	p("# retention.ms and max.message.bytes are yours; keep steps for as long as a detector may be down.")
	p("# Producers of steps choose the partition by the trajectory_id as key, with %s.", o.Partitioner)
	for _, s := range Specs(o.Names, o.Partitions, o.Replicas) {
		p("\n# %s: %s.", s.Name, s.Doc)
		line := fmt.Sprintf("kafka-topics.sh%s --create --if-not-exists \\\n  --topic %s --partitions %d --replication-factor %d", reach, s.Name, s.Partitions, o.Replicas)
		for _, c := range append(slices.Clone(s.Settings), s.Advised...) {
			line += fmt.Sprintf(" \\\n  --config %s=%s", c.Name, c.Value)
		}
		p("%s", line)
	}
	p("\n# Rights. A detector that does all needs those of detect and intake.")
	for _, r := range Roles(o.Names) {
		p("#\n# %s: %s", r.Name, r.Doc)
		comment, principal := "# ", "User:"+r.Name
		if o.Principal != "" && (r.Name == "detect" || r.Name == "intake") {
			comment, principal = "", o.Principal
		}
		for _, line := range aclCommands(r.Rights) {
			p("%skafka-acls.sh%s --add --allow-principal %s%s", comment, reach, shellWord(principal), line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// aclCommands gives what follows in the commands that add rights: one for all
// topics with the same operations.
func aclCommands(rights []Right) []string {
	var out []string
	at := map[string]int{}
	for _, r := range rights {
		what := ""
		for _, op := range r.Operations {
			what += " --operation " + string(op)
		}
		name := " --" + r.Kind + " " + shellWord(r.Name)
		i, ok := at[r.Kind+what]
		if !ok {
			at[r.Kind+what] = len(out)
			out = append(out, what+name)
			continue
		}
		out[i] += name
	}
	return out
}

// shellWord quotes what a shell might not take as one word.
func shellWord(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:/,=@%+"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
