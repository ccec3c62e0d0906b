// Package kafkatest starts a real Kafka broker for tests, from its Java
// packages: one node, in a folder of its own, on ports of its own.
package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	clusterID = "MkU3OEVBNTcwNTJENDM2Qg"
	logName   = "broker.log"
	// startLimit is how long a broker may take to answer, on a machine that is
	// busy with other things.
	startLimit = 90 * time.Second
	stopLimit  = 30 * time.Second
)

// Broker is a Kafka broker in a process of its own. Its methods are for one
// goroutine at a time.
type Broker struct {
	// Authority signs the certificates of the secured listeners; nil without.
	Authority *Authority

	dir   string
	lib   string
	share string // flag of the JVM: whose classes it takes
	opts  Options
	ports map[Listener]int
	cmd   *exec.Cmd     // nil while it does not run
	ended chan struct{} // closed when cmd has ended
}

// Launch starts a broker whose data is in dir, which must be empty, and returns
// when it answers. The error is a *Missing where the machine cannot run Kafka.
// ctx ends the start only; Stop or Kill ends the broker, and on Linux the end of
// the thread that started it does.
func Launch(ctx context.Context, dir string, o Options) (*Broker, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	lib, err := Jars(ctx)
	if err != nil {
		return nil, err
	}
	share := "-Xshare:auto"
	if file := archive(ctx, lib); file != "" {
		share = "-XX:SharedArchiveFile=" + file
	}
	return launch(ctx, dir, lib, o, share)
}

// launch is Launch with a flag for the JVM.
func launch(ctx context.Context, dir, lib string, o Options, share string) (*Broker, error) {
	b := &Broker{dir: dir, lib: lib, share: share, opts: o, ports: map[Listener]int{Plain: 0}}
	var err error
	if o.Secured {
		if b.Authority, err = NewAuthority(dir); err != nil {
			return nil, err
		}
		if err := b.Authority.writeServer(); err != nil {
			return nil, err
		}
		for l := range protocols {
			b.ports[l] = 0
		}
	}
	ports, err := freePorts(len(b.ports)+1, rand.IntN)
	if err != nil {
		return nil, err
	}
	for l := range b.ports {
		b.ports[l], ports = ports[0], ports[1:]
	}
	if err := os.WriteFile(b.config(), []byte(o.properties(dir, b.ports, ports[0])), 0o600); err != nil {
		return nil, err
	}
	format := append([]string{"format", "-t", clusterID, "-c", b.config()}, o.scram()...)
	tool := *b
	if strings.Contains(share, "AtExit") {
		tool.share = "-Xshare:auto" // the broker's classes are to be kept, not the tool's
	}
	if out, err := tool.Tool(ctx, "kafka.tools.StorageTool", format...); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return b, b.Restart(ctx)
}

func (b *Broker) config() string { return filepath.Join(b.dir, "broker.properties") }

// Addr is host:port of the listener that takes everything from everybody.
func (b *Broker) Addr() string { return b.Listener(Plain) }

// Listener is host:port of a listener.
func (b *Broker) Listener(l Listener) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.ports[l]))
}

// Dir is the folder of the broker's data and certificates.
func (b *Broker) Dir() string { return b.dir }

