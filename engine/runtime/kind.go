package runtime

import (
	"fmt"
	"strings"
)

// Tower is a half of a CLIP model.
type Tower int

// The values are those of clip_tower.
const (
	Image Tower = 0 // input uint8 [rows, size, size, 3], RGB
	Text  Tower = 1 // input int32 [rows, length], rows padded at the end
)

// String returns "image" or "text".
func (t Tower) String() string {
	switch t {
	case Image:
		return "image"
	case Text:
		return "text"
	}
	return fmt.Sprintf("Tower(%d)", int(t))
}

// Precision is the type of number that a device computes in. Inputs and outputs do not depend on it.
type Precision int

// The values are those of clip_precision.
const (
	Auto Precision = 0 // the fastest that the device computes natively and whose embeddings keep cosine >= 0.9995 to FP32
	FP32 Precision = 1
	BF16 Precision = 2
	FP16 Precision = 3
)

var precisionNames = []string{Auto: "auto", FP32: "fp32", BF16: "bf16", FP16: "fp16"}

// String returns "auto", "fp32", "bf16" or "fp16".
func (p Precision) String() string {
	if p < 0 || int(p) >= len(precisionNames) {
		return fmt.Sprintf("Precision(%d)", int(p))
	}
	return precisionNames[p]
}

// longPrecisionNames are the names that PyTorch and CLIP-as-service's dtype use.
var longPrecisionNames = map[string]Precision{"float32": FP32, "bfloat16": BF16, "float16": FP16, "": Auto}

// ParsePrecision reads what String writes, and float32, bfloat16 and float16; the empty string is Auto. Case does
// not matter.
func ParsePrecision(name string) (Precision, error) {
	lower := strings.ToLower(name)
	for p, known := range precisionNames {
		if lower == known {
			return Precision(p), nil
		}
	}
	if p, ok := longPrecisionNames[lower]; ok {
		return p, nil
	}
	return Auto, fmt.Errorf("unknown precision %q: %s are known", name, strings.Join(precisionNames, ", "))
}
