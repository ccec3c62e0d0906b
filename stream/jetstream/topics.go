package jetstream

import (
	"fmt"
	"io"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// TopicsOptions say what is used of a server of the user's. Empty values are
// the defaults.
type TopicsOptions struct {
	Stream         string
	PublishSubject string
	Replicas       int // of the streams and the bucket
}

func (o TopicsOptions) withDefaults() TopicsOptions {
	if o.Stream == "" {
		o.Stream = StepsStream
	}
	if o.PublishSubject == "" {
		o.PublishSubject = StepsSubject
	}
	o.Replicas = max(o.Replicas, 1)
	return o
}

// Role is a part of the program, or of what is around it, and the rights that
// its NATS user needs.
type Role struct {
	Name, Doc string
	Publish   []string
	Subscribe []string
}

// Roles are the least rights with which everything works that exists already.
// One process with several roles needs the rights of each.
func Roles(o TopicsOptions) []Role {
	o = o.withDefaults()
	info := func(stream string) string { return apiStreamInfo + stream }
	inbox := []string{InboxPrefix + ".>"}
	return []Role{
		{
			Name: "detect", Doc: "reads the steps, one process at a time, and writes the results",
			Publish: append([]string{
				apiInfo, info(o.Stream), info(ResultsStream), info(ownersStream),
				apiCreate + o.Stream + ".>", apiNext + o.Stream + ".>",
				apiMessageGet + ResultsStream,
				apiMessageGet + o.Stream, apiDirectGet + o.Stream + ".>", // for the time of day
				info(CheckpointsStream), apiMessageGet + CheckpointsStream,
				apiPurge + CheckpointsStream, checkpointPrefix + ">",
				apiCreate + ownersStream + ".>", apiDelete + ownersStream + ".>", apiDirectGet + ownersStream + ".>",
				flowControl + ownersStream + ".>", ownersPrefix + ">",
			}, resultSubjects[:]...),
			Subscribe: inbox,
		},
		{
			Name: "intake", Doc: "stores steps that come over HTTP",
			Publish:   []string{apiInfo, info(o.Stream), o.PublishSubject, o.PublishSubject + ".>"},
			Subscribe: inbox,
		},
		{
			Name: "notify", Doc: "feeds the sinks; needed only with sinks",
			Publish: []string{
				apiInfo, info(ResultsStream), apiCreate + ResultsStream + ".>", apiDelete + ResultsStream + ".>", apiNext + ResultsStream + ".>",
				apiConsumerInfo + ResultsStream + ".>",
				info(notifyStream), apiDirectGet + notifyStream + ".>", apiMessageGet + notifyStream, notifyPrefix + ">", "agent.deadletter",
			},
			Subscribe: inbox,
		},
		{
			Name: "create", Doc: "makes what is missing; needed only with nats.create: true",
			Publish:   []string{apiStreamCreate + "*", apiStreamUpdate + ResultsStream, apiStreamUpdate + CheckpointsStream},
			Subscribe: inbox,
		},
		{
			Name: "producer", Doc: "an agent or a gateway that publishes steps; not misstep",
			Publish:   []string{o.PublishSubject, o.PublishSubject + ".>"},
			Subscribe: []string{"_INBOX.>"},
		},
		{
			Name: "reader", Doc: "who consumes results; not misstep",
			Publish: []string{
				info(ResultsStream), apiCreate + ResultsStream + ".>", apiDelete + ResultsStream + ".>", apiNext + ResultsStream + ".>",
			},
			Subscribe: []string{"_INBOX.>"},
		},
	}
}

// WriteTopics writes what makes all that is missing on a server of the user's,
// as commands of the nats tool, and the rights that are needed, as comments: so
// it is a shell script. Where the steps are in a stream of the user's, it is
// not among them.
func WriteTopics(w io.Writer, o TopicsOptions) error {
	o = o.withDefaults()
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# What misstep needs on a NATS server, %s or later with JetStream. With nats.create: true the", MinServerVersion)
	p("# detector makes it all by itself. Limits such as --max-age and --max-bytes are yours to set.")
	if o.Stream == StepsStream {
		p("\n# The steps. Limits retention, so that they can be read again after a restart.")
		p("%s", streamCommand(stepsConfig(o.Stream, o.PublishSubject, Limits{}), o.Replicas))
	} else {
		p("\n# The steps are in the stream %s, which is yours: it must exist, with limits retention.", o.Stream)
	}
	p("\n# The results: atomic batches that end with a fence, which rolls up and never expires, and single ones that expect it.")
	p("%s", streamCommand(resultsConfig(Limits{}), o.Replicas))
	p("\n# The state, for restarts: checkpoints, of which two are kept. Without a limit of age.")
	p("%s", streamCommand(checkpointsConfig(Limits{}), o.Replicas))
	kv := ownersConfig(o.Replicas)
	p("\n# Which process owns the log of steps. Without a TTL: others judge by what they see.")
	p("nats kv add %s \\\n  --description=%s \\\n  --history=%d --storage=file --replicas=%d", kv.Bucket, shellQuote(kv.Description), kv.History, kv.Replicas)
	kv = notifyConfig(o.Replicas)
	p("\n# How far each sink has followed the results. Needed only with sinks.")
	p("nats kv add %s \\\n  --description=%s \\\n  --history=%d --storage=file --replicas=%d", kv.Bucket, shellQuote(kv.Description), kv.History, kv.Replicas)
	p("\n# Rights, in the form of the server's configuration: authorization { users: [ { user: ..., permissions: ROLE } ] }.")
	p("# The user of a detector that does all needs those of detect and intake together.")
	for _, r := range Roles(o) {
		p("#\n# %s: %s\n#   {\n#     publish: [%s]\n#     subscribe: [%s]\n#   }", r.Name, r.Doc, quoted(r.Publish), quoted(r.Subscribe))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// streamCommand is the command that makes a stream.
func streamCommand(c jetstream.StreamConfig, replicas int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "nats stream add %s \\\n  --description=%s", c.Name, shellQuote(c.Description))
	for _, s := range c.Subjects {
		fmt.Fprintf(&b, " \\\n  --subjects=%s", shellQuote(s))
	}
	fmt.Fprintf(&b, " \\\n  --storage=%s --retention=limits --replicas=%d", strings.ToLower(c.Storage.String()), replicas)
	for _, f := range []struct {
		name string
		on   bool
	}{{"allow-rollup", c.AllowRollup}, {"allow-msg-ttl", c.AllowMsgTTL}, {"allow-batch", c.AllowAtomicPublish}} {
		if f.on {
			b.WriteString(" --" + f.name)
		}
	}
	if c.Discard == jetstream.DiscardNew {
		b.WriteString(" --discard=new")
	}
	b.WriteString(" --defaults")
	return b.String()
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = `"` + s + `"`
	}
	return strings.Join(out, ", ")
}
