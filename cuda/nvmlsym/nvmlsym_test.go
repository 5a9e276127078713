//go:build linux && (amd64 || arm64)

package nvmlsym

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// This program links go-nvml: nothing that it calls may be left to the dynamic linker, or immediate binding would end it.
func TestNothingIsLeftUndefined(t *testing.T) {
	if ret := nvml.New(nvml.WithLibraryPath("libclipd-no-such-library.so")).Init(); ret != nvml.ERROR_LIBRARY_NOT_FOUND {
		t.Fatalf("Init without a library: %v", ret)
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "nvml") {
			t.Errorf("%s is undefined; run go generate in this folder", s.Name)
		}
	}
}

func TestStartsWithImmediateBinding(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.Command(path, "-test.run=^TestNothingIsLeftUndefined$")
	again.Env = append(os.Environ(), "LD_BIND_NOW=1")
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("with LD_BIND_NOW=1: %v\n%s", err, out)
	}
}

// A library of three functions, compiled here, stands for a driver that is much older than go-nvml.
func TestBindsWhatTheLibraryHas(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler:", err)
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "old.c"), filepath.Join(dir, "libold-nvml.so")
	code := `
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned* n) { *n = 7; return 0; }
int nvmlShutdown(void) { return 0; }`
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	if n := Bind(filepath.Join(dir, "missing.so")); n != 0 {
		t.Errorf("a missing library has %d functions", n)
	}
	if n := Bind(library); n != 3 {
		t.Errorf("found %d functions; the library has 3", n)
	}
	lib := nvml.New(nvml.WithLibraryPath(library))
	if ret := lib.Init(); ret != nvml.SUCCESS {
		t.Fatalf("Init: %v", ret)
	}
	if n, ret := lib.DeviceGetCount(); ret != nvml.SUCCESS || n != 7 {
		t.Errorf("count %d, %v", n, ret)
	}
	version, ret := lib.SystemGetDriverVersion() // the library has no such function
	if ret != nvml.ERROR_FUNCTION_NOT_FOUND || version != "" {
		t.Errorf("driver version %q, %v", version, ret)
	}
	if text := ret.Error(); text != "unknown NVML error" { // and no nvmlErrorString either
		t.Errorf("error string %q", text)
	}
	if ret := lib.Shutdown(); ret != nvml.SUCCESS {
		t.Errorf("Shutdown: %v", ret)
	}
}
