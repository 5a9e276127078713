package runtime

// #cgo CFLAGS: -I${SRCDIR}/../../csrc/include -I${SRCDIR}/../../csrc/loader
// #cgo LDFLAGS: -L${SRCDIR}/../../build/lib -lclip_loader -ldl
// #include <stdlib.h>
// #include "loader.h"
import "C"

import (
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// errorBytes is the room for the text of an error; longer ones are cut.
const errorBytes = 2048

// errorText is the buffer that C writes an error to.
type errorText [errorBytes]C.char

func (t *errorText) String() string { return C.GoString(&t[0]) }

// Info describes an open runtime.
type Info struct {
	Name       string
	Version    string      // of the library behind it, as it reports it
	Devices    []string    // "cpu AMD EPYC 9R45, fp32 bf16"
	Precisions []Precision // that the first device computes natively
	Path       string      // of the shared library
}

// Runtime is an open inference runtime. It is safe for concurrent use and lives as long as the process.
type Runtime struct {
	api  *C.clip_runtime_api
	info Info
}

var opened = struct {
	sync.Mutex
	byPath map[string]*Runtime
}{byPath: map[string]*Runtime{}}

// Open opens a runtime by name ("openvino"), once per process. It looks in $CLIPD_RUNTIMES, then in lib and build/lib
// beside the program. The error is an *Error: ErrInvalid for a name that clipd does not know, ErrUnavailable
// for a runtime that this machine lacks.
func Open(name string) (*Runtime, error) {
	if !slices.Contains(names, name) {
		return nil, &Error{
			Status:  StatusInvalid,
			Runtime: name,
			Text:    "unknown; known are " + strings.Join(names, ", "),
		}
	}
	path, err := locate(name)
	if err != nil {
		return nil, err
	}
	return open(name, path)
}

// open opens the runtime at path. A failure is not remembered: what is missing may be installed meanwhile.
func open(name, path string) (*Runtime, error) {
	opened.Lock()
	defer opened.Unlock()
	if r, ok := opened.byPath[path]; ok {
		return r, nil
	}
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	var text errorText
	api := C.clip_loader_open(cPath, &text[0], errorBytes)
	if api == nil {
		return nil, &Error{Status: StatusUnavailable, Runtime: name, Text: text.String()}
	}
	var info C.clip_runtime_info
	info.size = C.uint32_t(unsafe.Sizeof(info))
	if status := C.clip_loader_describe(api, &info, &text[0], errorBytes); status != C.CLIP_OK {
		return nil, &Error{Status: Status(status), Runtime: name, Text: text.String()}
	}
	r := &Runtime{api: api, info: Info{
		Name:       C.GoString(&info.name[0]),
		Version:    C.GoString(&info.version[0]),
		Devices:    strings.Split(C.GoString(&info.devices[0]), "\n"),
		Precisions: precisionsOf(uint32(info.precisions)),
		Path:       path,
	}}
	opened.byPath[path] = r
	return r, nil
}

// precisionsOf reads the bits 1 << clip_precision.
func precisionsOf(bits uint32) []Precision {
	var all []Precision
	for p := FP32; int(p) < len(precisionNames); p++ {
		if bits&(1<<p) != 0 {
			all = append(all, p)
		}
	}
	return all
}

// Info describes the runtime.
func (r *Runtime) Info() Info {
	info := r.info
	info.Devices = slices.Clone(info.Devices)
	info.Precisions = slices.Clone(info.Precisions)
	return info
}

// fail makes an *Error of this runtime.
func (r *Runtime) fail(status Status, text string) error {
	return &Error{Status: status, Runtime: r.info.Name, Text: text}
}
