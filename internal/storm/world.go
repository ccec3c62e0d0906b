//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/internal/kafkatest"
)

// world is all processes of a storm.
type world struct {
	opts      options
	dir       string
	rng       *rand.Rand
	urls      string
	servers   []*process
	detectors []*process
	producer  *process
	nc        *nats.Conn
	js        jetstream.JetStream

	conf string // of the embedded detector
	http string // where that answers

	broker *kafkatest.Broker // Kafka, nil in other modes

	kills, stops, nodes, leaves, reloads int
	dropped                              int // outputs that a consumer drops by their origin
	ownerKills                           []time.Time
	deaths                               []death
	troubles                             []trouble
}

func newWorld(o options, dir string) (*world, error) {
	w := &world{opts: o, dir: dir, rng: rand.New(rand.NewPCG(o.seed, 1))}
	if o.mode == onKafka {
		return w, nil
	}
	n := map[string]int{external: 1, embedded: 0, cluster: 3}[o.mode]
	ports, err := freePorts(2*n + 3)
	if err != nil {
		return nil, err
	}
	var urls, routes []string
	for i := range n {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", ports[2*i]))
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[2*i+1]))
	}
	for i := range n {
		conf := fmt.Sprintf("server_name: n%d\nlisten: 127.0.0.1:%d\njetstream: {store_dir: %q, sync_interval: 1s}\n", i, ports[2*i], filepath.Join(dir, fmt.Sprint("nats", i)))
		if n > 1 {
			conf += fmt.Sprintf("cluster: {name: storm, listen: \"127.0.0.1:%d\", routes: [%s]}\n", ports[2*i+1], strings.Join(routes, ", "))
		}
		w.servers = append(w.servers, w.role(fmt.Sprint("nats", i), "server", w.file(fmt.Sprintf("nats%d.conf", i), conf)))
	}
	w.urls = strings.Join(urls, ",")
	if o.mode == embedded {
		w.urls = fmt.Sprintf("nats://127.0.0.1:%d", ports[0])
		w.http = fmt.Sprintf("http://127.0.0.1:%d", ports[1])
		w.conf = fmt.Sprintf("data: %s\nnats: {listen: \"127.0.0.1:%d\", steps: {max_bytes: 256MiB}}\nhttp: {listen: \"127.0.0.1:%d\"}\n"+
			"checkpoint: {work: 50ms, interval: 1s}\n", filepath.Join(dir, "data"), ports[0], ports[1])
		if o.soak {
			w.conf += fmt.Sprintf("retain: %s\n", soakRetain)
		}
		w.detectors = append(w.detectors, w.detector("detector0", w.file("misstep.yaml", w.conf)))
		return w, nil
	}
	for i := range 3 {
		conf := w.file(fmt.Sprintf("misstep%d.yaml", i), fmt.Sprintf("nats: {url: [%s], create: true, replicas: %d, lease: %s}\nhttp: {listen: \"127.0.0.1:0\"}\ncheckpoint: {work: 50ms, interval: 1s}\n",
			`"`+strings.Join(urls, `", "`)+`"`, n, o.lease))
		w.detectors = append(w.detectors, w.detector(fmt.Sprint("detector", i), conf))
	}
	return w, nil
}

// freePorts gives ports of loopback that were free a moment ago.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// file writes a file, and gives its name. An error shows when it is read.
func (w *world) file(name, text string) string {
	name = filepath.Join(w.dir, name)
	_ = os.WriteFile(name, []byte(text), 0o600)
	return name
}

func (w *world) role(name, role string, args ...string) *process {
	self, _ := os.Executable() // of a Go program on unix it is known
	return &process{name: name, bin: self, args: args, env: []string{roleEnv + "=" + role, urlEnv + "=" + w.urls}, log: filepath.Join(w.dir, name+".log")}
}

func (w *world) detector(name, conf string) *process {
	return &process{name: name, bin: w.opts.bin, args: []string{"run", "-c", conf}, log: filepath.Join(w.dir, name+".log")}
}

