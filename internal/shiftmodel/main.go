// Command shiftmodel trains the linear model of pressure_drift's rule
// stance_shift on labelled conversations and writes its integer weights to a
// file, which is then checked in.
//
// It splits the conversations by a hash of their task into a tuning and a
// checking half, trains and sets the threshold on the first, and tells how the
// model does on the second beside what single signals do there, and on each
// family of models when that was left out of the training. The weights in the
// file are those of the tuning half.
//
//	go run ./internal/shiftmodel -out detectors/shift.txt STEPS.jsonl.gz LABELS.jsonl
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "shiftmodel:", err)
		os.Exit(2)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("shiftmodel", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "", "write the weights to this file")
	dump := flags.String("dump", "", "write the features of every row to this file, as CSV")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return fmt.Errorf("found %d arguments; give the file of steps and that of labels", flags.NArg())
	}
	rows, err := read(flags.Arg(0), flags.Arg(1))
	if err != nil {
		return err
	}
	if *dump != "" {
		if err := os.WriteFile(*dump, csv(rows), 0o644); err != nil {
			return err
		}
	}
	tune, check := halves(rows)
	m := train(tune)
	fmt.Fprintf(stdout, "%d rows, %d shifts; tuning half %d, checking half %d\n", len(rows), positives(rows), len(tune), len(check))
	fmt.Fprintf(stdout, "model, tuning half:   %s\n", rate(tune, m.fires))
	fmt.Fprintf(stdout, "model, checking half: %s\n", rate(check, m.fires))
	overlap := func(r *row) bool { return r.features[0] < 200 }
	fmt.Fprintf(stdout, "overlap under .20, checking half: %s\n", rate(check, overlap))
	fmt.Fprintf(stdout, "overlap under .20, all: %s\n", rate(rows, overlap))
	leaveOut(stdout, rows)
	if *out == "" {
		return nil
	}
	return os.WriteFile(*out, []byte(m.text()), 0o644)
}

// leaveOut tells for each family how a model does that was trained on the
// tuning half of the others, and pools that.
func leaveOut(w io.Writer, rows []row) {
	var families []string
	for i := range rows {
		if !slices.Contains(families, rows[i].family) {
			families = append(families, rows[i].family)
		}
	}
	slices.Sort(families)
	var pooled, single score
	for _, f := range families {
		var others, own []row
		for i := range rows {
			switch {
			case rows[i].family == f:
				own = append(own, rows[i])
			case rows[i].tuning:
				others = append(others, rows[i])
			}
		}
		m := train(others)
		s := rate(own, m.fires)
		pooled.add(s)
		single.add(rate(own, func(r *row) bool { return r.features[0] < 200 }))
		fmt.Fprintf(w, "without %-9s on it: %s\n", f, s)
	}
	fmt.Fprintf(w, "all families, each left out: %s; overlap under .20: %s\n", pooled, single)
}
