package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
)

// limit is the share of survivors, in per cent, that a run may have.
const limit = 5

// report prints what came out and reports whether it is good enough. Only a
// run over all conditions can tell the share of survivors, and which entries of
// the list have had their day.
func report(w io.Writer, results []result, accepted map[key]*acceptance, whole bool) bool {
	var count [notReached + 1]int
	unlisted := 0
	for _, r := range results {
		count[r.verdict]++
		known := accepted[r.site.key()]
		if known != nil {
			known.used = true
		}
		if r.verdict < survived {
			continue
		}
		note := ""
		if r.verdict == notReached {
			note = " (no test reaches it)"
		}
		fmt.Fprintf(w, "survived: %s:%d: %s -> !(%[3]s)%[4]s\n", r.site.file, r.site.line, r.site.text, note)
		if known == nil {
			unlisted++
			fmt.Fprintf(w, "          NOT LISTED: test it, or list it as\n          %s -- REASON\n", r.site.key())
		} else {
			fmt.Fprintf(w, "          known: %s\n", known.reason)
		}
	}
	stale := 0
	if whole {
		for _, a := range slices.SortedFunc(maps.Values(accepted), func(a, b *acceptance) int { return a.line - b.line }) {
			if !a.used {
				stale++
				fmt.Fprintf(w, "list, line %d: no condition is %s: remove it\n", a.line, a.key)
			}
		}
	}
	viable := len(results) - count[notCompiling]
	alive := count[survived] + count[notReached]
	fmt.Fprintf(w, "%d mutants: %d killed, %d timed out (killed), %d survived (%d not reached), %d not compiling\n",
		len(results), count[killed], count[timedOut], alive, count[notReached], count[notCompiling])
	ok := unlisted == 0 && stale == 0
	if whole && alive*100 > viable*limit {
		fmt.Fprintf(w, "%d of %d survive: more than %d %%\n", alive, viable, limit)
		ok = false
	}
	return ok
}
