//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/nats-io/nats-server/v2/server"
)

// The environment tells a process which part it plays.
const (
	roleEnv = "MISSTEP_STORM_ROLE"
	urlEnv  = "MISSTEP_STORM_URL"
)

// process is one process, which can be started again when it has ended.
type process struct {
	name, bin string
	args, env []string
	log       string // file that takes what it says, of all its lives
	http      string // where it answers, if that is known

	cmd   *exec.Cmd
	alive atomic.Bool
	from  int64      // where in the log its present life begins
	ended chan error // has its end
}

func (p *process) start() error {
	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if p.from, err = f.Seek(0, 2); err != nil {
		return err
	}
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan error, 1)
	p.ended = ended
	p.alive.Store(true)
	cmd := p.cmd
	go func() {
		err := cmd.Wait()
		p.alive.Store(false)
		ended <- err
		close(ended)
	}()
	return nil
}

func (p *process) running() bool { return p.cmd != nil && p.alive.Load() }

func (p *process) signal(s syscall.Signal) {
	if p.running() {
		_ = p.cmd.Process.Signal(s) // it may have ended just now
	}
}

// owns reports whether a detector has said that it owns the log, and nothing to
// the contrary since.
func (p *process) owns() bool {
	if !p.running() {
		return false
	}
	b, err := os.ReadFile(p.log)
	if err != nil || int64(len(b)) < p.from {
		return false
	}
	b = b[p.from:]
	return bytes.LastIndex(b, []byte(ownsMessage)) > bytes.LastIndex(b, []byte(standsByMessage))
}

// playRole is the main function of the other parts.
func playRole(role string) int {
	var err error
	switch role {
	case "producer":
		err = produce(os.Getenv(urlEnv), os.Args[1:])
	case "server":
		err = serve(os.Args[1])
	default:
		err = errors.New("no such part")
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "storm: %s: %v\n", role, err)
		return 1
	}
	return 0
}

// serve is a NATS server.
func serve(conf string) error {
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		return err
	}
	opts.NoSigs = true
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	s.Start()
	<-ctx.Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

func goBuild(ctx context.Context, to, command string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "misstep/cmd/"+command)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// What a detector says in its log when it has become the owner, and when it has
// not, or is it no longer.
const (
	ownsMessage     = `:"owns the log of steps"`
	standsByMessage = "standing by"
)
