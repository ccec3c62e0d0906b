package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// pkg is what go list says of a package.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles               []string
	TestGoFiles           []string
	XTestGoFiles          []string
	Module                struct{ Dir string }
}

// binary is the compiled tests of one package, with all mutants in it.
type binary struct {
	pkg   *pkg
	path  string
	args  []string // that make its tests deterministic
	tests []*test
}

// list gives the packages that match patterns.
func list(ctx context.Context, dir string, patterns []string) ([]*pkg, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json"}, patterns...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	var ps []*pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(pkg)
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return ps, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		ps = append(ps, p)
	}
}

// sources finds the conditions of the packages, and numbers them.
func sources(ps []*pkg) ([]*site, error) {
	var all []*site
	for _, p := range ps {
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			src, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			rel, err := filepath.Rel(p.Module.Dir, path)
			if err != nil {
				return nil, err
			}
			ss, err := find(filepath.ToSlash(rel), path, src)
			if err != nil {
				return nil, err
			}
			all = append(all, ss...)
		}
	}
	for i, s := range all {
		s.id = i + 1
	}
	return all, nil
}

// build compiles the tests of the packages in tests with the sites switchable.
// It gives the binaries and the sites that do not compile when wrapped in a
// call, such as a condition of which a constant is made.
func build(ctx context.Context, dir, work string, mutated, tests []*pkg, sites []*site) (bins []*binary, bad []*site, err error) {
	for round := 0; ; round++ {
		overlay, err := writeOverlay(work, mutated, sites)
		if err != nil {
			return nil, nil, err
		}
		bins, out, err := compile(ctx, dir, work, overlay, tests)
		if err == nil {
			return bins, bad, nil
		}
		n := len(sites)
		sites = slices.DeleteFunc(slices.Clone(sites), func(s *site) bool {
			hit := blamed(out, s)
			if hit {
				bad = append(bad, s)
			}
			return hit
		})
		if len(sites) == n || round == 20 {
			return nil, nil, fmt.Errorf("go test -c: %w\n%s", err, out)
		}
	}
}

func writeOverlay(work string, mutated []*pkg, sites []*site) (string, error) {
	byPath := map[string][]*site{}
	maxID := 0
	for _, s := range sites {
		maxID = max(maxID, s.id)
		byPath[s.path] = append(byPath[s.path], s)
	}
	replace := map[string]string{}
	put := func(path string, src []byte) error {
		to := filepath.Join(work, "src"+strconv.Itoa(len(replace))+".go")
		replace[path] = to
		return os.WriteFile(to, src, 0o600)
	}
	for path, ss := range byPath {
		src, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if err := put(path, instrument(src, ss)); err != nil {
			return "", err
		}
		for _, s := range ss {
			s.overlay = replace[path]
		}
	}
	for _, p := range mutated {
		if err := put(filepath.Join(p.Dir, "zz_mutant_switch.go"), switchSource(p.Name, maxID)); err != nil {
			return "", err
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(work, "overlay.json")
	return name, os.WriteFile(name, b, 0o600)
}

func compile(ctx context.Context, dir, work, overlay string, tests []*pkg) ([]*binary, []byte, error) {
	var bins []*binary
	for i, p := range tests {
		if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
			continue
		}
		b := &binary{pkg: p, path: filepath.Join(work, strconv.Itoa(i)+".test")}
		// -e: all errors at once, so that one round finds all that is blamed.
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-gcflags=-e", "-overlay", overlay, "-o", b.path, p.ImportPath)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, out, err
		}
		bins = append(bins, b)
	}
	if len(bins) == 0 {
		return nil, nil, errors.New("no package has tests")
	}
	return bins, nil, nil
}

// blamed reports whether the compiler complains about the site's line. It names
// the file that stands in for the source.
func blamed(out []byte, s *site) bool {
	return bytes.Contains(out, fmt.Appendf(nil, "%s:%d:", s.overlay, s.line))
}
