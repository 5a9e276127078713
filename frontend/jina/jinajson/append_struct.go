package jinajson

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"
)

// appendStruct appends an object with its keys in order.
func appendStruct(dst []byte, s *structpb.Struct) []byte {
	dst = append(dst, '{')
	if fields := s.GetFields(); len(fields) > 0 {
		for i, key := range slices.Sorted(maps.Keys(fields)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, key), ':')
			dst = appendValue(dst, fields[key])
		}
	}
	return append(dst, '}')
}

func appendValue(dst []byte, v *structpb.Value) []byte {
	switch k := v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		return appendFloat64(dst, k.NumberValue)
	case *structpb.Value_StringValue:
		return appendString(dst, k.StringValue)
	case *structpb.Value_BoolValue:
		return strconv.AppendBool(dst, k.BoolValue)
	case *structpb.Value_StructValue:
		return appendStruct(dst, k.StructValue)
	case *structpb.Value_ListValue:
		dst = append(dst, '[')
		for i, e := range k.ListValue.GetValues() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, e)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

// appendFloat64 appends the shortest number that is v again when it is read, as Python writes floats: 3.0. NaN and the
// infinities are null.
func appendFloat64(dst []byte, v float64) []byte {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return append(dst, "null"...)
	case a < 1e15 && a == math.Trunc(a):
		if v < 0 || v == 0 && math.Signbit(v) {
			dst = append(dst, '-')
		}
		return append(strconv.AppendUint(dst, uint64(a), 10), ".0"...)
	case a >= 1e-6 && a < 1e15:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'e', -1, 64)
}
