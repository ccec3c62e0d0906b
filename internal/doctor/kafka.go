package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"misstep/event"
	"misstep/internal/app"
	"misstep/internal/config"
	"misstep/stream/kafka"
)

const (
	topicsMend = "`detector topics --for kafka` prints the commands that make it, and the ACLs without which it is not seen"
	aclMend    = "`detector topics --for kafka` prints the ACLs"
	// perPartition is how many of the newest records of a partition are looked at.
	perPartition = 200
	// An uneven share is told from this many records on.
	minShare = 1000
	minLag   = 10_000
	// minKept is less than what steps should be kept for.
	minKept = time.Hour
)

// kafkaCheck is one look at a cluster.
type kafkaCheck struct {
	k      *config.Kafka
	c      *kafka.Cluster
	names  kafka.Names
	states map[string]kafka.TopicState
	r      *Report
	now    time.Time
}

// Kafka looks at the cluster of a configuration. The error says that it cannot
// be reached.
func Kafka(ctx context.Context, k *config.Kafka) (*Report, error) {
	c, err := kafka.Connect(ctx, app.KafkaOptions(k, zerolog.Nop()))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	d := &kafkaCheck{k: k, c: c, names: app.KafkaNames(k), r: &Report{}, now: time.Now(), states: map[string]kafka.TopicState{}}
	d.r.add(OK, "connection", "", "%s: the broker speaks what is needed", strings.Join(k.Brokers, ", "))
	if k.SASL.Mechanism == "PLAIN" && !k.TLS.Enabled {
		d.r.add(Warning, "connection", "use a listener with TLS, or SCRAM", "the password of %s crosses the network in clear text", k.SASL.User)
	}
	if k.TLS.InsecureSkipVerify {
		d.r.add(Warning, "connection", "name the authority as kafka.tls.ca_file", "the broker's certificate is not checked")
	}
	if err := d.topics(ctx); err != nil {
		return nil, err
	}
	d.rights(ctx)
	if s := d.states[d.names.Steps]; s.Err == nil {
		if err := d.steps(ctx, s); err != nil {
			d.r.add(Wrong, "steps", aclMend, "%v", err)
		}
	}
	return d.r, nil
}

// topics looks at each topic and its settings.
func (d *kafkaCheck) topics(ctx context.Context) error {
	specs := kafka.Specs(d.names, 0, 0)
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	states, err := d.c.Inspect(ctx, names...)
	if err != nil {
		return err
	}
	for _, s := range states {
		d.states[s.Name] = s
	}
	for _, spec := range specs {
		d.topic(spec, d.states[spec.Name])
	}
	return nil
}

func (d *kafkaCheck) topic(spec kafka.TopicSpec, s kafka.TopicState) {
	before := len(d.r.Findings)
	bad := func(l Level, mend, format string, args ...any) {
		d.r.add(l, "topics", mend, "%s "+format, append([]any{spec.Name}, args...)...)
	}
	switch {
	case errors.Is(s.Err, kafka.ErrNoTopic):
		bad(Wrong, topicsMend, "is not there")
		return
	case errors.Is(s.Err, kafka.ErrDenied):
		bad(Wrong, aclMend, "may not be seen: %v", s.Err)
		return
	case s.Err != nil || s.Name == "":
		bad(Wrong, "look at the broker", "cannot be looked at: %v", s.Err)
		return
	}
	n := len(s.Partitions)
	if spec.Exactly && n != spec.Partitions {
		bad(Wrong, fmt.Sprintf("delete it and make it anew with %s", count(int64(spec.Partitions), "partition", "partitions")), "has %d partitions, and must have %d", n, spec.Partitions)
	}
	d.replicas(spec, s, bad)
	if s.SettingsErr != nil {
		bad(Warning, aclMend, "does not tell its settings: %v", s.SettingsErr)
		return
	}
	for _, want := range spec.Settings {
		if got := s.Settings[want.Name]; got != want.Value {
			bad(Wrong, alter(spec.Name, want), "has %s=%s, and must have %s", want.Name, got, want.Value)
		}
	}
	d.special(spec, s, bad)
	if len(d.r.Findings) == before {
		d.r.add(OK, "topics", "", "%s has %s", spec.Name, count(int64(n), "partition", "partitions"))
	}
}

func alter(topic string, s kafka.Setting) string {
	return fmt.Sprintf("kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s", topic, s.Name, s.Value)
}

