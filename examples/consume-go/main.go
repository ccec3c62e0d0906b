// Command consume-go prints the failures in a partition of a Kafka topic, each
// once: consume-go localhost:9092 agent.failures 0. Keep what was seen together
// with your own position, and begin anew when the topic of steps was made anew.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
)

// fresh reports whether an output is none that was seen. Its origin is
// source/partition/offset/index, and those of a partition only ever rise.
func fresh(seen map[string][2]int, origin string) bool {
	at := strings.LastIndexByte(origin[:strings.LastIndexByte(origin, '/')], '/')
	source, place := origin[:at], strings.Split(origin[at+1:], "/")
	offset, _ := strconv.Atoi(place[0])
	index, _ := strconv.Atoi(place[1])
	last, known := seen[source]
	if known && (offset < last[0] || offset == last[0] && index <= last[1]) {
		return false
	}
	seen[source] = [2]int{offset, index}
	return true
}

func main() {
	partition, _ := strconv.Atoi(os.Args[3])
	conn, err := kafka.DialLeader(context.Background(), "tcp", os.Args[1], os.Args[2], partition)
	for seen, m := map[string][2]int{}, (kafka.Message{}); err == nil; m, err = conn.ReadMessage(1 << 20) {
		for _, h := range m.Headers {
			if h.Key == "misstep-origin" && fresh(seen, string(h.Value)) {
				fmt.Println(string(m.Value))
			}
		}
	}
	log.Fatal(err)
}
