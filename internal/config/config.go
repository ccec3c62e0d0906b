// Package config reads the configuration file of both commands: strict YAML,
// decoded onto the defaults, every error with its place and its mend.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"misstep/detectors"
)

// Config is a whole configuration. Load and Parse give valid ones only.
type Config struct {
	// Data is the folder that holds the logs and the state.
	Data string
	// NATS counts when Kafka is not used.
	NATS  NATS
	Kafka Kafka
	HTTP  HTTP
	// Admin is a second HTTP server, for who looks after the process: profiles
	// and metrics.
	Admin HTTP
	// Shards is the number of state machines that the trajectories are spread
	// over; 0 means one for each processor. It does not change the output.
	Shards int
	// Memory is about how many bytes the state of all trajectories may take; 0
	// bounds nothing. Where it is reached, what gives way is seen in coverage.
	Memory     int64
	Checkpoint Checkpoint
	// Detect is everything that changes what the detect program puts out. Its
	// Idle, Retain and the runaway steps are set; entries that say what is the default anyway are left out, so
	// that two files that mean the same give the same ruleset.
	Detect detectors.Config
	// Sinks are told of what is found.
	Sinks   []Sink
	Log     Log
	Metrics Metrics
}

// Checkpoint says how often the state is made durable.
type Checkpoint struct {
	// Work is how much processor time of work a restart may have to repeat.
	Work time.Duration
	// Interval is the longest time between two checkpoints while there is work.
	Interval time.Duration
}

// Log says what a command tells of itself on standard error.
type Log struct {
	Level  string // one of LogLevels
	Format string // one of LogFormats
}

// Metrics bound the labels of /metrics.
type Metrics struct {
	// MaxWorkflows is how many workflows have series of their own; the rest
	// share one.
	MaxWorkflows int
	// MaxTools is how many tools of one workflow have series of their own.
	MaxTools int
}

// LogLevels lists what log.level may be, most talkative first.
func LogLevels() []string { return []string{"debug", "info", "warn", "error"} }

// LogFormats lists what log.format may be: auto is console on a terminal, else
// json.
func LogFormats() []string { return []string{"auto", "console", "json"} }

// Default is the configuration without a file.
func Default() *Config {
	return &Config{
		Data:   "./misstep-data",
		NATS:   defaultNATS(),
		Kafka:  defaultKafka(),
		HTTP:   HTTP{Listen: "127.0.0.1:4318"},
		Memory: 2 << 30, Checkpoint: Checkpoint{Work: 2 * time.Second, Interval: time.Minute},
		Detect: detectors.Config{
			Idle: detectors.DefaultIdle, Retain: detectors.DefaultRetain, Budgets: detectors.Budgets{RunawaySteps: detectors.DefaultRunawaySteps},
		},
		Log:     Log{Level: "info", Format: "auto"},
		Metrics: Metrics{MaxWorkflows: 100, MaxTools: 100},
	}
}

// maxSize is the largest configuration file that is read, in bytes.
const maxSize = 1 << 20

// Load reads a configuration file. An error about its content is an Errors.
func Load(file string) (*Config, error) {
	f, err := os.Open(file)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("configuration %s: there is no such file", file)
		}
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if len(src) > maxSize {
		return nil, fmt.Errorf("configuration %s: is larger than %d bytes, so hardly a configuration", file, maxSize)
	}
	return Parse(file, src)
}

// Ruleset compiles what changes the output.
func (c *Config) Ruleset() (*detectors.Ruleset, error) {
	return detectors.NewRuleset(c.Detect)
}
