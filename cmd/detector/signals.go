package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// untilStopped gives a context that the first SIGINT or SIGTERM ends. The next
// one ends the process at once, as if nobody had listened. stop ends both.
func untilStopped() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, stopped := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for n := 0; ; n++ {
			select {
			case s := <-signals:
				if n > 0 {
					raise(s)
				}
				cancel()
			case <-stopped:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(stopped)
		cancel()
	}
}

// reloads gives what SIGHUP sends, and a context that it ends when it means
// that the terminal is gone.
func reloads(parent context.Context) (ctx context.Context, asked <-chan os.Signal, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	hangUps, out, stopped := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan struct{})
	had := hasTerminal()
	signal.Notify(hangUps, syscall.SIGHUP)
	go func() {
		for {
			select {
			case s := <-hangUps:
				if had && !hasTerminal() {
					cancel()
					continue
				}
				select {
				case out <- s:
				default: // one waits already
				}
			case <-stopped:
				return
			}
		}
	}()
	return ctx, out, func() {
		signal.Stop(hangUps)
		close(stopped)
		cancel()
	}
}

// raise ends the process by a signal.
func raise(s os.Signal) {
	signal.Reset(s)
	if p, err := os.FindProcess(os.Getpid()); err == nil && p.Signal(s) == nil {
		time.Sleep(time.Second) // it comes, unless it was ignored before
	}
	os.Exit(exitFailed)
}
