package ws

import (
	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// form is how requests and answers are written in messages.
type form struct {
	op     ws.OpCode // of the messages
	isEnd  func(body []byte) bool
	decode func(body []byte, maxDocuments int) (request, error)
	encode func(dst []byte, answer *pb.DataRequestProto, base64 bool) ([]byte, error)
	status func(dst []byte, s *pb.StatusProto) ([]byte, error)
}

// request is a decoded request. With an error its proto holds what the answer can tell of it, or is nil.
type request struct {
	proto     *pb.DataRequestProto
	documents int  // chunks and matches included
	base64    bool // the answer's embeddings are wanted in base64
}

// binaryForm is protobuf, as clip_client speaks it.
var binaryForm = form{
	op:     ws.OpBinary,
	isEnd:  func(body []byte) bool { return len(body) == 1 && body[0] == 0 },
	decode: decodeBinary,
	encode: func(dst []byte, a *pb.DataRequestProto, _ bool) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(dst, a)
	},
	status: func(dst []byte, s *pb.StatusProto) ([]byte, error) {
		return proto.MarshalOptions{}.MarshalAppend(dst, s)
	},
}

func decodeBinary(body []byte, maxDocuments int) (request, error) {
	if len(body) == 0 {
		return request{}, fault.New(fault.Malformed, "an empty message is no request; the end of the input is a message of one byte, 0x00")
	}
	r := request{proto: &pb.DataRequestProto{}}
	if err := proto.Unmarshal(body, r.proto); err != nil {
		return request{}, &fault.Error{Code: fault.Malformed, Message: "the message is no jina.DataRequestProto", Err: err}
	}
	r.documents = countDocuments(r.proto.GetData().GetDocs().GetDocs())
	return r, nil
}

func countDocuments(docs []*pb.DocumentProto) int {
	n := len(docs)
	for _, d := range docs {
		n += countDocuments(d.Chunks) + countDocuments(d.Matches)
	}
	return n
}

// form is how the connection's messages are written.
func (c *conn) form() *form {
	if c.binary {
		return &binaryForm
	}
	return &jsonForm
}
