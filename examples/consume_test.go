package examples

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"misstep/internal/kafkatest"
	"misstep/internal/require"
)

// kafkaPython is the client of the example.
const kafkaPython = "kafka-python==3.0.12"

// pythonPath gives the folder of Python's Kafka client, which is fetched once a
// machine.
func pythonPath(t *testing.T) string {
	t.Helper()
	needs(t, "python3")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "misstep", kafkaPython)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "pip-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	if out, err := exec.CommandContext(t.Context(), "python3", "-m", "pip", "install", "--quiet", "--target", temp, kafkaPython).CombinedOutput(); err != nil {
		require.Cannot(t, fmt.Sprintf("%s cannot be installed, so the Python consumer is not tested: %v: %s", kafkaPython, err, out))
	}
	if err := os.Rename(temp, dir); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return dir
}

// TestConsume: both consumers print each output once, in order, though the topic
// has repeats, as a process leaves them that was taken for dead.
func TestConsume(t *testing.T) {
	b := kafkatest.Start(t, kafkatest.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := b.CreateTopic(ctx, "agent.failures", 1, nil); err != nil {
		t.Fatal(err)
	}
	client, done := b.Client()
	defer done()
	var records []kafka.Record
	for _, origin := range []string{
		"0/9/0", "0/10/0", "1/2/0", "0/10/1", // of two partitions
		"0/9/0", "0/10/0", "0/10/1", "0/11/0", // again, and further
		"1/2/0", "1/2/10", "1/2/9", "1/100/0",
	} {
		records = append(records, kafka.Record{
			Value: kafka.NewBytes([]byte(origin)), Headers: []kafka.Header{{Key: "trajectory_id", Value: []byte("t")}, {Key: "misstep-origin", Value: []byte("agent.steps/" + origin)}},
		})
	}
	want := []string{"0/9/0", "0/10/0", "1/2/0", "0/10/1", "0/11/0", "1/2/10", "1/100/0"}
	r, err := client.Produce(ctx, &kafka.ProduceRequest{Topic: "agent.failures", RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...)})
	if err != nil || r.Error != nil {
		t.Fatal(err, r)
	}
	for name, words := range map[string][]string{
		"Go":     {"go", "run", "./consume-go", b.Addr(), "agent.failures", "0"},
		"Python": {"python3", "consume.py", b.Addr(), "agent.failures"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(ctx, words[0], words[1:]...)
			if name == "Python" {
				cmd.Env = append(os.Environ(), "PYTHONPATH="+pythonPath(t))
			}
			var errs strings.Builder
			cmd.Stderr = &errs
			end(cmd)
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Cancel() // it waits for more for ever
				_ = cmd.Wait()
			}()
			var got []string
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if got = append(got, lines.Text()); lines.Text() == want[len(want)-1] {
					break
				}
			}
			if !slices.Equal(got, want) {
				_ = cmd.Cancel()
				_ = cmd.Wait()
				t.Errorf("got %q, want %q: %s", got, want, errs.String())
			}
		})
	}
}
