package runtime

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// threadsOfNice counts the threads of this process whose nice value is n.
func threadsOfNice(t *testing.T, n string) (count int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(data), ") ") // behind the name, which may contain anything
		if fields := strings.Fields(rest); len(fields) > 16 && fields[16] == n {
			count++
		}
	}
	return count
}

// TestNice shows that the threads of a session yield to others as asked, and no thread of Go does. It looks in a process of its
// own: OpenVINO hands the threads of sessions that have ended to later ones.
func TestNice(t *testing.T) {
	if os.Getenv("CLIPD_TEST_NICE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNice$", "-test.v")
		cmd.Env = append(os.Environ(), "CLIPD_TEST_NICE=1")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		return
	}
	r, err := Open("openvino")
	if err != nil {
		t.Fatalf("%v (make native builds it)", err)
	}
	const nice = "13" // which no other session here has
	before := threadsOfNice(t, "0")
	s, err := r.NewSession(SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32, Lanes: 2, Threads: 1, Nice: 13})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := threadsOfNice(t, nice); got < 2 {
		t.Errorf("%d threads have the nice value %s; the two lanes have one each", got, nice)
	}
	if got := threadsOfNice(t, "0"); got < before {
		t.Errorf("%d threads are as usual, %d were before", got, before)
	}
	_, err = r.NewSession(SessionOptions{Graph: graph(Text), Tower: Text, Nice: 20})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "nice is 20") {
		t.Errorf("nice 20: %v", err)
	}
}
