package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names are the runtimes that clipd knows, the preferred one on a processor first.
var names = []string{"openvino", "onnxruntime", "tensorrt", "cuda"}

// Names returns the runtimes that clipd knows, in order of preference on a processor, whether they are there or not.
func Names() []string { return append([]string(nil), names...) }

// Found is what Discover learned of one runtime.
type Found struct {
	Name string
	Info *Info // nil when the runtime cannot be used
	Err  error // why not, and what would help
}

// Discover opens every known runtime that this machine has and says of each other one why it is missing. See Open
// for where it looks.
func Discover() []Found {
	found := make([]Found, 0, len(names))
	for _, name := range names {
		one := Found{Name: name}
		if r, err := Open(name); err != nil {
			one.Err = err
		} else {
			info := r.Info()
			one.Info = &info
		}
		found = append(found, one)
	}
	return found
}

// folders returns where runtimes are looked for, the first match wins: $CLIPD_RUNTIMES, lib and build/lib beside the
// program, and in a test build/lib of the repository.
func folders() []string {
	var all []string
	if folder := os.Getenv("CLIPD_RUNTIMES"); folder != "" {
		all = append(all, folder)
	}
	if testing.Testing() {
		if root, ok := repository(); ok {
			all = append(all, filepath.Join(root, "build", "lib"))
		}
		return all
	}
	if program, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(program); err == nil {
			program = real
		}
		beside := filepath.Dir(program)
		all = append(all, filepath.Join(beside, "lib"), filepath.Join(beside, "build", "lib"))
	}
	return all
}

// repository returns the folder of the go.mod above the working directory, which for a test is its package.
func repository() (string, bool) {
	folder, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, true
		}
		above := filepath.Dir(folder)
		if above == folder {
			return "", false
		}
		folder = above
	}
}

// locate returns the path of the runtime's shared library.
func locate(name string) (string, error) {
	file := "libclip_" + name + ".so"
	searched := folders()
	for _, folder := range searched {
		path := filepath.Join(folder, file)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", &Error{
		Status:  StatusUnavailable,
		Runtime: name,
		Text:    fmt.Sprintf("%s is not in %s; %s", file, strings.Join(searched, " or "), remedy(name)),
	}
}

// remedy says how a missing runtime is had.
func remedy(name string) string {
	switch name {
	case "openvino", "onnxruntime":
		return "build it with `make engine`, or set CLIPD_RUNTIMES to the folder that holds it"
	case "tensorrt":
		return "build it with `make engine` where TensorRT's headers are installed or cargo can fetch them, or set CLIPD_RUNTIMES to the folder that holds it"
	}
	return "this build of clipd does not contain it; use openvino or onnxruntime"
}
