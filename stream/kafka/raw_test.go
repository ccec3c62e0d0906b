package kafka

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// encoded is a batch as brokers store it.
func encoded(t testing.TB, compression kafka.Compression, recs ...kafka.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	set := protocol.RecordSet{Version: 2, Attributes: protocol.Attributes(compression), Records: kafka.NewRecordReader(recs...)}
	if _, err := set.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[4:] // without the length of all
}

// sealed sets a batch's checksum.
func sealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	return b
}

// inTransaction writes one value in a transaction.
func inTransaction(t *testing.T, c *Cluster, topic string, commit bool, value string) {
	t.Helper()
	tx := begin(t, c, topic)
	tx.produce(value)
	tx.end(commit)
}
