package cuda

import (
	"errors"
	"fmt"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"clipd/cuda/nvmlsym"
)

// libraryName is what the driver installs; a container gets it from its runtime.
const libraryName = "libnvidia-ml.so.1"

// ErrNoGPU is what Open and Discover return, wrapped in the reason, on a machine without a usable NVIDIA GPU.
var ErrNoGPU = errors.New("no NVIDIA GPU")

var bind = sync.OnceFunc(func() { nvmlsym.Bind(libraryName) })

// Library is NVML, opened. It is safe for concurrent use.
type Library struct {
	nvml nvml.Interface
}

// Open opens the driver's library. On a machine without it the error wraps ErrNoGPU and says so in a sentence.
func Open() (*Library, error) {
	bind()
	return Use(nvml.New(nvml.WithLibraryPath(libraryName)))
}

// Use initialises the given NVML, a scripted one in tests.
func Use(lib nvml.Interface) (*Library, error) {
	if ret := lib.Init(); ret != nvml.SUCCESS {
		return nil, fmt.Errorf("%w: %s", ErrNoGPU, whyNone(ret))
	}
	return &Library{nvml: lib}, nil
}

// Close gives NVML back. It must not be called while a call hangs in the driver: it would hang as well.
func (l *Library) Close() error {
	if ret := l.nvml.Shutdown(); ret != nvml.SUCCESS {
		return fmt.Errorf("NVML cannot be closed: %s", describe(ret))
	}
	return nil
}

// Driver returns the versions of the driver and of the newest CUDA that it runs, such as "570.86.15" and "12.8"; "" for what it
// does not tell.
func (l *Library) Driver() (driver, cuda string) {
	if v, ret := l.nvml.SystemGetDriverVersion(); ret == nvml.SUCCESS {
		driver = v
	}
	if v, ret := l.nvml.SystemGetCudaDriverVersion(); ret == nvml.SUCCESS { // 12040 is 12.4
		cuda = fmt.Sprintf("%d.%d", v/1000, v%1000/10)
	}
	return driver, cuda
}

// whyNone says why NVML cannot be used and what would help.
func whyNone(ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return libraryName + " was not found; it comes with the NVIDIA driver, and a container has it when started with --gpus all"
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return "the kernel module of the NVIDIA driver is not loaded; modprobe nvidia loads it where there is a GPU"
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "the library and the kernel module of the NVIDIA driver are of different versions; a reboot after its update helps"
	case nvml.ERROR_NO_PERMISSION:
		return "this user may not open /dev/nvidiactl; the device files of the driver must be readable and writable"
	case nvml.ERROR_FUNCTION_NOT_FOUND:
		return libraryName + " lacks nvmlInit; it does not seem to be the driver's library"
	}
	return "NVML does not start: " + describe(ret)
}

// describe names a status by go-nvml's own names where NVML, which may be closed or hang, need not be asked.
func describe(ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_GPU_IS_LOST:
		return "the GPU has fallen off the bus or cannot be reached (GPU_IS_LOST)"
	case nvml.ERROR_RESET_REQUIRED:
		return "the GPU needs a reset (RESET_REQUIRED)"
	case nvml.ERROR_GPU_NOT_FOUND, nvml.ERROR_NOT_FOUND:
		return "the driver does not know the GPU any more (NOT_FOUND)"
	case nvml.ERROR_TIMEOUT:
		return "the driver gave up waiting for the GPU (TIMEOUT)"
	case nvml.ERROR_IRQ_ISSUE:
		return "the kernel found a problem with the interrupts of the GPU (IRQ_ISSUE)"
	case nvml.ERROR_UNINITIALIZED:
		return "NVML was closed (UNINITIALIZED)"
	case nvml.ERROR_FUNCTION_NOT_FOUND:
		return "the driver is too old for this call (FUNCTION_NOT_FOUND)"
	case nvml.ERROR_NOT_SUPPORTED:
		return "the GPU does not support this call (NOT_SUPPORTED)"
	case nvml.ERROR_UNKNOWN:
		return "the driver failed inside (UNKNOWN)"
	}
	return fmt.Sprintf("NVML status %d", int32(ret))
}