// start brings everything up but the producer.
func (w *world) start(ctx context.Context) (err error) {
	if w.opts.mode == onKafka {
		return w.startKafka(ctx)
	}
	for _, p := range w.servers {
		if err := p.start(); err != nil {
			return err
		}
	}
	if w.opts.mode == embedded {
		if err := w.detectors[0].start(); err != nil {
			return err
		}
	}
	w.nc, err = nats.Connect(w.urls, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	if w.js, err = jetstream.New(w.nc); err != nil {
		return err
	}
	if err := wait(ctx, time.Minute, "JetStream is up", func() bool {
		_, err := w.js.AccountInfo(ctx)
		return err == nil
	}); err != nil {
		return err
	}
	if err := w.calm(ctx); err != nil {
		return err
	}
	return wait(ctx, time.Minute, "the detectors have made their streams", func() bool {
		for _, s := range []string{"AGENT_STEPS", "AGENT_RESULTS"} {
			if _, err := w.js.Stream(ctx, s); err != nil {
				return false
			}
		}
		return true
	})
}

func (w *world) startProducer(context.Context) (done <-chan error, err error) {
	o := w.opts
	retain := time.Duration(0)
	if o.soak {
		retain = soakRetain
	}
	w.producer = w.role("producer", "producer", filepath.Join(w.dir, expectedFile), fmt.Sprint(o.seed), fmt.Sprint(o.live), fmt.Sprint(o.rate), retain.String())
	if err := w.producer.start(); err != nil {
		return nil, err
	}
	return w.producer.ended, nil
}

// rage kills and stops detectors for as long as steps are published.
func (w *world) rage(ctx context.Context, producer <-chan error, out io.Writer) error {
	o := w.opts
	events := o.kills + o.stops + o.leaves
	if o.mode != embedded {
		events += o.nodes
	}
	pause := o.length / time.Duration(events+1)
	began := time.Now()
	for n := 0; n < events; n++ {
		// Around the beat, so that deaths fall close together and far apart.
		at := began.Add(time.Duration(n)*pause + time.Duration(w.rng.Int64N(int64(pause))))
		select {
		case <-time.After(time.Until(at)):
		case err := <-producer:
			return fmt.Errorf("the producer ended early, see its log: %w", errors.Join(err, errors.New("ended")))
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		switch left := events - n; {
		case o.mode != embedded && w.nodes < o.nodes && w.rng.IntN(left) < o.nodes-w.nodes:
			err = w.killServer(ctx)
		case w.leaves < o.leaves && w.rng.IntN(left) < o.leaves-w.leaves:
			err = w.leaveDetector()
		case w.stops < o.stops && w.rng.IntN(left) < o.stops-w.stops || w.kills == o.kills:
			err = w.stopDetector(ctx)
		default:
			err = w.killDetector()
		}
		if err != nil {
			return err
		}
		if n%20 == 19 {
			fmt.Fprintf(out, "%s: %d killed, %d stopped, %d servers killed\n", time.Since(began).Round(time.Second), w.kills, w.stops, w.nodes)
		}
	}
	select {
	case <-time.After(time.Until(began.Add(o.length))):
	case <-ctx.Done():
		return ctx.Err()
	}
	return w.endProducer(producer)
}

func (w *world) endProducer(producer <-chan error) error {
	w.producer.signal(syscall.SIGTERM)
	select {
	case err := <-producer:
		return err
	case <-time.After(time.Minute):
		return errors.New("the producer does not end")
	}
}

// pick gives a detector, the owner two times of three where it is known.
func (w *world) pick() (p *process, owner bool) {
	if i := w.owner(); i >= 0 && w.rng.IntN(3) > 0 {
		return w.detectors[i], true
	}
	return w.detectors[w.rng.IntN(len(w.detectors))], false
}

// owner finds who was the last to say that it owns the log.
func (w *world) owner() int {
	if len(w.detectors) == 1 {
		return 0
	}
	for i, p := range w.detectors {
		if p.owns() {
			return i
		}
	}
	return -1
}

func (w *world) killDetector() error {
	p, owner := w.pick()
	now := time.Now()
	defer w.suffer(now)
	if w.broker != nil {
		w.deaths = append(w.deaths, death{now, p.assigned()})
	}
	p.signal(syscall.SIGKILL)
	<-p.ended
	w.kills++
	if owner {
		w.ownerKills = append(w.ownerKills, now)
	}
	if w.rng.IntN(3) == 0 {
		time.Sleep(time.Duration(w.rng.Int64N(int64(time.Second))))
	}
	return p.start()
}

// stopDetector stops one for longer than its lease, and lets it go on: by then
// another owns what it believes to own.
func (w *world) stopDetector(ctx context.Context) error {
	p, _ := w.pick()
	defer w.suffer(time.Now())
	p.signal(syscall.SIGSTOP)
	w.stops++
	select {
	case <-time.After(w.opts.lease + time.Duration(w.rng.Int64N(int64(w.opts.lease)))):
	case <-ctx.Done():
	}
	p.signal(syscall.SIGCONT)
	return nil
}

func (w *world) killServer(ctx context.Context) error {
	if w.broker != nil {
		return w.killBroker(ctx)
	}
	p := w.servers[w.rng.IntN(len(w.servers))]
	p.signal(syscall.SIGKILL)
	<-p.ended
	w.nodes++
	select {
	case <-time.After(2*time.Second + time.Duration(w.rng.Int64N(int64(3*time.Second)))):
	case <-ctx.Done():
	}
	return p.start()
}

// calm sees that every detector runs.
func (w *world) calm(context.Context) error {
	for _, p := range w.detectors {
		if !p.running() {
			if err := p.start(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) end() {
	for _, p := range append(append([]*process{w.producer}, w.detectors...), w.servers...) {
		if p != nil && p.running() {
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
	}
	if w.nc != nil {
		w.nc.Close()
	}
	if w.broker != nil {
		w.broker.Kill()
	}
}

// wait waits for something that is bound to be.
func wait(ctx context.Context, most time.Duration, what string, is func() bool) error {
	for end := time.Now().Add(most); !is(); {
		if time.Now().After(end) {
			return fmt.Errorf("after %s it is not so that %s", most, what)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
