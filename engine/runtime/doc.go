// Package runtime opens inference runtimes (OpenVINO, ONNX Runtime, ...) and runs batches on them. A runtime is a
// shared library behind the C ABI of csrc/include/clip_runtime.h, looked for and opened while clipd runs, so that
// clipd starts on a machine that has none of them and can say which it found and why each other one is missing.
//
// A Runtime makes Sessions (one tower of a model, compiled for one device), a Session makes Lanes (execution
// contexts), and a Lane runs one batch at a time, in one call of C.
package runtime
