package facts

// dates joins "May 20th, 2024" and "20 May" into one token.
func (l *slotLexer) dates() {
	if l.all&monthWords.bit == 0 {
		return
	}
	out := l.toks[:0]
	for i := 0; i < len(l.toks); i++ {
		t := l.toks[i]
		m := int64(0)
		if t.starts&monthWords.bit != 0 && t.kind == SlotWord && !t.last {
			m = monthOf(l.word(i))
		}
		if m == 0 {
			out = append(out, t)
			continue
		}
		day, next := int64(0), i+1
		if next < len(l.toks) && l.isDay(next) {
			day = l.toks[next].num / 1000
			next++
		} else if k := len(out) - 1; k >= 0 && out[k].kind == SlotNumber && out[k].num%1000 == 0 && out[k].num >= 1000 && out[k].num <= 31000 && !out[k].last {
			day = out[k].num / 1000
			t.at = out[k].at
			out = out[:k]
		} else if k >= 1 && string(l.low[out[k].at:out[k].end]) == "of" && out[k-1].kind == SlotNumber && out[k-1].num >= 1000 && out[k-1].num <= 31000 {
			day = out[k-1].num / 1000
			t.at = out[k-1].at
			out = out[:k-1]
		}
		if day == 0 {
			out = append(out, t)
			continue
		}
		year := int64(0)
		t.end, t.last, t.comma = l.toks[next-1].end, l.toks[next-1].last, l.toks[next-1].comma
		if next < len(l.toks) && l.toks[next].kind == SlotNumber && l.toks[next].num >= 1_900_000 && l.toks[next].num <= 2_100_000 && !t.last {
			year = l.toks[next].num / 1000
			t.end, t.last, t.comma = l.toks[next].end, l.toks[next].last, l.toks[next].comma
			next++
		}
		t.date(year, m, day)
		out = append(out, t)
		i = next - 1
	}
	l.toks = out
}

func (l *slotLexer) isDay(i int) bool {
	t := &l.toks[i]
	return t.kind == SlotNumber && t.num%1000 == 0 && t.num >= 1000 && t.num <= 31000
}

// money marks numbers beside a currency's name, and words for small numbers.
func (l *slotLexer) money() {
	for i := range l.toks {
		t := &l.toks[i]
		if t.kind == SlotWord {
			if t.starts&countWords.bit == 0 {
				continue
			}
			if n := smallNumber(l.word(i)); n > 0 {
				t.kind, t.num, t.shape, t.hash = SlotNumber, n*1000, 0, numHash(n*1000)
			}
			continue
		}
		if t.kind != SlotNumber {
			continue
		}
		switch string(l.word(i + 1)) {
		case "usd", "dollars", "dollar", "bucks", "eur", "euro", "euros", "gbp", "pounds":
			t.kind = SlotMoney
		}
		switch string(l.word(i - 1)) {
		case "usd", "eur", "gbp":
			t.kind = SlotMoney
		}
	}
}

// smallNumber gives the number that a word names, from two to twelve; "one"
// mostly names none.
func smallNumber(w []byte) int64 {
	switch string(w) {
	case "two":
		return 2
	case "three":
		return 3
	case "four":
		return 4
	case "five":
		return 5
	case "six":
		return 6
	case "seven":
		return 7
	case "eight":
		return 8
	case "nine":
		return 9
	case "ten":
		return 10
	case "twelve":
		return 12
	}
	return 0
}

// nouns finds for each value the noun by it: before an id, after a number.
func (l *slotLexer) nouns() {
	for i := range l.toks {
		t := &l.toks[i]
		switch t.kind {
		case SlotNumber:
			if t.shape != 0 || l.tailed(i) || l.labelled(i) { // an id of digits, when something says so
				l.idNoun(i)
				if l.tailed(i) && t.num < 10_000_000_000 {
					t.kind, t.num = SlotTail, t.num/1000
				} else if t.noun != 0 && (t.shape != 0 || l.labelled(i)) {
					t.kind = SlotID
					t.shape = shapeOf(l.word(i))
				}
			}
			if t.kind == SlotNumber && t.noun == 0 {
				l.countNoun(i)
			}
		case SlotID, SlotEmail:
			l.idNoun(i)
		}
	}
}

// tailed reports whether a number is said to be the last digits of something.
func (l *slotLexer) tailed(i int) bool {
	if n := len(l.word(i)); n < 3 || n > 6 {
		return false
	}
	for j := i - 1; j >= 0 && j >= i-4 && !l.toks[j].last; j-- {
		switch string(l.word(j)) {
		case "ending", "ends":
			return true
		case "digits":
			return l.is(j-1, "four") || l.is(j-1, "4") || l.is(j-2, "last")
		}
	}
	return false
}

// labelled reports whether a word for an id stands right before a number.
func (l *slotLexer) labelled(i int) bool {
	if len(l.word(i)) < 3 {
		return false
	}
	for j := i - 1; j >= 0 && j >= i-3 && !l.toks[j].last; j-- {
		switch string(l.word(j)) {
		case "id", "number", "no", "code", "reference", "ref", "#", "zip", "postcode", "account", "ticket", "order", "invoice", "case":
			return true
		case "is", "zipcode", "postal", "the":
		default:
			return false
		}
	}
	return false
}

// idNoun takes the first word before an id that is more than a label.
func (l *slotLexer) idNoun(i int) {
	for j := i - 1; j >= 0 && j >= i-6 && !l.toks[j].last; j-- {
		if l.toks[j].kind != SlotWord {
			continue
		}
		if w := l.word(j); !isLabel(w) {
			if isVerbish(w) {
				return
			}
			l.toks[i].noun = stemHash(w)
			return
		}
	}
}

// countNoun takes the first word behind a number that is more than a label.
func (l *slotLexer) countNoun(i int) {
	if l.toks[i].last || l.toks[i].comma {
		return
	}
	for j := i + 1; j < len(l.toks) && j <= i+3; j++ {
		w := l.word(j)
		if isDenial(w) {
			return
		}
		if inWords(phraseEnds, w) && string(w) != "it" || isVerbish(w) {
			return
		}
		if l.toks[j].kind == SlotWord && !isLabel(w) && !isAdjective(w) {
			l.toks[i].noun = stemHash(w)
			return
		}
		if l.toks[j].last || l.toks[j].comma {
			return
		}
	}
}
