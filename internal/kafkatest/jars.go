package kafkatest

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// Version is the Kafka that is started.
const Version = "4.3.1"

const (
	minJava = 17
	// revision is raised when the pom changes, so that old folders are not used.
	revision = "1"
)

//go:embed pom.xml
var pom []byte

// Missing says what the machine lacks to run Kafka.
type Missing struct{ What, Get string }

// Error names what is missing and how to get it.
func (m *Missing) Error() string {
	return fmt.Sprintf("no real Kafka %s can be started, so what needs one is left out: %s; %s", Version, m.What, m.Get)
}

// Check returns a *Missing when the machine cannot run Kafka.
func Check() error {
	java, err := exec.LookPath("java")
	if err != nil {
		return &Missing{"there is no java", "install Java 17 or later (Debian: apt-get install default-jre-headless)"}
	}
	out, err := exec.Command(java, "-version").CombinedOutput()
	if err != nil {
		return &Missing{"java -version: " + err.Error(), "install Java 17 or later"}
	}
	m := regexp.MustCompile(`version "(\d+)`).FindSubmatch(out)
	if m == nil {
		return &Missing{fmt.Sprintf("java -version says %q", clip(out)), "install Java 17 or later"}
	}
	if v, _ := strconv.Atoi(string(m[1])); v < minJava { // digits, by the pattern
		return &Missing{"java is of version " + string(m[1]), "install Java 17 or later"}
	}
	dir, err := jarsDir()
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return &Missing{"there is no mvn to fetch it with", "install Maven (Debian: apt-get install maven)"}
	}
	return nil
}

func jarsDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("folder for Kafka's packages: %w; set HOME", err)
	}
	return filepath.Join(cache, "misstep", "kafka-"+Version+"-"+revision), nil
}

// Jars gives the folder that holds Kafka's Java packages. The first call on a
// machine fetches them, 54 MB, with Maven; processes that ask at the same time
// wait for one another.
func Jars(ctx context.Context) (string, error) {
	dir, err := jarsDir()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", fmt.Errorf("lock %s.lock: %w", dir, err)
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // another process has fetched them meanwhile
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	file, lib := filepath.Join(temp, "pom.xml"), filepath.Join(temp, "lib")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return "", err
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", file, "dependency:copy-dependencies",
		"-DoutputDirectory="+lib, "-DincludeScope=runtime")
	if out, err := mvn.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Kafka %s with mvn: %w: %s; check that Maven reaches a repository", Version, err, clip(out))
	}
	if err := os.Rename(lib, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return dir, nil
}

// archive gives a file with the classes of a broker as the JVM keeps them in
// memory, which saves half of each start. It is empty where none can be made:
// then all takes longer. The first call on a machine makes it, by a broker that
// starts and stops.
func archive(ctx context.Context, lib string) string {
	java, err := exec.LookPath("java")
	if err != nil {
		return ""
	}
	version, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(version) // it is good for one JVM
	file := fmt.Sprintf("%s-%x.jsa", lib, sum[:6])
	if _, err := os.Stat(file); err == nil {
		return file
	}
	unlock, err := lock(lib + ".lock")
	if err != nil {
		return ""
	}
	defer unlock()
	if _, err := os.Stat(file); err == nil {
		return file // another process has made it meanwhile
	}
	dir, err := os.MkdirTemp("", "misstep-kafka-")
	if err != nil {
		return ""
	}
	defer os.RemoveAll(dir)
	temp := file + fmt.Sprintf(".%d", os.Getpid())
	defer os.Remove(temp)
	b, err := launch(ctx, dir, lib, Options{}, "-XX:ArchiveClassesAtExit="+temp)
	if err != nil {
		return ""
	}
	if b.CreateTopic(ctx, "t", 1, nil) != nil || b.Stop() != nil || os.Rename(temp, file) != nil {
		b.Kill()
		return ""
	}
	return file
}

// clip gives the end of what a program said.
func clip(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) > 2000 {
		b = b[len(b)-2000:]
	}
	return string(b)
}
