package jetstream

// delivered is what a message's reply subject tells of it.
type delivered struct {
	sequence uint64 // in the stream
	delivery uint64 // running number of the consumer
	time     int64  // in the stream, Unix nanoseconds
}

// parseAck reads the reply subject of a message that a consumer delivered:
// $JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.DELIVERY.TIME.PENDING, or, with a
// domain and an account before the stream and perhaps more at the end,
// $JS.ACK.DOMAIN.ACCOUNT.STREAM. ... It does not allocate.
func parseAck(reply string) (delivered, bool) {
	const prefix = "$JS.ACK."
	if len(reply) < len(prefix) || reply[:len(prefix)] != prefix {
		return delivered{}, false
	}
	var tokens [16]string
	n, from := 0, len(prefix)
	for i := from; i <= len(reply); i++ {
		if i < len(reply) && reply[i] != '.' {
			continue
		}
		if n == len(tokens) {
			return delivered{}, false
		}
		tokens[n] = reply[from:i]
		n++
		from = i + 1
	}
	const short, long = 7, 9 // tokens after the prefix
	at := 0
	switch {
	case n == short:
	case n >= long:
		at = long - short
	default:
		return delivered{}, false
	}
	sequence, ok1 := parseUint(tokens[at+3])
	delivery, ok2 := parseUint(tokens[at+4])
	time, ok3 := parseUint(tokens[at+5])
	return delivered{sequence: sequence, delivery: delivery, time: int64(time)}, ok1 && ok2 && ok3
}

func parseUint(s string) (uint64, bool) {
	if s == "" || len(s) > 19 {
		return 0, false
	}
	n := uint64(0)
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}
