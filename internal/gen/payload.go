package gen

import "strconv"

// appendHead appends what follows "kind":, up to the payload.
func appendHead(b []byte, kind string, k *kit) []byte {
	b = appendString(b, kind)
	b = appendField(b, "workflow", k.workflow)
	b = appendField(b, "agent", k.agent)
	return appendField(b, "model", k.model)
}

func (t *trajectory) appendStart(b []byte, k *kit) []byte {
	b = appendHead(b, "task_start", k)
	b = append(b, `,"task":{"goal":"`...)
	b = appendText(b, &t.rng, t.rng.between(4, 12))
	b = append(b, `","tools":`...)
	b = append(b, k.catalogue...)
	// Generous, so that no budget is ever near its end.
	return append(b, `,"limits":{"max_steps":500,"max_cost_usd":50}}`...)
}

func (t *trajectory) appendModel(b []byte) []byte {
	r := &t.rng
	t.tokens += int32(r.between(40, 400))
	in, out := int(t.tokens), r.between(10, 300)
	b = append(b, `,"usage":{"input_tokens":`...)
	b = strconv.AppendInt(b, int64(in), 10)
	b = appendInt(b, "output_tokens", out)
	if r.chance(500) {
		b = appendInt(b, "cache_read_tokens", in/256*128)
	}
	if r.chance(500) {
		b = append(b, `,"cost_usd":0.`...)
		b = appendPadded(b, in*3+out*15, 6)
	}
	b = append(b, '}')
	if r.chance(350) {
		b = append(b, `,"text":"`...)
		b = appendText(b, r, r.between(8, 50))
		b = append(b, '"')
	}
	b = appendInt(b, "context_tokens", in)
	b = append(b, `,"status":"ok"`...)
	return appendInt(b, "duration_ms", r.between(300, 9000))
}

func (t *trajectory) appendCall(b []byte, k *kit, c *call) []byte {
	b = append(b, `,"call":{"id":"call_`...)
	b = strconv.AppendInt(b, int64(c.number), 10)
	b = append(b, '"')
	tl := &k.tools[c.tool]
	b = appendField(b, "tool", tl.name)
	b = append(b, `,"arguments":`...)
	r := newRNG(c.seed, 1)
	b = tl.appendArguments(b, &r)
	return append(b, '}')
}

func (t *trajectory) appendResult(b []byte, k *kit, c *call) []byte {
	b = append(b, `,"result":{"call_id":"call_`...)
	b = strconv.AppendInt(b, int64(c.number), 10)
	b = append(b, '"')
	b = appendField(b, "tool", k.tools[c.tool].name)
	r := newRNG(c.seed, 2)
	if c.mishap >= 0 {
		b = mishaps[c.mishap].append(b, &r)
	} else {
		b = append(b, `,"status":"ok","content":`...)
		b = appendContent(b, &r, k)
	}
	b = appendInt(b, "duration_ms", t.rng.between(20, 4000))
	return append(b, '}')
}

// append appends the members of a result that failed.
func (m *mishap) append(b []byte, r *rng) []byte {
	status := "error"
	if m.kind == "timeout" {
		status = "timeout"
	}
	b = appendField(b, "status", status)
	b = appendField(b, "error_type", m.kind)
	if m.json {
		b = append(b, `,"content":{"ok":false,"message":"`...)
	} else {
		b = append(b, `,"content":"Error: `...)
	}
	for i := range len(m.text) {
		if m.text[i] == '%' {
			b = appendID(b, r, "ref")
		} else {
			b = append(b, m.text[i])
		}
	}
	b = append(b, '"')
	if m.json {
		b = append(b, '}')
	}
	return b
}

// appendContent appends what a tool gave back: an object, the text of one, or
// plain text.
func appendContent(b []byte, r *rng, k *kit) []byte {
	switch r.below(10) {
	case 0, 1, 2, 3:
		return appendRecord(b, r, k)
	case 4, 5, 6:
		b = append(b, '"')
		b = appendEscaped(b, appendRecord(nil, r, k))
		return append(b, '"')
	default:
		b = append(b, '"')
		b = appendText(b, r, r.between(4, 90))
		return append(b, '"')
	}
}

// appendRecord appends an object as a database would give it.
func appendRecord(b []byte, r *rng, k *kit) []byte {
	b = append(b, `{"id":"`...)
	b = appendID(b, r, k.workflow[:3])
	b = append(b, `","owner":{"name":"`...)
	b = appendText(b, r, 2)
	b = append(b, `","email":"u`...)
	b = appendPadded(b, r.below(1_000_000), 6)
	b = append(b, `@example.com"},"total":`...)
	b = appendDecimal(b, r.below(3000), r.below(100))
	b = append(b, `,"open":`...)
	b = strconv.AppendBool(b, r.below(2) == 0)
	b = append(b, `,"closed_at":null,"rows":[`...)
	for i := range r.between(1, 8) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"n":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"ref":"`...)
		b = appendID(b, r, "row")
		b = append(b, `","price":`...)
		b = appendDecimal(b, r.below(900), r.below(100))
		b = append(b, '}')
	}
	b = append(b, `],"note":"`...)
	b = appendText(b, r, r.between(1, 20))
	return append(b, '"', '}')
}

func appendPlan(b []byte, r *rng) []byte {
	b = append(b, `,"plan":{"items":[`...)
	done := r.below(3)
	for i := range r.between(2, 5) {
		if i > 0 {
			b = append(b, ',')
		}
		status := "pending"
		if i < done {
			status = "done"
		}
		b = append(b, `{"id":"p`...)
		b = strconv.AppendInt(b, int64(i+1), 10)
		b = append(b, `","text":"`...)
		b = appendText(b, r, r.between(3, 8))
		b = append(b, '"')
		b = appendField(b, "status", status)
		b = append(b, '}')
	}
	return append(b, ']', '}')
}

func appendOutcome(b []byte, r *rng) []byte {
	switch r.below(10) {
	case 0, 1:
		return append(b, `,"outcome":{"status":"failure","score":0,"scored_by":"check"}`...)
	case 2:
		return append(b, `,"outcome":{"status":"escalated"}`...)
	default:
		return append(b, `,"outcome":{"status":"success","score":1,"scored_by":"check"}`...)
	}
}
