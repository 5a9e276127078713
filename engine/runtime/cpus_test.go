package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// allowed returns the processors that this process may run on, in ascending order.
func allowed(t *testing.T) (cpus []int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		t.Fatal(err)
	}
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// threadCpus returns Cpus_allowed_list of each thread of this process.
func threadCpus(t *testing.T) map[string]string {
	t.Helper()
	statuses, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	cpus := map[string]string{}
	for _, path := range statuses {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(data), "Cpus_allowed_list:\t")
		list, _, _ := strings.Cut(rest, "\n")
		cpus[filepath.Base(filepath.Dir(path))] = list
	}
	return cpus
}

// newThreads returns the threads that make starts. Go may start some of its own meanwhile, all with no name but the
// program's; those that a runtime made are told apart by their processors, so that the caller must bind them.
func newThreads(t *testing.T, bound string, start func()) (threads []string) {
	t.Helper()
	before := threadCpus(t)
	start()
	for thread, cpus := range threadCpus(t) {
		if _, old := before[thread]; !old && cpus == bound {
			threads = append(threads, thread)
		}
	}
	return threads
}

// sampling looks at the processors of all threads over and over while run goes on: counts[thread][list].
func sampling(t *testing.T, run func()) map[string]map[string]int {
	t.Helper()
	counts := map[string]map[string]int{}
	var done atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for !done.Load() {
			for thread, list := range threadCpus(t) {
				if counts[thread] == nil {
					counts[thread] = map[string]int{}
				}
				counts[thread][list]++
			}
		}
	})
	run()
	done.Store(true)
	wait.Wait()
	return counts
}

// runTexts runs batches large enough that threads are seen at work, and checks what they answer.
func runTexts(t *testing.T, l *Lane, times int) {
	ids, want := readInts(t, "text.input"), readFloats(t, "text.output")
	const copies = 64
	var many []int32
	for range copies {
		many = append(many, ids...)
	}
	out := make([]float32, copies*textRows*dim)
	for range times {
		if err := l.RunTexts(Texts{Rows: copies * textRows, Length: textLength, IDs: many}, out); err != nil {
			t.Error(err)
			return
		}
	}
	checkRows(t, "bound", out[len(out)-len(want):], want, 0.999999)
}

// Two sessions on different processors, as two replicas have them: the threads of each stay on its own.
func TestSessionsStayOnTheirProcessors(t *testing.T) {
	cpus := allowed(t)
	if len(cpus) < 2 {
		t.Skipf("this process may run on processor %v only; two are needed to tell sessions apart", cpus)
	}
	each(t, func(t *testing.T, r *Runtime) {
		// Idle streams of a closed session serve the next one, which has other processors: nothing of them may stay.
		newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32, Lanes: 2, Threads: 1}).Close()
		newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32, Lanes: 2, Threads: 1, Cpus: fmt.Sprint(cpus[1])}).Close()

		var lists []string
		var threads [][]string
		var lanes []*Lane
		for _, cpu := range cpus[:2] {
			list := fmt.Sprint(cpu)
			// Graph and threads differ between OpenVINO, which computes in threads of its own, one a lane here, and ONNX
			// Runtime, whose pool has one thread less.
			threadsEach := 1
			if r.Info().Name == "onnxruntime" {
				threadsEach = 2
			}
			var s *Session
			made := newThreads(t, list, func() {
				s = newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32, Lanes: 2, Threads: threadsEach, Cpus: list})
			})
			lists, threads = append(lists, list), append(threads, made)
			lanes = append(lanes, newLane(t, s), newLane(t, s))
		}
		counts := sampling(t, func() {
			var wait sync.WaitGroup
			for _, l := range lanes {
				wait.Go(func() { runTexts(t, l, 100) })
			}
			wait.Wait()
		})
		for i, list := range lists {
			if r.Info().Name == "onnxruntime" && len(threads[i]) < 2 {
				t.Errorf("the session on %s has made %d threads that run there; want 2", list, len(threads[i]))
			}
			for _, thread := range threads[i] {
				checkMostly(t, thread, counts[thread], list)
			}
			if seen := onlyThere(counts, list); seen < 2 {
				t.Errorf("%d threads ran on processor %s alone; want at least 2\n%v", seen, list, counts)
			}
		}
		checkUnbound(t, cpus)
	})
}

// checkMostly checks where a thread was seen. Not always on its processors: when a thread enters an arena of TBB, TBB gives it
// all first.
func checkMostly(t *testing.T, thread string, seen map[string]int, list string) {
	t.Helper()
	all := 0
	for _, n := range seen {
		all += n
	}
	if seen[list]*10 < all*9 {
		t.Errorf("thread %s of the session on %s was seen on %v", thread, list, seen)
	}
}

// onlyThere counts the threads that were seen on this list most of the time.
func onlyThere(counts map[string]map[string]int, list string) (threads int) {
	for _, seen := range counts {
		all := 0
		for _, n := range seen {
			all += n
		}
		if seen[list]*10 >= all*9 {
			threads++
		}
	}
	return threads
}

// checkUnbound checks that the calls left no thread of Go's bound: this goroutine is moved over several.
func checkUnbound(t *testing.T, cpus []int) {
	t.Helper()
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			goruntime.LockOSThread()
			defer goruntime.UnlockOSThread()
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() != len(cpus) {
				t.Errorf("a thread of Go's may run on %d processors, %v; want %d", set.Count(), err, len(cpus))
			}
		})
	}
	wait.Wait()
}

// More lanes than processors: OpenVINO makes fewer streams than it was asked for.
func TestManyLanesOnOneProcessor(t *testing.T) {
	cpus := allowed(t)
	list := fmt.Sprint(cpus[len(cpus)-1])
	each(t, func(t *testing.T, r *Runtime) {
		for _, tower := range []Tower{Image, Text} {
			s := newSession(t, r, SessionOptions{Graph: graph(tower), Tower: tower, Precision: FP32, Lanes: 2*len(cpus) + 1, Threads: 1, Cpus: list})
			checkTower(t, s, tower)
		}
	})
}

// With several threads a lane, workers that all sessions share help; each stays there while it helps.
func TestWorkersStayOnTheProcessorsOfTheirLane(t *testing.T) {
	cpus := allowed(t)
	if len(cpus) < 2 {
		t.Skipf("this process may run on processor %v only; a lane that may not use all is needed", cpus)
	}
	list := fmt.Sprint(cpus[1])
	each(t, func(t *testing.T, r *Runtime) {
		s := newSession(t, r, SessionOptions{Graph: graph(Text), Tower: Text, Precision: FP32, Lanes: 1, Threads: 2, Cpus: list})
		l := newLane(t, s)
		counts := sampling(t, func() { runTexts(t, l, 300) })
		// The stream and one worker; or the caller and one thread of the pool.
		threads := 0
		for _, seen := range counts {
			if seen[list] > 0 {
				threads++
			}
		}
		if threads < 2 {
			t.Errorf("%d threads were seen on processor %s, want 2\n%v", threads, list, counts)
		}
		checkUnbound(t, cpus)
	})
}

func TestWrongProcessorsAreRefused(t *testing.T) {
	each(t, func(t *testing.T, r *Runtime) {
		for _, list := range []string{"x", "0-", "3-1", "0,,1", "-1", "0,", "8192", "8000-8191"} {
			s, err := r.NewSession(SessionOptions{Graph: graph(Text), Tower: Text, Cpus: list})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), list) {
				t.Errorf("cpus %q: %v; want that it is refused and named", list, err)
			}
		}
	})
}
