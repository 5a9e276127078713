package jina

import (
	"errors"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

var (
	errTooDeep = errors.New("messages lie in each other more than 10000 deep")
	errNotUTF8 = errors.New("a string is not UTF-8")
	errBadTag  = errors.New("a field has a number or a wire type that there is none of")
)

// errMalformed explains a negative length of protowire.
func errMalformed(n int) error { return protowire.ParseError(n) }

// tag reads the number and the wire type of the next field, and how many bytes they take.
func tag(b []byte) (protowire.Number, protowire.Type, int, error) {
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, 0, 0, errMalformed(n)
	}
	number := v >> 3
	if number < uint64(protowire.MinValidNumber) || number > uint64(protowire.MaxValidNumber) {
		return 0, 0, 0, errBadTag
	}
	return protowire.Number(number), protowire.Type(v & 7), n, nil
}

// alias makes a string of bytes without copying them.
func alias(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", errNotUTF8
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), nil
}

// count returns how often a field of messages occurs in a message, up to the first byte that is wrong.
func count(b []byte, field protowire.Number) int {
	found := 0
	for len(b) > 0 {
		number, wire, n, err := tag(b)
		if err != nil {
			break
		}
		length := protowire.ConsumeFieldValue(number, wire, b[n:])
		if length < 0 {
			break
		}
		if number == field && wire == protowire.BytesType {
			found++
		}
		b = b[n+length:]
	}
	return found
}
