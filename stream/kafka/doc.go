// Package kafka runs the engine on Apache Kafka 4: each input partition is a
// log, a consumer group says who owns it, its outputs go to topics of their
// own, and its checkpoints to a compacted topic.
//
// It stands on kafka-go's low-level client. Its Reader and Writer are not used:
// the one serves stale records after a rebalance and never verifies a checksum,
// the other flushes by a timer. Records are fetched as the broker stores them
// and taken apart here, since kafka-go drops the time at which the broker took
// them.
package kafka
