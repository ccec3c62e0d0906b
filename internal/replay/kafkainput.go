package replay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/internal/intake"
	"misstep/stream/kafka"
)

// Kafka says how the clusters of kafka:// URLs are reached. Secrets are in
// files.
type Kafka struct {
	TLS  kafka.TLSOptions
	SASL kafka.SASLOptions
	// Partitioner and Compression are those of what is published; empty: murmur2,
	// and none.
	Partitioner, Compression string
}

// Or gives the settings of a configuration where k has none of its own.
func (k Kafka) Or(c *config.Kafka) Kafka {
	if k.TLS == (kafka.TLSOptions{}) {
		k.TLS = kafka.TLSOptions{
			Enabled: c.TLS.Enabled, CAFile: c.TLS.CAFile, ServerName: c.TLS.ServerName,
			CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, InsecureSkipVerify: c.TLS.InsecureSkipVerify,
		}
	}
	if k.SASL == (kafka.SASLOptions{}) {
		k.SASL = kafka.SASLOptions{Mechanism: c.SASL.Mechanism, User: c.SASL.User, PasswordFile: c.SASL.PasswordFile}
	}
	return k
}

func (k Kafka) connect(ctx context.Context, brokers []string, topic string) (*kafka.Cluster, error) {
	return kafka.Connect(ctx, kafka.ConnectOptions{
		Brokers: brokers, ClientID: "misstep-replayer", TLS: k.TLS, SASL: k.SASL, Topics: []string{topic}, Logger: zerolog.Nop(),
	})
}

// KafkaMechanisms lists the SASL mechanisms that are known.
func KafkaMechanisms() []string { return kafka.Mechanisms() }

// isKafka reports whether an argument names something on a Kafka cluster.
func isKafka(arg string) bool { return strings.HasPrefix(arg, "kafka://") }

// splitKafka takes BROKERS/TOPIC?QUERY apart.
func splitKafka(arg, form string) (brokers []string, topic string, query url.Values, err error) {
	rest := strings.TrimPrefix(arg, "kafka://")
	rest, raw, _ := strings.Cut(rest, "?")
	hosts, topic, ok := strings.Cut(rest, "/")
	if !ok || topic == "" || strings.ContainsAny(rest, "#") {
		return nil, "", nil, fmt.Errorf("want %s", form)
	}
	brokers = strings.Split(hosts, ",")
	for _, b := range brokers {
		if strings.Contains(b, "@") {
			return nil, "", nil, errors.New("the URL holds a user, password or token; secrets are read from files alone: remove what is before the @, and name the user and a password file")
		}
		if err := kafka.CheckBroker(b); err != nil {
			return nil, "", nil, err
		}
	}
	if err := kafka.CheckTopic(topic); err != nil {
		return nil, "", nil, fmt.Errorf("topic %.80q: %w", topic, err)
	}
	if query, err = url.ParseQuery(raw); err != nil {
		return nil, "", nil, fmt.Errorf("what is after the ? cannot be read; want %s", form)
	}
	return brokers, topic, query, nil
}

// kafkaForm is how an input on a Kafka cluster is named.
const kafkaForm = "kafka://HOST:PORT/TOPIC?from=...&to=..., with offsets or RFC 3339 times, and perhaps partition=..."

// kafkaInput is a part of a topic, which does not change.
type kafkaInput struct {
	access  Kafka
	brokers []string
	topic   string
	part    *kafka.Range
}

// addKafka finds the part of a topic that an argument names.
func (in *Inputs) addKafka(ctx context.Context, arg string, format intake.Format, access Kafka) error {
	fail := func(err error) error { return fmt.Errorf("%s: %w", redacted(arg), err) }
	brokers, topic, query, err := splitKafka(arg, kafkaForm)
	if err != nil {
		return fail(err)
	}
	if format != Auto && format != intake.Steps {
		return fail(fmt.Errorf("a topic holds step events; --format %s is for files", format))
	}
	opts := kafka.RangeOptions{Topic: topic, Partition: -1}
	for key, values := range query {
		value := values[len(values)-1]
		switch key {
		case "from":
			opts.From, err = kafka.ParseBound(value)
		case "to":
			opts.To, err = kafka.ParseBound(value)
		case "partition":
			var n uint64
			if n, err = strconv.ParseUint(value, 10, 31); err != nil {
				err = fmt.Errorf("found %q; give the number of a partition, from 0 on", value)
			}
			opts.Partition = int(n)
		default:
			err = fmt.Errorf("there is no such setting; want %s", kafkaForm)
		}
		if err != nil {
			return fail(fmt.Errorf("%s: %w", key, err))
		}
	}
	if opts.From.After(opts.To) {
		return fail(errors.New("to: lies before from, so that nothing is between them"))
	}
	c, err := access.connect(ctx, brokers, topic)
	if err != nil {
		return err // names the brokers
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	part, err := kafka.FindRange(ctx, c, opts)
	if err != nil {
		return fail(err)
	}
	in.Files = append(in.Files, Input{
		Name: arg, Format: intake.Steps, kafka: &kafkaInput{access: access, brokers: brokers, topic: topic, part: part},
	})
	return nil
}

// kafkaPart is the log of such an input.
type kafkaPart struct {
	*kafka.RangeLog
	name string
	c    *kafka.Cluster
}

func (k *kafkaInput) open(name string, gap func(from, to int64)) (part, error) {
	ctx, cancel := context.WithTimeout(context.Background(), findTimeout)
	defer cancel()
	c, err := k.access.connect(ctx, k.brokers, k.topic)
	if err != nil {
		return nil, err
	}
	log, err := kafka.OpenRange(ctx, c, k.part, gap)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &kafkaPart{RangeLog: log, name: name, c: c}, nil
}

// Locate gives the offset of a record in its partition, or, where there are
// several, its number.
func (p *kafkaPart) Locate(offset int64) (file string, n int64) { return p.name, offset }

// Close ends the reading and the connections.
func (p *kafkaPart) Close() error {
	err := p.RangeLog.Close()
	p.c.Close()
	return err
}
