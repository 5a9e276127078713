package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDiscoverTellsWhatIsThereAndWhyNot(t *testing.T) {
	found := Discover()
	if len(found) != len(Names()) {
		t.Fatalf("%d runtimes, want %d", len(found), len(Names()))
	}
	for i, f := range found {
		if f.Name != Names()[i] {
			t.Errorf("runtime %d is %q, want %q", i, f.Name, Names()[i])
		}
		switch f.Name {
		case "openvino", "onnxruntime":
			if f.Err != nil || f.Info == nil {
				t.Errorf("%s: %v", f.Name, f.Err)
				continue
			}
			if f.Info.Name != f.Name || f.Info.Version == "" || len(f.Info.Devices) == 0 || !filepath.IsAbs(f.Info.Path) {
				t.Errorf("%s: %+v", f.Name, *f.Info)
			}
			if len(f.Info.Precisions) == 0 || f.Info.Precisions[0] != FP32 {
				t.Errorf("%s computes %v, want fp32 first", f.Name, f.Info.Precisions)
			}
		default: // on a machine with a GPU they may be there; else something of them, or the driver, is missing by name
			if f.Err == nil {
				continue
			}
			names := strings.Contains(f.Err.Error(), "libclip_"+f.Name+".so") || strings.Contains(f.Err.Error(), "NVIDIA") ||
				strings.Contains(f.Err.Error(), "TensorRT")
			if !errors.Is(f.Err, ErrUnavailable) || f.Info != nil || !names {
				t.Errorf("%s: %+v, %v", f.Name, f.Info, f.Err)
			}
		}
	}
}

func TestOpenIsOnceAProcess(t *testing.T) {
	a, errA := Open("onnxruntime")
	b, errB := Open("onnxruntime")
	if errA != nil || errB != nil || a != b {
		t.Errorf("%p %v, %p %v", a, errA, b, errB)
	}
}

func TestOpenOfAnUnknownName(t *testing.T) {
	if _, err := Open("caffe"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "openvino") {
		t.Errorf("error is %v", err)
	}
}

func TestBrokenLibraryIsNamedWithTheReason(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "libclip_tensorrt.so")
	if err := os.WriteFile(path, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLIPD_RUNTIMES", folder)
	_, err := Open("tensorrt")
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), path) {
		t.Errorf("error is %v", err)
	}
	if errors.Is(err, ErrInvalid) || errors.Is(err, ErrInternal) || errors.Is(err, ErrOutOfMemory) {
		t.Errorf("%v is of more than one kind", err)
	}
	// The others are still found where they were.
	if _, err := Open("openvino"); err != nil {
		t.Error(err)
	}
}

func TestErrorKinds(t *testing.T) {
	for status, kind := range map[Status]error{
		StatusInvalid: ErrInvalid, StatusUnavailable: ErrUnavailable, StatusOutOfMemory: ErrOutOfMemory,
		StatusInternal: ErrInternal, Status(99): ErrInternal,
	} {
		if err := error(&Error{Status: status}); !errors.Is(err, kind) {
			t.Errorf("status %d is not %v", status, kind)
		}
	}
}

func TestPrecisionNames(t *testing.T) {
	check := func(name string, want Precision) {
		t.Helper()
		if got, err := ParsePrecision(name); err != nil || got != want {
			t.Errorf("ParsePrecision(%q) = %v, %v; want %v", name, got, err, want)
		}
	}
	for p := Auto; p <= FP16; p++ {
		check(p.String(), p)
	}
	check("BFloat16", BF16)
	check("float32", FP32)
	check("float16", FP16)
	check("", Auto)
	if _, err := ParsePrecision("int4"); err == nil || !strings.Contains(err.Error(), "bf16") {
		t.Errorf("error is %v", err)
	}
}
