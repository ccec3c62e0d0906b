package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"misstep/internal/build"
	"misstep/internal/config"
	"misstep/internal/replay"
)

// reading are the flags of every command that reads inputs.
type reading struct {
	config string
	format string
	shards int
	access replay.Access
}

func (r *reading) formatFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.format, "format", string(replay.Auto), "what the inputs hold: auto, steps, chat or otlp")
	complete(cmd, "format", "auto\trecognise it", "steps\tstep events", "chat\tOpenAI chat transcripts", "otlp\tOTLP/JSON traces with OpenInference spans")
}

// natsFlags are how the servers of nats:// URLs are reached.
func natsFlags(cmd *cobra.Command, n *replay.NATS) {
	f := cmd.Flags()
	f.StringVar(&n.User, "nats-user", "", "`NAME` of the user on NATS servers")
	f.StringVar(&n.PasswordFile, "nats-password-file", "", "`FILE` that holds the user's password")
	f.StringVar(&n.TokenFile, "nats-token-file", "", "`FILE` that holds a token, instead of a user")
	f.StringVar(&n.NKeyFile, "nats-nkey-file", "", "`FILE` that holds the seed of an NKey, instead of a user")
	f.StringVar(&n.CredentialsFile, "nats-credentials-file", "", "`FILE` that holds a JWT and its seed, instead of a user")
	f.StringVar(&n.TLS.CAFile, "nats-ca-file", "", "`FILE` of the authorities of NATS servers with TLS, in PEM form")
	f.StringVar(&n.TLS.ServerName, "nats-server-name", "", "`NAME` expected in the server's certificate; default: the host")
	f.StringVar(&n.TLS.CertFile, "nats-cert-file", "", "`FILE` of the certificate to show to NATS servers, in PEM form")
	f.StringVar(&n.TLS.KeyFile, "nats-key-file", "", "`FILE` of that certificate's key")
	f.BoolVar(&n.TLS.InsecureSkipVerify, "nats-insecure-skip-verify", false, "take any certificate of NATS servers")
}

// kafkaFlags are how the clusters of kafka:// URLs are reached.
func kafkaFlags(cmd *cobra.Command, k *replay.Kafka) {
	f := cmd.Flags()
	f.StringVar(&k.SASL.Mechanism, "kafka-sasl", "", "SASL mechanism of Kafka: "+strings.Join(replay.KafkaMechanisms(), ", "))
	f.StringVar(&k.SASL.User, "kafka-user", "", "`NAME` of the user on Kafka")
	f.StringVar(&k.SASL.PasswordFile, "kafka-password-file", "", "`FILE` that holds the user's password")
	f.BoolVar(&k.TLS.Enabled, "kafka-tls", false, "TLS with the system's authorities; any of the following sets it")
	f.StringVar(&k.TLS.CAFile, "kafka-ca-file", "", "`FILE` of the authorities of Kafka with TLS, in PEM form")
	f.StringVar(&k.TLS.ServerName, "kafka-server-name", "", "`NAME` expected in the broker's certificate; default: the host")
	f.StringVar(&k.TLS.CertFile, "kafka-cert-file", "", "`FILE` of the certificate to show to Kafka, in PEM form")
	f.StringVar(&k.TLS.KeyFile, "kafka-key-file", "", "`FILE` of that certificate's key")
	f.BoolVar(&k.TLS.InsecureSkipVerify, "kafka-insecure-skip-verify", false, "take any certificate of Kafka")
	complete(cmd, "kafka-sasl", replay.KafkaMechanisms()...)
}

// accessFlags are how the brokers of URLs are reached.
func accessFlags(cmd *cobra.Command, a *replay.Access) {
	natsFlags(cmd, &a.NATS)
	kafkaFlags(cmd, &a.Kafka)
}

func (r *reading) rulesFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&r.config, "config", "c", "", "configuration `FILE`; default: every detector as it is")
	cmd.Flags().IntVar(&r.shards, "shards", 0, "state machines that the trajectories are spread over, 0 for one for each processor; the output is the same")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails for a flag that is not there only
}

// complete sets what the shell offers for a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, // fails for a flag that is not there only
		func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values, cobra.ShellCompDirectiveNoFileComp
		})
}

func (r *reading) inputs(cmd *cobra.Command, args []string) (*replay.Inputs, error) {
	f, err := replay.ParseFormat(r.format)
	if err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	return replay.FindOn(cmd.Context(), r.access, args, f, cmd.InOrStdin())
}

// options gives what every replay needs.
func (r *reading) options(cmd *cobra.Command, args []string) (*replay.Options, error) {
	if r.shards < 0 {
		return nil, fmt.Errorf("--shards: want 0 or more, found %d", r.shards)
	}
	c, err := replay.LoadConfig(r.config)
	if err != nil {
		return nil, err
	}
	o := &replay.Options{Shards: r.shards, Memory: c.Memory, Progress: progress(cmd)}
	if o.Shards == 0 {
		o.Shards = c.Shards
	}
	if o.Rules, err = c.Ruleset(); err != nil {
		return nil, err
	}
	r.access = r.access.Or(c)
	o.Inputs, err = r.inputs(cmd, args)
	return o, err
}

// style fits the text to where it goes.
func style(w io.Writer) replay.Style { return replay.StyleFor(w, os.Getenv) }

// progress tells how far the work is, on the standard error.
func progress(cmd *cobra.Command) *replay.Progress {
	return replay.ProgressFor(cmd.ErrOrStderr(), os.Getenv)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go, and the ruleset of the defaults",
		Example: "  replayer version",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, err := config.Default().Ruleset()
			if err != nil {
				return err
			}
			b := build.Read()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "replayer %s\ncommit %s\n%s\nruleset %s\n", b.Version, b.Commit, b.Go, rules.Hash())
			return err
		},
	}
}
