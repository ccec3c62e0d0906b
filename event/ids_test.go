package event

import (
	"strings"
	"testing"
)

func TestIDVectors(t *testing.T) {
	var doc struct {
		FailureID []struct {
			Tenant, Trajectory, Class, Rule, Subject, Step, ID string
		} `json:"failure_id"`
		Fingerprint []struct {
			Tenant, Class, Rule, ID string
			MaskedSubject           string `json:"masked_subject"`
			ErrorFingerprint        string `json:"error_fingerprint"`
		}
		TaskRecordID []struct{ Tenant, Trajectory, Task, ID string } `json:"task_record_id"`
	}
	readFixture(t, "ids.json", &doc)
	seen := map[string]bool{}
	check := func(got, want string, size int) {
		t.Helper()
		if got != want || len(got) != size {
			t.Errorf("got %s, want %s", got, want)
		}
		if seen[got] {
			t.Errorf("%s is there twice", got)
		}
		seen[got] = true
	}
	for _, v := range doc.FailureID {
		check(FailureID(v.Tenant, v.Trajectory, Class(indexOf(classNames[:], v.Class)), v.Rule, v.Subject, v.Step), v.ID, 32)
	}
	for _, v := range doc.Fingerprint {
		check(Fingerprint(v.Tenant, Class(indexOf(classNames[:], v.Class)), v.Rule, v.MaskedSubject, v.ErrorFingerprint), v.ID, 16)
	}
	for _, v := range doc.TaskRecordID {
		check(TaskRecordID(v.Tenant, v.Trajectory, v.Task), v.ID, 32)
	}
	if len(seen) < 14 {
		t.Errorf("ids.json holds %d ids", len(seen))
	}
}

// Longer than the space that hashing begins with.
func TestIDOfLongParts(t *testing.T) {
	long := strings.Repeat("x", 5000)
	if a, b := TaskRecordID("", long, ""), TaskRecordID("", long+"x", ""); a == b || len(a) != 32 {
		t.Errorf("%s, %s", a, b)
	}
}