// replicas looks at leaders and copies.
func (d *kafkaCheck) replicas(spec kafka.TopicSpec, s kafka.TopicState, bad func(Level, string, string, ...any)) {
	var leaderless, behind []string
	least := 0
	for i, p := range s.Partitions {
		if !p.Led {
			leaderless = append(leaderless, fmt.Sprint(i))
		}
		if p.InSync < p.Replicas {
			behind = append(behind, fmt.Sprint(i))
		}
		if least == 0 || p.Replicas < least {
			least = p.Replicas
		}
	}
	if len(leaderless) > 0 {
		bad(Wrong, "bring back the brokers that have them", "has no leader for %s %s", plural(len(leaderless), "partition", "partitions"), strings.Join(leaderless, ", "))
	}
	if len(behind) > 0 {
		bad(Warning, "look at the brokers that follow", "has copies that are behind, in %s %s", plural(len(behind), "partition", "partitions"), strings.Join(behind, ", "))
	}
	if len(d.c.Brokers) > 1 && least == 1 {
		bad(Warning, "give it more replicas", "has one copy of each message: what its broker loses is lost")
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// special is what holds for one of the topics.
func (d *kafkaCheck) special(spec kafka.TopicSpec, s kafka.TopicState, bad func(Level, string, string, ...any)) {
	policy, kept := s.Settings["cleanup.policy"], s.Settings["retention.ms"]
	if spec.Name != d.names.Checkpoints && strings.Contains(policy, "compact") {
		bad(Wrong, alter(spec.Name, kafka.Setting{Name: "cleanup.policy", Value: "delete"}), "has cleanup.policy=%s, so all but the newest message of a trajectory is removed", policy)
	}
	switch spec.Name {
	case d.names.Steps:
		if kind := s.Settings["message.timestamp.type"]; kind != "LogAppendTime" {
			bad(Warning, alter(spec.Name, kafka.Setting{Name: "message.timestamp.type", Value: "LogAppendTime"}),
				"has message.timestamp.type=%s, so the producers' clocks are the log time; a jump of more than %v counts only once two trajectories show it", kind, maxAhead)
		}
		if ms, err := time.ParseDuration(kept + "ms"); err == nil && ms >= 0 && ms < minKept {
			bad(Warning, alter(spec.Name, kafka.Setting{Name: "retention.ms", Value: "604800000"}), "keeps steps for %v; a detector that is down for longer misses some", round(ms))
		}
	case d.names.Failures, d.names.Directives:
		if steps := len(d.states[d.names.Steps].Partitions); steps > 0 && len(s.Partitions) < steps {
			d.r.add(OK, "topics", "", "%s has %s for %d of the steps, so some share one", spec.Name, count(int64(len(s.Partitions)), "partition", "partitions"), steps)
		}
	}
}

// rights holds what the broker allows against what is needed.
func (d *kafkaCheck) rights(ctx context.Context) {
	group, err := d.c.InspectGroup(ctx, d.names.Group)
	if err == nil {
		err = group.Err
	}
	if err != nil {
		d.r.add(Wrong, "rights", aclMend, "group %s: %v", d.names.Group, err)
	}
	var lacks []string
	told := false
	for _, role := range kafka.Roles(d.names) {
		if role.Name != "detect" && role.Name != "intake" {
			continue
		}
		for _, right := range role.Rights {
			s := d.states[right.Name]
			have, known := s.Allowed, s.Told && s.Err == nil
			if right.Kind == "group" {
				have, known = group.Allowed, group.Told && err == nil
			}
			for _, op := range right.Operations {
				text := fmt.Sprintf("%s on the %s %s (%s)", op, right.Kind, right.Name, role.Name)
				if told = told || known; known && !slices.Contains(have, op) && !slices.Contains(lacks, text) {
					lacks = append(lacks, text)
				}
			}
		}
	}
	switch {
	case len(lacks) > 0:
		d.r.add(Wrong, "rights", aclMend, "there is no right to %s", strings.Join(lacks, ", "))
	case !told:
		d.r.add(Warning, "rights", "look at them with kafka-acls.sh --list", "the broker does not tell them")
	default:
		d.r.add(OK, "rights", "", "detect and intake may do what they do")
	}
	if err == nil && d.k.SASL == (config.KafkaSASL{}) && d.k.TLS.CertFile == "" {
		d.r.add(Warning, "rights", "use a listener with SASL or client certificates, and ACLs", "the cluster takes anybody: there are no credentials")
	}
}

// steps looks into the topic of the steps.
func (d *kafkaCheck) steps(ctx context.Context, s kafka.TopicState) error {
	extents, err := d.c.Extents(ctx, s.Name, d.names.Group, len(s.Partitions))
	if err != nil {
		return err
	}
	d.lag(extents)
	d.shares(extents)
	if err := d.clock(ctx, s); err != nil {
		return err
	}
	var found sample
	var fit fits
	decoder := &event.Decoder{}
	for i, e := range extents {
		from := max(e.First, e.End-perPartition)
		if e.End <= from {
			continue
		}
		records, err := d.c.Sample(ctx, s.Name, i, from, perPartition)
		if err != nil {
			return err
		}
		for _, rec := range records {
			if rec.Value == nil {
				continue
			}
			ids := found.add(decoder, rec.Value, d.now)
			fit.add(rec, ids, len(extents))
		}
	}
	fit.report(d.r, kafka.Partitioner(d.k.Partitioner), s.Name)
	found.report(d.r)
	return nil
}

// lag says how far behind the group is.
func (d *kafkaCheck) lag(extents []kafka.Extent) {
	var lag, most int64
	worst, none, gone := 0, 0, 0
	for i, e := range extents {
		switch {
		case e.Committed < 0:
			none++
			continue
		case e.Committed < e.First:
			gone++
		case e.Committed > e.End:
			d.r.add(Wrong, "lag", "was the topic made anew? The detector says at its start what it does", "the group's position in partition %d is %d, and the log ends at %d", i, e.Committed, e.End)
			continue
		}
		n := e.End - max(e.Committed, e.First)
		if lag += n; n > most {
			most, worst = n, i
		}
	}
	if gone > 0 {
		d.r.add(Wrong, "lag", "keep steps for longer (retention.ms, retention.bytes)", "in %s the log begins after the group's position: steps were removed before they were judged", count(int64(gone), "partition", "partitions"))
	}
	switch {
	case none == len(extents):
		d.r.add(OK, "lag", "", "the group %s has no position yet; it begins at the %s", d.names.Group, map[bool]string{true: "end", false: "beginning"}[d.k.Latest])
	case lag > minLag:
		d.r.add(Warning, "lag", "start more detectors with this group, up to one for each partition; is one running?", "the group is %d records behind, %d of them in partition %d", lag, most, worst)
	default:
		d.r.add(OK, "lag", "", "the group is %s behind its last checkpoints", count(lag, "record", "records"))
	}
}

// shares says whether the partitions hold alike.
func (d *kafkaCheck) shares(extents []kafka.Extent) {
	var all, most int64
	hot := 0
	for i, e := range extents {
		n := e.End - e.First
		if all += n; n > most {
			most, hot = n, i
		}
	}
	if all < minShare || len(extents) < 2 {
		return
	}
	mean := all / int64(len(extents))
	if most >= 2*mean {
		d.r.add(Warning, "skew", "is one trajectory, or one key for many, most of the traffic?", "partition %d holds %s of the records, %d times its share", hot, percent(most, all), most/max(mean, 1))
		return
	}
	d.r.add(OK, "skew", "", "none of %d partitions holds twice its share", len(extents))
}

// clock looks for records of the future.
func (d *kafkaCheck) clock(ctx context.Context, s kafka.TopicState) error {
	const tolerated = 2 * time.Second
	whose, mend := "the broker's clock", "set the clocks of the brokers and of this machine by NTP"
	if s.Settings["message.timestamp.type"] != "LogAppendTime" {
		whose, mend = "the clock of a producer", "set the producers' clocks by NTP, or have the broker stamp the records (message.timestamp.type=LogAppendTime)"
	}
	// The broker tells which record is of a time or later, not of which time.
	var farthest time.Duration
	for i := range s.Partitions {
		for _, ahead := range []time.Duration{tolerated, time.Minute, maxAhead, time.Hour, 24 * time.Hour, 365 * 24 * time.Hour} {
			_, ok, err := d.c.Since(ctx, s.Name, i, time.Now().Add(ahead))
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			farthest = max(farthest, ahead)
		}
	}
	if farthest > 0 {
		d.r.add(Warning, "clocks", mend, "%s is more than %v ahead of this machine's", whose, farthest)
		return nil
	}
	d.r.add(OK, "clocks", "", "no record is of a time to come")
	return nil
}
