package jina

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// nested puts a message into fields, the innermost first.
func nested(b []byte, numbers ...protowire.Number) []byte {
	for _, n := range numbers {
		b = protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
	}
	return b
}

// repeated writes n elements that element makes, and wraps them all.
func repeated(n int, element func(i int) []byte, outside ...protowire.Number) []byte {
	var b []byte
	for i := range n {
		b = append(b, element(i)...)
	}
	return nested(b, outside...)
}

// hostile are messages of about n bytes that would be many times as large when decoded.
var hostile = map[string]func(n int) []byte{
	"empty documents":  func(n int) []byte { return repeated(n/2, func(int) []byte { return nested(nil, 1) }, 1, 4) },
	"empty chunks":     func(n int) []byte { return repeated(n/2, func(int) []byte { return nested(nil, 14) }, 1, 1, 4) },
	"documents in one": func(n int) []byte { return repeated(n/4, func(int) []byte { return nested(nil, 15, 1) }, 1, 4) },
	"deep matches": func(n int) []byte {
		deep := nested(nil, bytesToNumbers(bytes.Repeat([]byte{15}, 2000))...)
		return repeated(n/len(deep), func(int) []byte { return nested(deep, 1) }, 1, 4)
	},
	"empty values": func(n int) []byte { return repeated(n/2, func(int) []byte { return nested(nil, 1) }, 6, 2, 1, 2) },
	"values in tags": func(n int) []byte {
		return repeated(n/2, func(int) []byte { return nested(nil, 1) }, 6, 2, 1, 17, 1, 1, 4)
	},
	"bools": func(n int) []byte {
		return repeated(n/4, func(int) []byte { return nested([]byte{0x20, 1}, 1) }, 6, 2, 1, 2)
	},
	"empty structs":  func(n int) []byte { return repeated(n/4, func(int) []byte { return nested(nil, 5, 1) }, 6, 2, 1, 2) },
	"structs of one": func(n int) []byte { return repeated(n/6, func(int) []byte { return nested(nil, 1, 5, 1) }, 6, 2, 1, 2) },
	"lists of one":   func(n int) []byte { return repeated(n/6, func(int) []byte { return nested(nil, 1, 6, 1) }, 6, 2, 1, 2) },
	"keys":           func(n int) []byte { return repeated(n/8, func(i int) []byte { return nested(key(i), 1) }, 2) },
	"tag keys":       func(n int) []byte { return repeated(n/8, func(i int) []byte { return nested(key(i), 1) }, 17, 1, 1, 4) },
	"scores":         func(n int) []byte { return repeated(n/8, func(i int) []byte { return nested(key(i), 18) }, 1, 1, 4) },
	"routes":         func(n int) []byte { return repeated(n/2, func(int) []byte { return nested(nil, 3) }) },
	"route times": func(n int) []byte {
		return repeated(n/8, func(int) []byte { return nested(append(nested(nil, 2), nested(nil, 3)...), 3) })
	},
	"route exception": func(n int) []byte { return repeated(n/8, func(int) []byte { return nested(nil, 3, 4, 3) }) },
	"exception args":  func(n int) []byte { return repeated(n/2, func(int) []byte { return nested(nil, 2) }, 3, 2, 1) },
	"shape":           func(n int) []byte { return nested(bytes.Repeat([]byte{1}, n), 2, 1, 16, 1, 1, 4) },
	"loose shape":     func(n int) []byte { return nested(bytes.Repeat([]byte{2 << 3, 1}, n/2), 1, 16, 1, 1, 4) },
	"sparse shape":    func(n int) []byte { return nested(bytes.Repeat([]byte{1}, n), 3, 2, 16, 1, 1, 4) },
	"location":        func(n int) []byte { return nested(bytes.Repeat([]byte{13<<3 | 5, 0, 0, 0, 0}, n/5), 1, 1, 4) },
	"unknown fields":  func(n int) []byte { return nested(bytes.Repeat([]byte{0xa8, 1, 1}, n/3), 1, 1, 4) },
	"unknown groups":  func(n int) []byte { return nested(bytes.Repeat([]byte{0xab, 1, 0xac, 1}, n/4), 1, 1, 4) },
	"tensors":         func(n int) []byte { return nested(bytes.Repeat([]byte{0x1a, 2, 0x0a, 0}, n/4), 1, 1, 4) },
	"contents":        func(n int) []byte { return nested(bytes.Repeat([]byte{0x1a, 2, 0x0a, 0, 0x22, 0}, n/6), 1, 1, 4) },
	"data":            func(n int) []byte { return bytes.Repeat([]byte{0x22, 0}, n/2) },
	"documents again": func(n int) []byte { return nested(bytes.Repeat([]byte{0x0a, 0, 0x12, 0}, n/4), 4) },
}

