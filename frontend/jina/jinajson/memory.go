package jinajson

import (
	"unsafe"

	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

// What a body becomes, bytes, as the allocator rounds it and with what slices leave behind as they grow.
const (
	// valueMemory is a value with its place in a list, objectMemory what an object has more: a map with its first table of
	// eight entries.
	valueMemory  = 192
	objectMemory = 304
	// numberMemory is a number of a tensor: 8 bytes in a slice that grows by a quarter, beside the one that it grew from.
	numberMemory = 20
	// documentMemory is a document, its place in two lists and the message around its tensor or embedding.
	documentMemory = int64(unsafe.Sizeof(documentParts{})+unsafe.Sizeof(pb.NdArrayProto{})+unsafe.Sizeof(pb.DenseNdArrayProto{})) + 128
	messageMemory  = int64(unsafe.Sizeof(message{}))
)

// memory is what the scanned body takes as a message, beside itself; a quarter of the chunks of short strings may be left
// empty.
func (s *scanner) memory() int64 {
	return messageMemory + int64(s.documents)*documentMemory + int64(s.values)*valueMemory + int64(s.objects)*objectMemory +
		int64(s.numbers)*numberMemory + int64(s.short)*4/3
}

// AnswerMemory is how many bytes an answer has as JSON, about: a float32 of 4 bytes has 11 or 12, three bytes of a picture
// have four, and the names of a document's fields stand around them.
func AnswerMemory(answer *pb.DataRequestProto) int64 {
	return int64(proto.Size(answer)) + documentsMemory(answer.GetData().GetDocs().GetDocs())
}

func documentsMemory(docs []*pb.DocumentProto) int64 {
	const names = 400
	n := int64(0)
	for _, d := range docs {
		n += names + 2*int64(len(d.GetEmbedding().GetDense().GetBuffer())) + int64(len(d.GetBlob()))/3
		n += documentsMemory(d.Chunks) + documentsMemory(d.Matches)
	}
	return n
}
