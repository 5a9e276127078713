package jina

import (
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

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
	bytes   int64           // of memory for one
	record  bool            // it is a document
	entry   bool            // it is an entry of a map
	below   [maxField]*kind // the messages in it, by field
	element [maxField]int64 // memory for each string or bytes of a field that is repeated or replaced
	packed  [maxField]int64 // memory for each byte of a packed field
	loose   [maxField]int64 // memory for each number of the same when it is not packed
}

const maxField = 21 // above all fields of the messages here

// What allocations take beside their own size, as the allocator rounds it and as slices and maps grow: they leave
// their former selves to the garbage collector.
const (
	pointerBytes = 40  // an element of a repeated field
	mapBytes     = 256 // a map's header and its first table, of tableSlots entries
	tableSlots   = 8
	entryBytes   = 32
	growthBytes  = 160 // an entry beyond the first table
	keptFactor   = 5   // unknown fields are kept in a slice that grows
)

var (
	structKind    = &kind{bytes: int64(unsafe.Sizeof(structpb.Struct{})) + mapBytes}
	valueKind     = &kind{bytes: int64(unsafe.Sizeof(structpb.Value{})) + 16 + pointerBytes}
	listKind      = &kind{bytes: int64(unsafe.Sizeof(structpb.ListValue{})) + 16}
	denseKind     = &kind{bytes: int64(unsafe.Sizeof(pb.DenseNdArrayProto{})) + 16}
	sparseKind    = &kind{bytes: int64(unsafe.Sizeof(pb.SparseNdArrayProto{})) + 16}
	arrayKind     = &kind{bytes: int64(unsafe.Sizeof(denseArray{})) + 16}
	scoreKind     = &kind{bytes: int64(unsafe.Sizeof(pb.NamedScoreProto{})) + 16}
	exceptionKind = &kind{bytes: int64(unsafe.Sizeof(pb.StatusProto_ExceptionProto{})) + 16}
	statusKind    = &kind{bytes: int64(unsafe.Sizeof(pb.StatusProto{})) + 16}
	timeKind      = &kind{bytes: int64(unsafe.Sizeof(timestamppb.Timestamp{})) + 16}
	routeKind     = &kind{bytes: int64(unsafe.Sizeof(pb.RouteProto{})) + pointerBytes}
	headerKind    = &kind{bytes: int64(unsafe.Sizeof(pb.HeaderProto{})) + 16}
	documentKind  = &kind{bytes: int64(unsafe.Sizeof(document{})) + 16, record: true}
	documentsKind = &kind{bytes: int64(unsafe.Sizeof(pb.DocumentArrayProto{})) + 16}
	contentKind   = &kind{bytes: int64(unsafe.Sizeof(pb.DataRequestProto_DataContentProto{})) + 16}
	requestKind   = &kind{bytes: int64(unsafe.Sizeof(pb.DataRequestProto{})) + 16}
)

func init() {
	of := func(k *kind, fields map[int]*kind) {
		for number, below := range fields {
			k.below[number] = below
		}
	}
	field := &kind{bytes: entryBytes, entry: true, below: [maxField]*kind{2: valueKind}}
	score := &kind{bytes: entryBytes, entry: true, below: [maxField]*kind{2: scoreKind}}
	of(structKind, map[int]*kind{1: field})
	of(valueKind, map[int]*kind{5: structKind, 6: listKind})
	of(listKind, map[int]*kind{1: valueKind})
	of(sparseKind, map[int]*kind{1: denseKind, 2: denseKind})
	of(arrayKind, map[int]*kind{1: denseKind, 2: sparseKind, 4: structKind})
	of(statusKind, map[int]*kind{3: exceptionKind})
	of(routeKind, map[int]*kind{2: timeKind, 3: timeKind, 4: statusKind})
	of(headerKind, map[int]*kind{2: statusKind})
	of(documentKind, map[int]*kind{3: arrayKind, 14: documentKind, 15: documentKind, 16: arrayKind, 17: structKind, 18: score, 19: score, 20: structKind})
	of(documentsKind, map[int]*kind{1: documentKind})
	of(contentKind, map[int]*kind{1: documentsKind})
	of(requestKind, map[int]*kind{1: headerKind, 2: structKind, 3: routeKind, 4: contentKind})
	contentKind.element[2] = 48 // docs_bytes
	exceptionKind.element[2], exceptionKind.element[3] = 80, 80
	denseKind.packed[2], denseKind.loose[2] = 4, 16
	sparseKind.packed[3], sparseKind.loose[3] = 4, 16
	documentKind.packed[13], documentKind.loose[13] = 1, 16
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
	entries := 0
	for len(b) > 0 {
		number, wire, n, err := tag(b)
		if err != nil {
			return err
		}
		field := protowire.ConsumeFieldValue(number, wire, b[n:])
		if field < 0 {
			return errMalformed(field)
		}
		below := k.weighField(w, number, wire, n+field)
		if below != nil {
			content, _ := protowire.ConsumeBytes(b[n:])
			if err := w.add(content, below, depth); err != nil {
				return err
			}
			if below.entry {
				if entries++; entries > tableSlots {
					w.values += growthBytes
				} else if entries == 1 && k.record {
					w.values += mapBytes // of scores; structs have theirs in any case
				}
			}
		}
		b = b[n+field:]
	}
	return nil
}

// weighField adds a field of so many bytes, or returns the kind of message that it holds.
func (k *kind) weighField(w *weight, number protowire.Number, wire protowire.Type, bytes int) *kind {
	switch {
	case number >= maxField:
		w.values += keptFactor * int64(bytes)
	case wire == protowire.BytesType:
		if below := k.below[number]; below != nil {
			return below
		}
		w.values += k.element[number] + k.packed[number]*int64(bytes)
	case k.loose[number] != 0:
		w.values += k.loose[number]
	case k.below[number] != nil || wire == protowire.StartGroupType || !scalarField(k, number):
		w.values += keptFactor * int64(bytes) // not of the field's type, or no field: kept
	}
	return nil
}

// scalarField says whether a field may be a number: then it takes no memory of its own.
func scalarField(k *kind, number protowire.Number) bool {
	switch k {
	case documentKind:
		return number == 5 || number == 6 || number == 8 || number == 12
	case valueKind:
		return number <= 4
	case timeKind:
		return number <= 2
	case statusKind, scoreKind:
		return number == 1
	case headerKind:
		return number == 5
	}
	return false
}
