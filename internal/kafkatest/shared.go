package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"misstep/internal/require"
)

// Start starts a broker that ends with the test. Where the machine cannot run
// Kafka the test is skipped, and in CI it fails.
func Start(t testing.TB, o Options) *Broker {
	t.Helper()
	b, err := Launch(t.Context(), t.TempDir(), o)
	if b != nil {
		t.Cleanup(b.Kill)
	}
	failed(t, err)
	return b
}

func failed(t testing.TB, err error) {
	t.Helper()
	var missing *Missing
	if errors.As(err, &missing) {
		require.Cannot(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Shared is one broker for all tests of a package, started by the first that
// asks, and ended by Main. Tests on it must not stop it, and use topics and
// groups of their own.
type Shared struct {
	Options Options

	once sync.Once
	dir  string
	b    *Broker
	err  error
}

// Start gives the broker. Where the machine cannot run Kafka the test is
// skipped, and in CI it fails.
func (s *Shared) Start(t testing.TB) *Broker {
	t.Helper()
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "misstep-kafka-"); s.err == nil {
			s.b, s.err = Launch(context.Background(), s.dir, s.Options) // it outlives the test
		}
	})
	failed(t, s.err)
	return s.b
}

func (s *Shared) close() {
	if s.b != nil {
		s.b.Kill()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // the system clears what is left
	}
}

// Main is for TestMain: it runs the tests, ends the shared brokers, and looks
// for goroutines that are left.
func Main(m *testing.M, shared ...*Shared) {
	code := m.Run()
	for _, s := range shared {
		s.close()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