func bytesToNumbers(b []byte) (numbers []protowire.Number) {
	for _, v := range b {
		numbers = append(numbers, protowire.Number(v))
	}
	return numbers
}

// key is an entry of a map with a key of its own.
func key(i int) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), fmt.Appendf(nil, "%x", i))
}

// allocated returns the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestHostileMessagesStaySmall shows that decoding, or refusing, a message of 1 MB allocates no more than some times its
// bytes, whatever is in it, and that the weight is about what is allocated.
func TestHostileMessagesStaySmall(t *testing.T) {
	const maxDocuments = 16384 // the flow's default
	service := &Service{gateway: NewGateway(GatewayOptions{MaxDocuments: maxDocuments})}
	const size = 1 << 20
	// What documents may take, a request's 16384, and the values' own allowance.
	var slack = int64(maxDocuments)*documentKind.bytes + valuesBytes
	worst, refused := 0.0, 0
	for name, make := range hostile {
		// The largest that is accepted is where memory is greatest.
		for n := size; n > size/300; n /= 2 {
			data := make(n)
			w, err := weigh(data, requestKind)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var req *pb.DataRequestProto
			took := allocated(func() { req, _, err = (&stage{service: service}).admit(t.Context(), &frame{data: data}) })
			if req == nil {
				t.Fatalf("%s of %d bytes: %v", name, n, err)
			}
			if most := 10*int64(len(data)) + slack; took > most {
				t.Errorf("%s of %d bytes: %d bytes were allocated, more than %d (weighed %+v)", name, len(data), took, most, w)
			}
			if err != nil {
				refused++
				if fault.Of(err).Code != fault.TooLarge || took > int64(len(data))/2+1e5 {
					t.Errorf("%s of %d bytes was refused with %d bytes allocated: %v", name, len(data), took, err)
				}
				continue
			}
			// Slices that grow leave their former selves behind, hence the half more.
			if took > w.memory()*3/2+2*int64(len(data))+1e5 {
				t.Errorf("%s of %d bytes: %d bytes were allocated, weighed as %+v", name, len(data), took, w)
			}
			worst = max(worst, float64(took-slack)/float64(len(data)))
			t.Logf("%-16s %8d bytes: %9d allocated, %.1f times; weighed %.1f times", name, len(data), took, float64(took)/float64(len(data)), float64(w.memory())/float64(len(data)))
			break
		}
	}
	t.Logf("beyond %d bytes, at most %.1f times the message", slack, worst)
	if refused < 15 {
		t.Errorf("only %d messages were refused", refused)
	}
}

// TestWeightOfOrdinaryRequests shows that what clients send is far from the limit of values.
func TestWeightOfOrdinaryRequests(t *testing.T) {
	for _, data := range captured(t) {
		w, err := weigh(data, requestKind)
		if err == nil && w.admissible(len(data), 100) != nil {
			t.Errorf("a capture of %d bytes is refused: %+v", len(data), w)
		}
	}
	// A million documents of an old client, with its tags and one number each.
	doc := &pb.DocumentProto{}
	if err := proto.Unmarshal(nested(append(nested(append(nested([]byte("__created_by_CAS__"), 1), nested([]byte{0x20, 1}, 2)...), 1),
		nested(append(nested([]byte("__loaded_by_CAS__"), 1), nested([]byte{0x20, 1}, 2)...), 1)...), 17), doc); err != nil || len(doc.Tags.Fields) != 2 {
		t.Fatal(doc, err)
	}
	doc.Id = NewID()
	one, err := proto.Marshal(NewRequest("/encode", []*pb.DocumentProto{doc}))
	if err != nil {
		t.Fatal(err)
	}
	w, err := weigh(one, requestKind)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := proto.Marshal(NewRequest("/encode", nil))
	if err != nil {
		t.Fatal(err)
	}
	empty, err := weigh(bare, requestKind)
	if err != nil {
		t.Fatal(err)
	}
	million := weight{documents: 1e6, records: w.records * 1e6, values: (w.values - empty.values) * 1e6}
	if err := million.admissible(1e6*(len(one)-len(bare)), 0); err != nil {
		t.Error(err)
	}
}

func TestTooManyDocumentsIsToldInTheAnswer(t *testing.T) {
	w := weight{documents: 11}
	if err := w.admissible(100, 10); !strings.Contains(err.Error(), "11 documents") || fault.Of(err).Code != fault.TooLarge {
		t.Error(err)
	}
	if w.admissible(100, 11) != nil || w.admissible(100, 0) != nil {
		t.Error("11 documents are refused")
	}
	w = weight{values: valuesBytes + 801}
	if err := w.admissible(100, 0); err == nil || errors.Unwrap(err) != nil || w.admissible(101, 0) != nil {
		t.Error(err)
	}
}
