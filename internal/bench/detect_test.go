package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestProgramSaysWhenItsEngineEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	p, err := newProgram(10_000, "detect", nil)
	if err != nil {
		t.Fatal(err)
	}
	var b block
	b.fill(newGenerated(10), 100, nil)
	if err := p.run(&b); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.run(&b); err == nil || !strings.Contains(err.Error(), "the engine ended early") {
			t.Fatalf("the same offsets again: %v, want that the engine ended", err)
		}
	}
	if err := p.close(); err == nil {
		t.Error("close says nothing of the error")
	}
}