// Log is what the broker has said so far: warnings and errors.
func (b *Broker) Log() string {
	out, err := os.ReadFile(filepath.Join(b.dir, logName))
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// java gives a command that runs a class of Kafka's packages.
func (b *Broker) java(ctx context.Context, class string, args ...string) *exec.Cmd {
	argv := append([]string{
		b.share, "-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xms128m", "-Xmx512m",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(b.lib, "*"), class,
	}, args...)
	cmd := exec.CommandContext(ctx, "java", argv...)
	tie(cmd)
	return cmd
}

// Tool runs one of Kafka's own programs, such as
// org.apache.kafka.tools.TopicCommand, and gives what it says.
func (b *Broker) Tool(ctx context.Context, class string, args ...string) (string, error) {
	out, err := b.java(ctx, class, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", class, strings.Join(args, " "), err)
	}
	return string(out), err
}

// scripts are those of Kafka's own programs that Scripts makes, with the class
// of each.
var scripts = map[string]string{
	"kafka-topics.sh":           "org.apache.kafka.tools.TopicCommand",
	"kafka-acls.sh":             "org.apache.kafka.tools.AclCommand",
	"kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
	"kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
}

// Scripts makes Kafka's own programs, by the names that they have in its bin
// folder, in a folder to put before others in PATH.
func (b *Broker) Scripts(dir string) error {
	for name, class := range scripts {
		text := "#!/bin/sh\nexec"
		for _, a := range b.java(context.Background(), class).Args {
			text += " '" + a + "'"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+" \"$@\"\n"), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// Restart starts a broker that was stopped or killed on the same folder and
// ports, and returns when it answers.
func (b *Broker) Restart(ctx context.Context) error {
	if b.cmd != nil {
		return errors.New("the broker is running; stop or kill it first")
	}
	f, err := os.OpenFile(filepath.Join(b.dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()                               // the process has its own
	cmd := b.java(context.Background(), "kafka.Kafka", b.config()) // it outlives the start
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	b.cmd, b.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // how it ends is told by its log
		close(ended)
	}()
	if err := b.ready(ctx); err != nil {
		b.Kill()
		return fmt.Errorf("%w; the broker says: %s", err, clip([]byte(b.Log())))
	}
	return nil
}

// ready waits until the broker answers.
func (b *Broker) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	transport := &kafka.Transport{DialTimeout: time.Second}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(b.Addr()), Transport: transport, Timeout: time.Second}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		// ApiVersions is answered early; that the node is in the metadata says
		// that it takes requests.
		if m, err := client.Metadata(ctx, &kafka.MetadataRequest{}); err == nil && len(m.Brokers) > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-b.ended:
			return errors.New("the broker ended while it started")
		case <-ctx.Done():
			return fmt.Errorf("the broker did not answer: %w", ctx.Err())
		}
	}
}

// Kill ends the broker at once, as kill -9 does.
func (b *Broker) Kill() {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Kill() // it may have ended already
	<-b.ended
	b.cmd = nil
}

// Stop lets the broker end in order.
func (b *Broker) Stop() error {
	if b.cmd == nil {
		return nil
	}
	if err := interrupt(b.cmd.Process); err != nil {
		b.Kill()
		return err
	}
	select {
	case <-b.ended:
		b.cmd = nil
		return nil
	case <-time.After(stopLimit):
		b.Kill()
		return fmt.Errorf("the broker did not stop within %v, so it was killed; it says: %s", stopLimit, clip([]byte(b.Log())))
	}
}

// Client gives a client on the listener that takes everything, for tests to
// look behind what is tested. done closes its connections.
func (b *Broker) Client() (client *kafka.Client, done func()) {
	transport := &kafka.Transport{DialTimeout: 5 * time.Second, MetadataTTL: time.Second}
	return &kafka.Client{Addr: kafka.TCP(b.Addr()), Transport: transport, Timeout: 10 * time.Second}, transport.CloseIdleConnections
}

// CreateTopic makes a topic, and returns when each of its partitions has a
// leader. settings are those of the topic, such as cleanup.policy.
func (b *Broker) CreateTopic(ctx context.Context, name string, partitions int, settings map[string]string) error {
	client, done := b.Client()
	defer done()
	config := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}
	for k, v := range settings {
		config.ConfigEntries = append(config.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	resp, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}})
	if err == nil {
		err = resp.Errors[name]
	}
	if err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
		if err == nil && len(m.Topics) == 1 && m.Topics[0].Error == nil && led(m.Topics[0], partitions) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("topic %s has no leaders: %w", name, ctx.Err())
		}
	}
}

func led(t kafka.Topic, partitions int) bool {
	for _, p := range t.Partitions {
		if p.Error != nil || p.Leader.ID == 0 {
			return false
		}
	}
	return len(t.Partitions) == partitions
}
