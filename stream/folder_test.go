package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

func TestFolderIsHeldByOneProcess(t *testing.T) {
	if dir := os.Getenv("LOCK_FOLDER"); dir != "" {
		lockForParent(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "data", "misstep")
	child := exec.Command(os.Args[0], "-test.run=^TestFolderIsHeldByOneProcess$")
	child.Env = append(os.Environ(), "LOCK_FOLDER="+dir)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var word string
	if _, err := fmt.Fscan(stdout, &word); err != nil || word != "locked" {
		t.Fatalf("child said %q, %v", word, err)
	}
	_, err = LockFolder(dir)
	var inUse *FolderInUseError
	if !errors.As(err, &inUse) || inUse.Dir != dir || inUse.PID != child.Process.Pid {
		t.Fatalf("LockFolder gave %v, want one in use by %d", err, child.Process.Pid)
	}
	// However the holder ends, the folder is free.
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	stdin.Close()
	f, err := LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockFolder(dir); !errors.As(err, &inUse) || inUse.PID != os.Getpid() {
		t.Fatalf("LockFolder gave %v in the process that has it", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f, err = LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// lockForParent is the child: it holds the folder until it is killed.
func lockForParent(t *testing.T, dir string) {
	if _, err := LockFolder(dir); err != nil {
		t.Fatal(err)
	}
	fmt.Println("locked")
	var b [1]byte
	_, _ = os.Stdin.Read(b[:]) // ends with the parent at the latest
}

func TestFolderVersion(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{
		"1\n": "", "1": "",
		"2\n":  "data folder DIR has version 2, this program knows versions up to 1; run the newer program that wrote it, or name another folder",
		"0":    `data folder DIR: the file VERSION holds "0", want a number; name another folder, or restore the file`,
		"what": `data folder DIR: the file VERSION holds "what", want a number; name another folder, or restore the file`,
		"":     `data folder DIR: the file VERSION holds "", want a number; name another folder, or restore the file`,
	} {
		write(t, dir, "VERSION", []byte(content))
		f, err := LockFolder(dir)
		if want == "" {
			if err != nil {
				t.Fatalf("%q: %v", content, err)
			}
			f.Close()
			continue
		}
		var version *FolderVersionError
		if !errors.As(err, &version) || err.Error() != strings.ReplaceAll(want, "DIR", dir) {
			t.Errorf("%q: %v, want %s", content, err, want)
		}
	}
	fresh := filepath.Join(dir, "fresh")
	f, err := LockFolder(fresh)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if b, err := os.ReadFile(filepath.Join(fresh, "VERSION")); err != nil || string(b) != "1\n" {
		t.Fatalf("VERSION is %q, %v", b, err)
	}
	if runtime.GOOS != "windows" {
		if _, err := LockFolder(filepath.Join(fresh, "VERSION")); err == nil {
			t.Fatal("locked a file as a folder")
		}
	}
}

func TestFolderOwnership(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f, err := LockFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		first, err := f.Acquire(t.Context(), "log", 0)
		if err != nil {
			t.Fatal(err)
		}
		other, err := f.Acquire(t.Context(), "log", 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error, 1)
		go func() { _, err := f.Acquire(ctx, "log", 0); refused <- err }()
		synctest.Wait()
		cancel()
		if err := <-refused; !errors.Is(err, context.Canceled) {
			t.Fatalf("Acquire gave %v", err)
		}
		second := make(chan Claim, 1)
		go func() { c, _ := f.Acquire(t.Context(), "log", 0); second <- c }()
		synctest.Wait()
		select {
		case <-second:
			t.Fatal("two own one partition")
		default:
		}
		for range 2 {
			if err := first.Release(); err != nil {
				t.Fatal(err)
			}
		}
		c := <-second
		select {
		case <-c.Lost():
			t.Fatal("lost without a reason")
		default:
		}
		go func() { _, err := f.Acquire(t.Context(), "log", 0); refused <- err }()
		synctest.Wait()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		<-c.Lost()
		<-other.Lost()
		if err := <-refused; err == nil {
			t.Fatal("acquired a partition in a closed folder")
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOriginText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Origin{
			Source:    rapid.OneOf(rapid.String(), rapid.StringMatching("[a-z/%.]{0,20}")).Draw(rt, "source"),
			Partition: rapid.Int32().Draw(rt, "partition"), Offset: rapid.Int64().Draw(rt, "offset"), Index: rapid.Int32().Draw(rt, "index"),
		}
		s := o.String()
		for i := range len(s) {
			if s[i] <= ' ' || s[i] >= 0x7f {
				rt.Fatalf("%q is not printable", s)
			}
		}
		if p, err := ParseOrigin(s); err != nil || p != o {
			rt.Fatalf("%q reads as %+v, %v, want %+v", s, p, err, o)
		}
	})
	if s := (Origin{Source: "a b/ü%", Partition: 1, Offset: 2, Index: 3}).String(); s != "a%20b/%C3%BC%25/1/2/3" {
		t.Errorf("origin is %q", s)
	}
	for _, bad := range []string{"", "a", "a/1/2", "a/1/2/x", "a/1/2/4294967296", "a/x/2/3", "a%2/1/2/3", "a%zz/1/2/3"} {
		if o, err := ParseOrigin(bad); err == nil {
			t.Errorf("%q reads as %+v", bad, o)
		}
	}
}

func TestFileResultsFailWhole(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	r, err := CreateFiles(map[Topic]string{Failures: a, Tasks: b, DeadLetter: a})
	if err != nil {
		t.Fatal(err)
	}
	outs := []Output{
		{Origin: Origin{Source: "s", Offset: 1}, Topic: Failures, Value: []byte("f1")},
		{Origin: Origin{Source: "s", Offset: 1, Index: 1}, Topic: Tasks, Value: []byte("t1")},
		{Origin: Origin{Source: "s", Offset: 2}, Topic: DeadLetter, Value: []byte("d1")},
		{Origin: Origin{Source: "s", Offset: 3}, Topic: Directives, Value: []byte("dropped")},
	}
	if err := r.Append(t.Context(), outs); err != nil {
		t.Fatal(err)
	}
	check := func(wantA, wantB string) {
		t.Helper()
		gotA, _ := os.ReadFile(a)
		gotB, _ := os.ReadFile(b)
		if string(gotA) != wantA || string(gotB) != wantB {
			t.Fatalf("files hold %q and %q, want %q and %q", gotA, gotB, wantA, wantB)
		}
	}
	check("f1\nd1\n", "t1\n")
	// The second file fails; what the first took is taken back.
	good := r.files[b].f
	broken, err := os.Open(b) // cannot be written
	if err != nil {
		t.Fatal(err)
	}
	r.files[b].f = broken
	outs[0].Origin.Offset, outs[1].Origin.Offset = 4, 4
	if err := r.Append(t.Context(), outs[:2]); err == nil {
		t.Fatal("wrote to a file that is read only")
	}
	check("f1\nd1\n", "t1\n")
	if last, ok, err := r.Last(t.Context(), "s", 0); err != nil || !ok || last.Offset != 3 {
		t.Fatalf("Last gave %v, %v, %v", last, ok, err)
	}
	broken.Close()
	r.files[b].f, r.files[b].broken = good, nil
	if err := r.Append(t.Context(), outs[:2]); err != nil {
		t.Fatal(err)
	}
	check("f1\nd1\nf1\n", "t1\nt1\n")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateFiles(map[Topic]string{Failures: dir}); err == nil {
		t.Fatal("a folder was taken as a file")
	}
}
