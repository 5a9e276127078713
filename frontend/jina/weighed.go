package jina

import "clipd/frontend/jina/pb"

// Weighed is a serialised request of which is known what decoding it will take.
type Weighed struct {
	Documents int   // chunks and matches included
	Memory    int64 // bytes that the decoded request takes beside its message

	data   []byte
	weight weight
}

// Weigh walks a serialised request without decoding it. The error is fault.Malformed when it is none, and
// fault.TooLarge when it must not be decoded; Head tells whose request that was.
func Weigh(data []byte, maxDocuments int) (*Weighed, error) {
	w, err := weigh(data, requestKind)
	if err != nil {
		return nil, malformed(err)
	}
	return &Weighed{Documents: w.documents, Memory: w.memory(), data: data, weight: w}, w.admissible(len(data), maxDocuments)
}

// Head is the request with its header alone.
func (w *Weighed) Head() *pb.DataRequestProto { return decodeHeader(w.data) }

// Decode decodes the request. Its texts, pictures and tensors are slices of the message, which is the request's own from
// then on.
func (w *Weighed) Decode() (*pb.DataRequestProto, error) {
	m, err := decodeRequest(w.data, w.weight)
	if err != nil {
		return nil, malformed(err)
	}
	return m, nil
}
