package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"misstep/internal/replay"
)

func newPublish() *cobra.Command {
	var f reading
	var o replay.PublishOptions
	var speed string
	cmd := &cobra.Command{
		Use:   "publish INPUT... --to URL",
		Short: "Send recorded steps to a Kafka topic or a NATS subject",
		Long: `publish sends the steps of the inputs, in their order, to a Kafka topic, with the
trajectory as key, or to a subject that a NATS stream takes. Ids are kept: a detector that has seen a step lately drops it.
Times are kept as well, unless --shift-to-now moves them all by the same amount,
so that the last step is of the time at which it is sent; with --speed max that
is now. What is refused is not sent.

On Kafka a message holds steps of one trajectory, however many are packed, and
those of a trajectory keep their order.

It ends when the server has acknowledged all. It cannot be resumed; sending all
again is harmless where steps have ids.`,
		Example: `  replayer publish fixtures/sample.jsonl --to nats://localhost:4222/agent.steps
  replayer publish fixtures/sample.jsonl --to kafka://localhost:9092/agent.steps --pack 64
  replayer publish recorded/ --to nats://localhost:4222/agent.steps --speed 10x --shift-to-now
  replayer publish steps.jsonl.gz --to tls://nats.example:4222/agent.steps --pack 64 --nats-user bench --nats-password-file pw`,
		Args: needInput(1, "an INPUT"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.To == "" {
				return errors.New("--to is missing; name the topic or the subject, such as kafka://localhost:9092/agent.steps or nats://localhost:4222/agent.steps")
			}
			if o.Speed, err = replay.ParseSpeed(speed); err != nil {
				return fmt.Errorf("--speed: %w", err)
			}
			if o.Pack < 1 || o.Pack > maxPack {
				return fmt.Errorf("--pack: want 1 to %d, found %d", maxPack, o.Pack)
			}
			if o.Inputs, err = f.inputs(cmd, args); err != nil {
				return err
			}
			o.Access, o.Progress = f.access, progress(cmd)
			done, err := replay.Publish(cmd.Context(), o)
			if err != nil {
				return err
			}
			w := cmd.ErrOrStderr()
			if err := done.WriteSummary(w, style(w)); err != nil {
				return err
			}
			if done.Steps == 0 && done.Refused.Total > 0 {
				return replay.ErrNothingRead
			}
			return nil
		},
	}
	f.formatFlag(cmd)
	accessFlags(cmd, &f.access)
	flags := cmd.Flags()
	flags.StringVar(&o.To, "to", "", "`URL` to send to: kafka://HOST:PORT/TOPIC or nats://HOST:PORT/SUBJECT")
	flags.StringVar(&f.access.Kafka.Partitioner, "kafka-partitioner", "murmur2", "how the partition of a key is chosen on Kafka: murmur2, crc32, fnv1a")
	flags.StringVar(&f.access.Kafka.Compression, "kafka-compression", "lz4", "of what is sent to Kafka: none, gzip, snappy, lz4, zstd")
	flags.StringVar(&speed, "speed", "max", "`SPEED`: max, 1x (as it was recorded), 10x, ...")
	flags.IntVar(&o.Pack, "pack", 1, "steps in a message at most; 64 raises throughput about ten times")
	flags.BoolVar(&o.Shift, "shift-to-now", false, "move all times, so that the last step is of the time at which it is sent")
	complete(cmd, "speed", "max", "1x", "10x")
	complete(cmd, "kafka-partitioner", "murmur2", "crc32", "fnv1a")
	complete(cmd, "kafka-compression", "none", "gzip", "snappy", "lz4", "zstd")
	return cmd
}

// maxPack is how many steps a message may hold.
const maxPack = 1000
