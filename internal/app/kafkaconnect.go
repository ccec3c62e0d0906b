package app

import (
	"io"

	"github.com/rs/zerolog"

	"misstep/internal/config"
	"misstep/stream/kafka"
)

// KafkaOptions says how the configuration reaches the Kafka cluster.
func KafkaOptions(k *config.Kafka, log zerolog.Logger) kafka.ConnectOptions {
	return kafka.ConnectOptions{
		Brokers: k.Brokers, ClientID: k.ClientID,
		TLS: kafka.TLSOptions{
			Enabled: k.TLS.Enabled, CAFile: k.TLS.CAFile, ServerName: k.TLS.ServerName,
			CertFile: k.TLS.CertFile, KeyFile: k.TLS.KeyFile, InsecureSkipVerify: k.TLS.InsecureSkipVerify,
		},
		SASL:   kafka.SASLOptions{Mechanism: k.SASL.Mechanism, User: k.SASL.User, PasswordFile: k.SASL.PasswordFile},
		Logger: log,
	}
}

// KafkaNames gives what the configuration calls topics and group.
func KafkaNames(k *config.Kafka) kafka.Names {
	return kafka.Names{
		Steps: k.Topics.Steps, Failures: k.Topics.Failures, Tasks: k.Topics.Tasks, Directives: k.Topics.Directives,
		DeadLetter: k.Topics.DeadLetter, Gaps: k.Topics.Gaps, Checkpoints: k.Checkpoint, Group: k.Group,
	}
}

// KafkaTopics say of the topics what a configuration does not.
type KafkaTopics struct {
	Partitions, Replicas     int // 0: the default
	CommandConfig, Principal string
}

// WriteKafkaTopics writes the commands that make what the configuration needs on
// a Kafka cluster, and the rights.
func WriteKafkaTopics(w io.Writer, k *config.Kafka, t KafkaTopics) error {
	return kafka.WriteTopics(w, kafka.TopicsOptions{
		Names: KafkaNames(k), Brokers: k.Brokers, Partitioner: kafka.Partitioner(k.Partitioner),
		Partitions: t.Partitions, Replicas: t.Replicas, CommandConfig: t.CommandConfig, Principal: t.Principal,
	})
}
