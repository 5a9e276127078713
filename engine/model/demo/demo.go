// Package demo holds the small CLIP that comes with clipd: it knows coloured shapes, their number, place,
// size and texture, and was trained by scripts/demo_model on pictures that were drawn for it.
package demo

import _ "embed"

//go:embed model.safetensors
var weights []byte

//go:embed open_clip_config.json
var config []byte

// Weights returns the network as a safetensors file: open_clip's tensor names, fp16, logit_scale in fp32.
// The bytes belong to the program's read-only data; callers must not change them.
func Weights() []byte { return weights }

// Config returns the network's open_clip_config.json: sizes under "model_cfg", mean and standard deviation
// under "preprocess_cfg". The bytes belong to the program; callers must not change them.
func Config() []byte { return config }
