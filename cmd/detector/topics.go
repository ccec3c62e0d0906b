package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"misstep/internal/app"
)

func newTopics() *cobra.Command {
	var s settings
	var kind string
	var replicas int
	var k app.KafkaTopics
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Print the commands that make topics or streams, and the rights that are needed",
		Long: `topics prints what must be on a Kafka cluster or a NATS server of your own, as a
shell script: the commands that make it, for kafka-topics.sh or the nats tool,
and the rights of each role, as comments. It connects nowhere. A detector makes
nothing by itself, unless nats.create is true.

With --principal the rights of a detector on Kafka are commands as well, for
kafka-acls.sh.`,
		Example: `  detector topics --for kafka
  detector topics -c misstep.yaml --for kafka --replicas 3 --principal User:detector | sh
  detector topics --for nats
  detector topics -c misstep.yaml --for nats --replicas 3 | sh`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if kind != "kafka" && kind != "nats" {
				return fmt.Errorf("--for: want kafka or nats, found %q", kind)
			}
			c, err := s.load()
			if err != nil {
				return err
			}
			most := 5
			if kind == "kafka" {
				most = 100
			}
			if cmd.Flags().Changed("replicas") && (replicas < 1 || replicas > most) {
				return fmt.Errorf("--replicas: want 1 to %d, found %d", most, replicas)
			}
			if kind == "kafka" {
				if cmd.Flags().Changed("partitions") && (k.Partitions < 1 || k.Partitions > maxPartitions) {
					return fmt.Errorf("--partitions: want 1 to %d, found %d", maxPartitions, k.Partitions)
				}
				k.Replicas = replicas
				return app.WriteKafkaTopics(cmd.OutOrStdout(), &c.Kafka, k)
			}
			for _, name := range []string{"partitions", "command-config", "principal"} {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s is for Kafka, and --for says nats; remove it", name)
				}
			}
			if replicas > 0 {
				c.NATS.Replicas = replicas
			}
			return app.WriteTopics(cmd.OutOrStdout(), &c.NATS)
		},
	}
	configFlag(cmd, &s.config)
	kafkaFlag(cmd, &s.kafka)
	f := cmd.Flags()
	f.StringVar(&kind, "for", "", "what the commands are for: kafka or nats")
	f.IntVar(&replicas, "replicas", 0, "copies of each message in a cluster (default: as in the configuration, 1 without one)")
	f.IntVar(&k.Partitions, "partitions", 0, "partitions of the topic of steps, on Kafka (default 12)")
	f.StringVar(&k.CommandConfig, "command-config", "", "`FILE` that the printed commands name, for a Kafka cluster with TLS or credentials")
	f.StringVar(&k.Principal, "principal", "", "`NAME` of the detector on Kafka, such as User:detector: its rights are commands then")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"kafka", "nats"}, cobra.ShellCompDirectiveNoFileComp)) // fails for a flag that is not there only
	return cmd
}

// maxPartitions is how many partitions a topic is advised to have at the most.
const maxPartitions = 10_000
