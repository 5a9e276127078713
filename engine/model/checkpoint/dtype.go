package checkpoint

// DType is the type of a tensor's elements as a checkpoint stores them.
type DType uint8

// The element types that occur in CLIP checkpoints.
const (
	Invalid DType = iota
	Float32
	Float16
	BFloat16
	Float64
	Int64
	Int32
	Int16
	Int8
	Uint8
	Bool
)

var dtypeNames = [...]string{"invalid", "float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"}

var dtypeSizes = [...]int{0, 4, 2, 2, 8, 8, 4, 2, 1, 1, 1}

// Size is the number of bytes of one element.
func (d DType) Size() int { return dtypeSizes[d] }

// String is the name that PyTorch uses.
func (d DType) String() string { return dtypeNames[d] }

// Floating says whether the type holds weights (and not indices or counters).
func (d DType) Floating() bool { return d >= Float32 && d <= Float64 }
