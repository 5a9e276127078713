package checkpoint

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

const models = "../../../testdata/models/"

// global, unicode and mark are opcodes in the spelling of Python's pickletools.
func global(module, name string) string { return "c" + module + "\n" + name + "\n" }

func TestUnpickleRefusesEverythingElse(t *testing.T) {
	check := func(pickle, want string) {
		t.Helper()
		v, err := unpickle([]byte(pickle))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("unpickle(%q) = %v, %v; expected an error with %q", pickle, v, err, want)
		}
	}
	check("\x80\x02"+global("posix", "system")+"X\x02\x00\x00\x00id\x85R.", `"posix.system"`)
	check("\x80\x02"+global("builtins", "eval")+".", `"builtins.eval"`)
	check("\x80\x04\x8c\x05posix\x8c\x06system\x93.", `"posix.system"`)
	check("\x80\x02"+global("__torch__x", "A")+".", `"__torch__x.A"`)
	check("\x80\x02"+global("torch", "load")+".", `"torch.load"`)
	check("\x80\x02"+global("collections", "OrderedDict")+")\x81.", "only TorchScript classes")
	check("\x80\x02"+global("__torch__", "M")+")R.", "must not be called")
	check("\x80\x02"+global("torch", "FloatStorage")+")R.", "must not be called")
	check("\x80\x02"+global("torch._utils", "_rebuild_tensor_v2")+")R.", "at least 4 arguments")
	check("\x80\x02"+global("collections", "OrderedDict")+"K\x01\x85R.", "one list of pairs")
	check("\x80\x02)Q.", "no ('storage'")
	check("\x80\x02K\x01K\x02b.", "no attributes")
	check("\x80\x02K\x01K\x02a.", "cannot be added")
	check("\x80\x02}(K\x01u.", "cannot be added")
	check("\x80\x02h\x07.", "never stored")
	check("\x80\x02\x94.", "stack is empty")
	check("\x80\x02(0.", "stack is empty")
	check("\x80\x02t.", "no mark")
	check("\x80\x02X\xff\xff\xff\xffa.", "bytes wanted")
	check("\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.", "bytes wanted")
	check("\x80\x02X\x01\x00\x00\x00\xff.", "UTF-8")
	check("\x80\x02\x8a\x09123456789.", "too large")
	check("\x80\x02c"+strings.Repeat("a", 4000)+".", "end of line")
	check("\x80\x06N.", "protocol 6")
	check("\x80\x02I1\n.", "not one that checkpoints use")
	check("\x80\x02N", "without STOP")
	check("", "without STOP")
	check("\x80\x02"+strings.Repeat("N", maxStack+1), "on the stack")
	check("\x80\x02"+strings.Repeat("(", maxStack+1), "on the stack")
	check("\x80\x02N"+strings.Repeat("\x94", maxMemo+1), "memo entries")
	check(strings.Repeat("N", maxPickle+1), "the limit is")
}

func TestUnpickleValues(t *testing.T) {
	check := func(pickle string, want any) {
		t.Helper()
		got, err := unpickle([]byte("\x80\x02" + pickle + "."))
		if err != nil || got != want {
			t.Errorf("unpickle(%q) = %v, %v; expected %v", pickle, got, err, want)
		}
	}
	check("K\xff", int64(255))
	check("M\x34\x12", int64(0x1234))
	check("J\xff\xff\xff\xff", int64(-1))
	check("\x8a\x02\x00\x80", int64(-32768))
	check("\x8a\x00", int64(0))
	check("G\x3f\xf8\x00\x00\x00\x00\x00\x00", 1.5)
	check("\x88", true)
	check("N", nil)
	check("X\x02\x00\x00\x00hi", "hi")
	check("K\x01q\x05K\x02r\x06\x00\x00\x0000h\x05", int64(1))
	check("(K\x01K\x021K\x03", int64(3))
}

func TestCyclicModulesEnd(t *testing.T) {
	// A module that is its own attribute, twice at each level: without bounds the walk would never end.
	cycle := "\x80\x02" + global("__torch__", "M") + ")\x81q\x00}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00ub."
	v, err := unpickle([]byte(cycle))
	if err != nil {
		t.Fatal(err)
	}
	w := &torchWalk{archive: &archive{file: "cycle.pt"}, names: map[string]int{}}
	if err := w.attributes("", v.(*pyObject).state, 0); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("walk over a cycle: %v", err)
	}
}

