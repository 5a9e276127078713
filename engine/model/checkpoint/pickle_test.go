package checkpoint

import (
	"os"
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
