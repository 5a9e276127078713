package ws

import (
	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/fault"
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// form is how requests and answers are written in messages.
type form struct {
	op     ws.OpCode // of the messages
	isEnd  func(body []byte) bool
	decode func(body []byte, o *Options) (request, error)
	encode func(dst []byte, answer *pb.DataRequestProto, base64 bool) ([]byte, error)
	size   func(answer *pb.DataRequestProto) int64 // of the encoded answer, about
	status func(dst []byte, s *pb.StatusProto) ([]byte, error)
}

// request is a decoded request. With an error its proto holds what the answer can tell of it, or is nil.
type request struct {
	proto     *pb.DataRequestProto
	documents int   // chunks and matches included
	memory    int64 // bytes taken from the budget for what was decoded
	base64    bool  // the answer's embeddings are wanted in base64
}

// binaryForm is protobuf, as clip_client speaks it.
var binaryForm = form{
	op:     ws.OpBinary,
	isEnd:  func(body []byte) bool { return len(body) == 1 && body[0] == 0 },
	decode: decodeBinary,
	encode: func(dst []byte, a *pb.DataRequestProto, _ bool) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(dst, a)
	},
	size: func(a *pb.DataRequestProto) int64 { return int64(proto.Size(a)) },
	status: func(dst []byte, s *pb.StatusProto) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(dst, s)
	},
}

func decodeBinary(body []byte, o *Options) (request, error) {
	if len(body) == 0 {
		return request{}, fault.New(fault.Malformed, "an empty message is no request; the end of the input is a message of one byte, 0x00")
	}
	w, err := jina.Weigh(body, o.MaxDocuments)
	if w == nil {
		return request{}, err
	}
	if err == nil {
		err = o.Bytes.Take(w.Memory)
	}
	if err != nil {
		return request{proto: w.Head()}, err
	}
	r := request{documents: w.Documents, memory: w.Memory}
	r.proto, err = w.Decode()
	return r, err
}

// form is how the connection's messages are written.
func (c *conn) form() *form {
	if c.binary {
		return &binaryForm
	}
	return &jsonForm
}
