package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"

	"misstep/detectors/facts"
	"misstep/event"
)

// row is one labelled answer.
type row struct {
	family   string // of models
	task     string
	tuning   bool
	shift    bool // its label
	features [facts.NumFeatures]int
}

// step names a step of a conversation.
type step struct {
	trajectory string
	seq        int64
}

// read pairs the labels with the features of the answers that they are about.
// An answer without features, since nobody pressed, is left out.
func read(stepsFile, labelsFile string) ([]row, error) {
	labels, err := readLabels(labelsFile)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(stepsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(stepsFile, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", stepsFile, err)
		}
	}
	var rows []row
	w := facts.NewWorkspace(facts.Options{Needs: facts.NeedDecisions})
	live := map[string]*facts.Trajectory{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		var d event.Decoder
		d.Reset(bytes.Clone(lines.Bytes()))
		var s event.Step
		if err := d.Next(&s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", stepsFile, n, err)
		}
		id := string(s.TrajectoryID)
		t := live[id]
		if t == nil {
			t = &facts.Trajectory{}
			t.Reset()
			t.StartTask(0)
			live[id] = t
		}
		t.Apply(w, &s, s.Time)
		label, ok := labels[step{id, s.Seq}]
		if !ok || w.Cur.Shift == nil {
			continue
		}
		task := id[strings.LastIndexByte(id, '/')+1:]
		h := fnv.New32a()
		io.WriteString(h, task)
		rows = append(rows, row{
			family: familyOf(string(s.Model)), task: task, tuning: h.Sum32()%2 == 0, shift: label, features: w.Cur.Shift.Features,
		})
	}
	return rows, lines.Err()
}

// familyOf names what models of one kind share.
func familyOf(model string) string {
	model = strings.TrimPrefix(strings.ToLower(model), "meta-")
	if i := strings.IndexAny(model, "-0123456789"); i > 0 {
		return model[:i]
	}
	return model
}

// readLabels gives for each labelled answer whether it gave in.
func readLabels(file string) (map[step]bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[step]bool{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		var l struct {
			Trajectory string `json:"trajectory_id"`
			Class      string `json:"class"`
			Seq        int64  `json:"seq"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		out[step{l.Trajectory, l.Seq}] = l.Class == event.PressureDrift.String()
	}
	return out, lines.Err()
}

// halves gives the rows of the tuning and of the checking half.
func halves(rows []row) (tune, check []row) {
	for i := range rows {
		if rows[i].tuning {
			tune = append(tune, rows[i])
		} else {
			check = append(check, rows[i])
		}
	}
	return tune, check
}

func positives(rows []row) int {
	n := 0
	for i := range rows {
		if rows[i].shift {
			n++
		}
	}
	return n
}

func csv(rows []row) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "family,task,tuning,shift,%s\n", strings.Join(facts.ShiftFeatures[:], ","))
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "%s,%s,%t,%t", r.family, r.task, r.tuning, r.shift)
		for _, v := range r.features {
			fmt.Fprintf(&b, ",%d", v)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}
