package jina

import (
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// weight is what a message will be when it is decoded. It is found by walking the message without decoding it, so that
// 100 bytes cannot become 15,000 before anyone has said no. It counts what is on the wire; a field that a later one
// replaces counts too.
type weight struct {
	documents int   // chunks and matches included
	records   int64 // bytes of memory for documents
	values    int64 // bytes of memory for everything else that is not the message's own bytes
}

// memory is what the decoded message takes beside its own bytes.
func (w weight) memory() int64 { return w.records + w.values }

const (
	// valuesBytes is what everything that is no document (parameters, tags, scores, routes) may take of memory in any
	// case, and valuesFactor how much more for each byte of the message. Tags with numbers and words stay below 8 times;
	// empty values in lists would be 40 times and more.
	valuesBytes  = 8 << 20
	valuesFactor = 8
)

// admissible says whether a message of so many bytes may be decoded.
func (w weight) admissible(bytes, maxDocuments int) error {
	if maxDocuments > 0 && w.documents > maxDocuments {
		return TooManyDocuments(w.documents, maxDocuments)
	}
	if most := int64(valuesBytes + valuesFactor*bytes); w.values > most {
		return fault.New(fault.TooLarge, "the parameters, tags, scores and routes in the request's %d bytes would take %d bytes of memory; "+
			"at most %d are allowed; send fewer or larger values", bytes, w.values, most)
	}
	return nil
}

// kind is a type of message, as far as its memory goes.
type kind struct {
	bytes     int64           // of memory for one
	record    bool            // it is a document
	below     [maxField]*kind // the messages in it, by field
	elements  [maxField]int64 // memory for each element of a repeated string, by field
	perVarint [maxField]int64 // memory for each number of a packed field, at most; by field
}

const maxField = 21 // above all fields of the messages here

// Sizes of messages as they lie in memory, with the pointers to them. A map's first entry allocates a table of 8 slots
// of 24 bytes and its header.
var (
	mapBytes      = int64(256)
	entryBytes    = int64(64) // at the lowest load of a table that has just grown
	structKind    = &kind{bytes: int64(unsafe.Sizeof(structpb.Struct{})) + mapBytes}
	valueKind     = &kind{bytes: int64(unsafe.Sizeof(structpb.Value{})) + 24}
	listKind      = &kind{bytes: int64(unsafe.Sizeof(structpb.ListValue{}))}
	denseKind     = &kind{bytes: int64(unsafe.Sizeof(pb.DenseNdArrayProto{}))}
	sparseKind    = &kind{bytes: int64(unsafe.Sizeof(pb.SparseNdArrayProto{}))}
	arrayKind     = &kind{bytes: int64(unsafe.Sizeof(pb.NdArrayProto{})) + 24}
	scoreKind     = &kind{bytes: int64(unsafe.Sizeof(pb.NamedScoreProto{})) + 24}
	exceptionKind = &kind{bytes: int64(unsafe.Sizeof(pb.StatusProto_ExceptionProto{}))}
	statusKind    = &kind{bytes: int64(unsafe.Sizeof(pb.StatusProto{}))}
	timeKind      = &kind{bytes: 64}
	routeKind     = &kind{bytes: int64(unsafe.Sizeof(pb.RouteProto{})) + 24}
	headerKind    = &kind{bytes: int64(unsafe.Sizeof(pb.HeaderProto{})) + 64}
	documentKind  = &kind{bytes: int64(unsafe.Sizeof(document{})) + 24, record: true}
	contentKind   = &kind{bytes: int64(unsafe.Sizeof(pb.DataRequestProto_DataContentProto{})) + 24}
	requestKind   = &kind{bytes: int64(unsafe.Sizeof(pb.DataRequestProto{}))}
)

func init() {
	of := func(k *kind, fields map[int]*kind) {
		for number, below := range fields {
			k.below[number] = below
		}
	}
	of(structKind, map[int]*kind{1: {bytes: entryBytes, below: [maxField]*kind{2: valueKind}}})
	of(valueKind, map[int]*kind{5: structKind, 6: listKind})
	of(listKind, map[int]*kind{1: valueKind})
	of(sparseKind, map[int]*kind{1: denseKind, 2: denseKind})
	of(arrayKind, map[int]*kind{1: denseKind, 2: sparseKind, 4: structKind})
	of(statusKind, map[int]*kind{3: exceptionKind})
	of(routeKind, map[int]*kind{2: timeKind, 3: timeKind, 4: statusKind})
	of(headerKind, map[int]*kind{2: statusKind})
	score := &kind{bytes: entryBytes + mapBytes, below: [maxField]*kind{2: scoreKind}}
	of(documentKind, map[int]*kind{3: arrayKind, 14: documentKind, 15: documentKind, 16: arrayKind, 17: structKind, 18: score, 19: score, 20: structKind})
	of(contentKind, map[int]*kind{1: {below: [maxField]*kind{1: documentKind}}})
	of(requestKind, map[int]*kind{1: headerKind, 2: structKind, 3: routeKind, 4: contentKind})
	exceptionKind.elements[2], exceptionKind.elements[3] = 24, 24
	denseKind.perVarint[2], sparseKind.perVarint[3] = 4, 4
}

// weigh walks a message of a kind. Its error is that of a message that is none; what it accepts may still have strings
// that are not UTF-8.
func weigh(b []byte, k *kind) (w weight, err error) {
	err = w.add(b, k, protowire.DefaultRecursionLimit)
	return w, err
}

func (w *weight) add(b []byte, k *kind, depth int) error {
	if depth--; depth < 0 {
		return errTooDeep
	}
	if k.record {
		w.documents++
		w.records += k.bytes
	} else {
		w.values += k.bytes
	}
	for len(b) > 0 {
		number, wire, n, err := tag(b)
		if err != nil {
			return err
		}
		field := protowire.ConsumeFieldValue(number, wire, b[n:])
		if field < 0 {
			return errMalformed(field)
		}
		if err := w.addField(b[:n+field], n, k, number, wire, depth); err != nil {
			return err
		}
		b = b[n+field:]
	}
	return nil
}

// addField weighs one field, which has its tag in its first bytes.
func (w *weight) addField(field []byte, tagBytes int, k *kind, number protowire.Number, wire protowire.Type, depth int) error {
	if number >= maxField {
		w.values += 2 * int64(len(field)) // is kept as it is, in a slice that grows
		return nil
	}
	if wire == protowire.BytesType {
		if below := k.below[number]; below != nil {
			content, _ := protowire.ConsumeBytes(field[tagBytes:])
			return w.add(content, below, depth)
		}
		w.values += k.elements[number] + k.perVarint[number]*int64(len(field))
		return nil
	}
	if k.below[number] != nil || k.elements[number] != 0 || wire == protowire.StartGroupType {
		w.values += 2 * int64(len(field)) // of the wrong type: kept, as above
	} else {
		w.values += 2 * k.perVarint[number] // one number that is not packed
	}
	return nil
}
