package kafka

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

func TestVersions(t *testing.T) {
	all := func() []kafka.ApiVersionsResponseApiKey {
		var out []kafka.ApiVersionsResponseApiKey
		for _, a := range needed {
			out = append(out, kafka.ApiVersionsResponseApiKey{ApiKey: int(a.key), MinVersion: 0, MaxVersion: 20})
		}
		return out
	}
	if err := checkVersions(all()); err != nil {
		t.Error(err)
	}
	for i, a := range needed {
		lacks := append(all()[:i], all()[i+1:]...)
		if err := checkVersions(lacks); err == nil || !strings.Contains(err.Error(), "it has no "+a.key.String()+", of which version "+a.String()+" is needed; use Kafka 3.1 to 4") {
			t.Errorf("without %v: %v", a.key, err)
		}
		later := all()
		later[i].MinVersion = 15
		if err := checkVersions(later); err == nil || !strings.Contains(err.Error(), "it has "+a.key.String()+" in the versions 15 to 20, and "+a.String()+" is needed") {
			t.Errorf("a later %v: %v", a.key, err)
		}
	}
	group := all()
	for i := range group {
		if group[i].ApiKey == int(protocol.Metadata) {
			group[i].MinVersion, group[i].MaxVersion = 2, 11
		}
	}
	if err := checkVersions(group); err == nil || !strings.Contains(err.Error(), "Metadata in the versions 2 to 11, and 12 is needed") {
		t.Errorf("got %v", err)
	}
}

// TestOtherProtocol: a broker that has dropped what is needed is refused, by
// name. Kafka 4 itself is not: that is what all other tests run on.
func TestOtherProtocol(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { answer(conn) })
		}
	})
	c, err := Connect(t.Context(), ConnectOptions{Brokers: []string{ln.Addr().String()}})
	if err == nil {
		c.Close()
	}
	const want = "it has JoinGroup in the versions 3 to 9, and 1 or 2 is needed; use Kafka 3.1 to 4, or a later version of this program"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	ln.Close()
	wg.Wait()
}

// answer is a broker of a later time: it tells its versions, and its metadata.
func answer(conn net.Conn) {
	defer conn.Close()
	for {
		version, id, _, msg, err := protocol.ReadRequest(conn)
		if err != nil {
			return
		}
		var out protocol.Message
		switch msg.(type) {
		case *apiversions.Request:
			r := &apiversions.Response{}
			for _, a := range needed {
				k := apiversions.ApiKeyResponse{ApiKey: int16(a.key), MaxVersion: 20}
				if a.key == protocol.JoinGroup {
					k.MinVersion, k.MaxVersion = 3, 9
				}
				r.ApiKeys = append(r.ApiKeys, k)
			}
			out = r
		case *metadata.Request:
			out = &metadata.Response{}
		default:
			return
		}
		if err := protocol.WriteResponse(conn, version, id, out); err != nil {
			return
		}
	}
}
