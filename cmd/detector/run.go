package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"misstep/internal/app"
	"misstep/internal/config"
)

// settings are the flags of run; what is not given is as the configuration
// says.
type settings struct {
	config, data, http, nats, natsURL, kafka, level string
}

func newRun() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Take steps in and report failures until it is stopped",
		Long: `run starts an embedded NATS server and an HTTP server, takes in step events and
reports failures: on the standard output, on NATS under agent.failures.> and in
/metrics. What was taken in and found is kept in the data folder; after a
restart it goes on where it was, and nothing is reported twice.

With --nats-url, or nats.url in the configuration, it uses that NATS server
instead and keeps everything there. Of several that do, one works and the
others stand by; /readyz says which.

With --kafka, or kafka.brokers in the configuration, it uses that Kafka cluster:
all that do share its partitions. "detector topics --for kafka" prints what must
be there.

With -c, SIGHUP has the file read again, and the files with secrets that it
names: other rules, thresholds, tools and prices are in force from there on,
other settings wait for a restart and are named in the log. A file with a
mistake changes nothing.

Interrupt it to stop, or send SIGTERM; it finishes what it was doing. A second
time ends it at once.`,
		Example: `  detector run
  detector run -c misstep.yaml
  detector run --http 127.0.0.1:14318 --nats 127.0.0.1:14222 --data /tmp/misstep
  detector run -c misstep.yaml --nats-url nats://nats.example:4222
  detector run --kafka localhost:9092`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			stderr := cmd.ErrOrStderr()
			o := app.Options{
				Config: c,
				Out:    cmd.OutOrStdout(),
				Getenv: os.Getenv,
				Log:    app.NewLog(stderr, c.Log, os.Getenv),
			}
			ctx := cmd.Context()
			if s.config != "" {
				var stop func()
				ctx, o.Reload, stop = reloads(ctx)
				defer stop()
				o.Load = s.load
			}
			if c.Log.Format != "json" {
				o.Banner = stderr
			}
			return app.Run(ctx, o)
		},
	}
	configFlag(cmd, &s.config)
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "", "`DIR` of logs and state (default "+config.Default().Data+")")
	f.StringVar(&s.http, "http", "", "`ADDR` of the HTTP server, port 0 for any free one (default "+config.Default().HTTP.Listen+")")
	f.StringVar(&s.nats, "nats", "", "`ADDR` of the embedded NATS server, port 0 for any free one (default "+config.Default().NATS.Listen+")")
	f.StringVar(&s.natsURL, "nats-url", "", "`URL` of a NATS server to use instead of an embedded one, such as nats://localhost:4222; several with commas")
	kafkaFlag(cmd, &s.kafka)
	f.StringVar(&s.level, "log-level", "", "what to tell on standard error: "+strings.Join(config.LogLevels(), ", ")+" (default "+config.Default().Log.Level+")")
	_ = cmd.MarkFlagDirname("data") // fails for a flag that is not there only
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions(config.LogLevels(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// kafkaFlag adds --kafka.
func kafkaFlag(cmd *cobra.Command, brokers *string) {
	cmd.Flags().StringVar(brokers, "kafka", "", "`BROKERS` of a Kafka cluster to use instead of NATS, such as localhost:9092; several with commas")
}

// load gives the configuration with the flags over it.
func (s *settings) load() (*config.Config, error) {
	c := config.Default()
	if s.config != "" {
		var err error
		if c, err = config.Load(s.config); err != nil {
			return nil, err
		}
	}
	if s.data != "" {
		c.Data = s.data
	}
	for _, a := range []struct {
		flag, value string
		into        *string
	}{{"http", s.http, &c.HTTP.Listen}, {"nats", s.nats, &c.NATS.Listen}} {
		if a.value == "" {
			continue
		}
		if err := config.CheckListen(a.value); err != nil {
			return nil, fmt.Errorf("--%s: %w", a.flag, err)
		}
		*a.into = a.value
	}
	if s.natsURL != "" {
		c.NATS.URLs = strings.Split(s.natsURL, ",")
		for _, u := range c.NATS.URLs {
			if err := config.CheckNATSURL(u); err != nil {
				return nil, fmt.Errorf("--nats-url: %w", err)
			}
		}
	}
	if s.nats != "" && c.NATS.External() {
		return nil, errors.New("--nats is the address of the embedded NATS server, and there is a URL of another server (--nats-url, or nats.url in the configuration), with which none is started; remove one of the two")
	}
	if s.kafka != "" {
		if s.nats != "" || c.NATS.External() {
			return nil, errors.New("--kafka names a Kafka cluster, and there is a NATS server (--nats, --nats-url, or nats.url in the configuration); remove one of the two")
		}
		c.Kafka.Brokers = strings.Split(s.kafka, ",")
		for _, b := range c.Kafka.Brokers {
			if err := config.CheckKafkaBroker(b); err != nil {
				return nil, fmt.Errorf("--kafka: %w", err)
			}
		}
	}
	if s.natsURL != "" && c.Kafka.Used() {
		return nil, errors.New("--nats-url names a NATS server, and kafka.brokers in the configuration a Kafka cluster; remove one of the two")
	}
	if s.level != "" {
		if !slices.Contains(config.LogLevels(), s.level) {
			return nil, fmt.Errorf("--log-level: found %q; give one of %s", s.level, strings.Join(config.LogLevels(), ", "))
		}
		c.Log.Level = s.level
	}
	if err := c.CheckAccess(); err != nil {
		return nil, err
	}
	return c, nil
}