func TestUnpickleHasABudget(t *testing.T) {
	const (
		ordered = "ccollections\nOrderedDict\nq\x00"
		pairs   = 10_000
		calls   = 1000
	)
	// One list of pairs, all of them one shared tuple, is made into a dict again and again.
	shared := "\x80\x02" + ordered + "](" + "K\x01K\x02\x86q\x01" + strings.Repeat("h\x01", pairs-1) + "e\x85q\x020" +
		"](" + strings.Repeat("h\x00h\x02R", calls) + "e."
	before, after := runtime.MemStats{}, runtime.MemStats{}
	runtime.ReadMemStats(&before)
	_, err := unpickle([]byte(shared))
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "more than 4194304 items") {
		t.Errorf("%d dicts of %d pairs: %v", calls, pairs, err)
	}
	const limit = 1 << 28 // 4 M pairs of 32 bytes, and what append leaves behind while it grows
	if used := after.TotalAlloc - before.TotalAlloc; used > limit {
		t.Errorf("a pickle of %d bytes took %d bytes of memory, expected at most %d", len(shared), used, limit)
	}
	if _, err := unpickle([]byte("\x80\x02]" + strings.Repeat("Na", maxItems+1) + ".")); err == nil || !strings.Contains(err.Error(), "items") {
		t.Errorf("a list of %d items: %v", maxItems+1, err)
	}
	// As rebuilt tensors, whose sizes are copied.
	tensor := "\x80\x02" + global("torch._utils", "_rebuild_tensor_v2") + "q\x00((X\x07\x00\x00\x00storage" + global("torch", "FloatStorage") +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00(" + strings.Repeat("K\x01", maxRank) + "tq\x01h\x01tq\x020"
	if _, err := unpickle([]byte(tensor + strings.Repeat("h\x00h\x02R0", maxItems/maxRank) + "N.")); err == nil || !strings.Contains(err.Error(), "items") {
		t.Errorf("%d tensors: %v", maxItems/maxRank, err)
	}
}

func TestErrorsDoNotPrintSharedTuples(t *testing.T) {
	// A tuple of two of the one before, 20 times over: written out it has a million items.
	deep := "\x80\x02K\x01q\x010" + strings.Repeat("h\x01h\x01\x86q\x010", 20)
	check := func(pickle string) {
		t.Helper()
		if _, err := unpickle([]byte(deep + pickle + ".")); err == nil || len(err.Error()) > 1000 {
			t.Errorf("expected a short error, got one of %d bytes", len(fmt.Sprint(err)))
		}
	}
	check("h\x01)\x81")
	check(global("torch._utils", "_rebuild_tensor_v2") + "((X\x07\x00\x00\x00storage" + global("torch", "FloatStorage") +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQh\x01))tR")
	check("(X\x07\x00\x00\x00storageh\x01X\x01\x00\x00\x000NK\x01tQ")
	check("(X\x07\x00\x00\x00storage" + global("torch", "FloatStorage") + "h\x01NK\x01tQ")
	check("(X\x07\x00\x00\x00storage" + global("torch", "FloatStorage") + "X\x01\x00\x00\x000Nh\x01tQ")
	v, err := unpickle([]byte(deep + global("__torch__", "M") + ")\x81}h\x01h\x01sb."))
	if err != nil {
		t.Fatal(err)
	}
	w := &torchWalk{archive: &archive{file: "deep.pt"}, names: map[string]int{}}
	if err := w.attributes("", v.(*pyObject).state, 0); err == nil || len(err.Error()) > 1000 {
		t.Errorf("expected a short error, got one of %d bytes", len(fmt.Sprint(err)))
	}
}

func TestLongTensorNamesAreRefused(t *testing.T) {
	long := strings.Repeat("a", 600)
	tensor := &pyTensor{}
	inner := &pyDict{pairs: []pyPair{{long, tensor}}}
	nested := &pyDict{pairs: []pyPair{{long, &pyObject{state: inner}}}}
	w := &torchWalk{archive: &archive{file: "long.pt"}, names: map[string]int{}}
	for _, err := range []error{
		w.attributes("", nested, 0),
		w.stateDict(&pyDict{pairs: []pyPair{{long + long, tensor}}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "longer than 1024 bytes") || len(err.Error()) > 300 {
			t.Errorf("a name of 1200 bytes: %.400v", err)
		}
	}
}

func FuzzUnpickle(f *testing.F) {
	for _, name := range []string{"vit_quickgelu_2heads/openai_jit_cuda_reduced.pt", "vit_gelu/training_checkpoint_reduced.pt"} {
		data, err := os.ReadFile(models + name)
		if err != nil {
			f.Fatal(err)
		}
		a, err := openArchive(name, data)
		if err != nil {
			f.Fatal(err)
		}
		pickle, err := a.read("data.pkl")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pickle)
		f.Add(pickle[:600])
	}
	f.Add([]byte("\x80\x04\x8c\x05posix\x8c\x06system\x93."))
	f.Fuzz(func(t *testing.T, pickle []byte) {
		v, err := unpickle(pickle)
		if err != nil {
			return
		}
		w := &torchWalk{archive: &archive{file: "fuzz"}, names: map[string]int{}}
		switch r := v.(type) { // errors are fine, panics and hangs are not
		case *pyObject:
			_ = w.attributes("", r.state, 0)
		case *pyDict:
			_ = w.stateDict(r)
		}
	})
}

func TestTooManyTensorsAreRefused(t *testing.T) {
	const name = "vit_quickgelu/state_dict_reduced.pt"
	data, err := os.ReadFile(models + name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := openArchive(name, data)
	if err != nil {
		t.Fatal(err)
	}
	pickle, err := a.read("data.pkl")
	if err != nil {
		t.Fatal(err)
	}
	v, err := unpickle(pickle)
	if err != nil {
		t.Fatal(err)
	}
	w := &torchWalk{archive: a, names: map[string]int{}, tensors: make([]*Tensor, maxTensors-1)}
	if err := w.stateDict(v.(*pyDict)); err == nil || !strings.Contains(err.Error(), "more than 65536 tensors") || len(w.tensors) != maxTensors {
		t.Errorf("%d tensors and those of %s: %v", maxTensors-1, name, err)
	}
}
