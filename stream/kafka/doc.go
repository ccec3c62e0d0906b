// Package kafka has the engine's logs on Apache Kafka, over the low-level client
// of kafka-go.
package kafka
