package kafkatest

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Listener names one of a broker's addresses.
type Listener string

// The listeners. Plain is always there, and whoever connects to it may do all;
// the others are there with Options.Secured.
const (
	Plain     Listener = "PLAINTEXT" // no TLS, no credentials
	TLS       Listener = "TLS"       // the server's certificate only
	MutualTLS Listener = "MTLS"      // asks for a certificate of the client's
	SASL      Listener = "SASL"      // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 without TLS
	SASLTLS   Listener = "SASLTLS"   // the same over TLS
)

// protocols gives what each secured listener speaks.
var protocols = map[Listener]string{TLS: "SSL", MutualTLS: "SSL", SASL: "SASL_PLAINTEXT", SASLTLS: "SASL_SSL"}

// Options change a broker from one that takes everything from everybody.
type Options struct {
	// Session is how long the broker's own session lasts, which is how long a
	// restart after a kill takes; 0: 2 s.
	Session time.Duration
	// Secured adds the listeners with TLS and SASL.
	Secured bool
	// Users and their passwords, for PLAIN and both SCRAM. They need Secured.
	Users map[string]string
	// Authorize asks for ACLs of everybody but those on the Plain listener.
	Authorize bool
	// Properties are set last, so they override anything.
	Properties map[string]string
}

// properties writes the broker's configuration into its folder.
func (o *Options) properties(dir string, ports map[Listener]int, controller int) string {
	session := o.Session
	if session == 0 {
		session = 2 * time.Second
	}
	p := map[string]string{
		"process.roles": "broker,controller", "node.id": "1",
		"controller.quorum.voters":  fmt.Sprintf("1@127.0.0.1:%d", controller),
		"controller.listener.names": "CONTROLLER", "inter.broker.listener.name": "PLAINTEXT",
		"log.dirs":                         filepath.ToSlash(filepath.Join(dir, "data")),
		"offsets.topic.replication.factor": "1", "offsets.topic.num.partitions": "4",
		"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "4",
		"share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
		"group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500",
		"broker.session.timeout.ms":    fmt.Sprint(session.Milliseconds()),
		"broker.heartbeat.interval.ms": fmt.Sprint(session.Milliseconds() / 4),
		"auto.create.topics.enable":    "false",
	}
	listeners := []string{fmt.Sprintf("CONTROLLER://127.0.0.1:%d", controller)}
	advertised, protocol := []string{}, []string{"CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"}
	for _, l := range slices.Sorted(maps.Keys(ports)) {
		at := fmt.Sprintf("%s://127.0.0.1:%d", l, ports[l])
		listeners, advertised = append(listeners, at), append(advertised, at)
		if l != Plain {
			protocol = append(protocol, string(l)+":"+protocols[l])
		}
	}
	p["listeners"], p["advertised.listeners"] = strings.Join(listeners, ","), strings.Join(advertised, ",")
	p["listener.security.protocol.map"] = strings.Join(protocol, ",")
	if o.Secured {
		p["ssl.keystore.type"], p["ssl.keystore.location"] = "PEM", filepath.ToSlash(filepath.Join(dir, serverPEM))
		p["ssl.truststore.type"], p["ssl.truststore.location"] = "PEM", filepath.ToSlash(filepath.Join(dir, caPEM))
		p["listener.name.mtls.ssl.client.auth"] = "required"
		p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
		plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
		for _, u := range slices.Sorted(maps.Keys(o.Users)) {
			plain += fmt.Sprintf(" user_%s=%q", u, o.Users[u])
		}
		for _, l := range []string{"sasl", "sasltls"} {
			p["listener.name."+l+".plain.sasl.jaas.config"] = plain + ";"
			for _, m := range []string{"scram-sha-256", "scram-sha-512"} {
				p["listener.name."+l+"."+m+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
			}
		}
	}
	if o.Authorize {
		p["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
		p["super.users"] = "User:ANONYMOUS"
	}
	maps.Copy(p, o.Properties)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, strings.ReplaceAll(p[k], `\`, `\\`))
	}
	return b.String()
}

// scram gives the arguments that make the users while a folder is formatted.
func (o *Options) scram() []string {
	var out []string
	for _, u := range slices.Sorted(maps.Keys(o.Users)) {
		for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			out = append(out, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, u, o.Users[u]))
		}
	}
	return out
}

// freePorts gives ports that nothing listens on. They lie below those that
// systems give to connections that go out, so that one is still free when a
// broker that was killed comes back to it.
func freePorts(n int, from func(int) int) ([]int, error) {
	const low, high = 10240, 30720
	var out []int
	for try := 0; len(out) < n; try++ {
		if try > 1000 {
			return nil, fmt.Errorf("found no free port between %d and %d", low, high)
		}
		p := low + from(high-low)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil || slices.Contains(out, p) {
			continue
		}
		_ = l.Close()
		out = append(out, p)
	}
	return out, nil
}
