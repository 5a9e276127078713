//go:build linux && (amd64 || arm64)

// Package nvmlsym defines the functions of NVML that go-nvml calls, each as a jump into the library once that is open.
//
// go-nvml itself leaves them undefined and counts on the dynamic linker to look for each at its first call. A program built or
// started with immediate binding (-z now, which hardened systems use, -buildmode=pie on some, or LD_BIND_NOW) then ends
// before main where there is no NVIDIA library, and one with an older driver ends in the middle of its work, when it calls a
// function that the driver lacks. With this package it starts, and such a function answers ERROR_FUNCTION_NOT_FOUND.
package nvmlsym

// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "table.h"
import "C"

import "unsafe"

//go:generate ./generate.sh

// Bind opens the library and returns how many functions it has; 0 when it is not there. It is called once, before the first
// call of any function.
func Bind(library string) int {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	return int(C.clip_nvml_bind(name))
}
