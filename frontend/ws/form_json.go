package ws

import (
	"github.com/gobwas/ws"

	"clipd/frontend/jina"
	"clipd/frontend/jina/jinajson"
	"clipd/frontend/jina/pb"
)

// jsonForm is JSON, for browsers and whoever has no protobuf.
var jsonForm = form{
	op:     ws.OpText,
	isEnd:  jinajson.IsEnd,
	decode: decodeJSON,
	encode: func(dst []byte, a *pb.DataRequestProto, base64 bool) ([]byte, error) {
		return jinajson.Append(dst, a, jinajson.Options{Form: jinajson.WebSocket, Base64: base64}), nil
	},
	size: jinajson.AnswerMemory,
	status: func(dst []byte, s *pb.StatusProto) ([]byte, error) {
		return jinajson.AppendStatus(dst, s, jinajson.WebSocket), nil
	},
}

func decodeJSON(body []byte, o *Options) (request, error) {
	var taken int64
	r, err := jinajson.ParseMessage(body, jinajson.Limits{MaxDocuments: o.MaxDocuments, Take: func(n int64) error {
		err := o.Bytes.Take(n)
		if err == nil {
			taken = n
		}
		return err
	}})
	if err != nil {
		return request{memory: taken}, err
	}
	jinajson.Complete(r.Proto.GetData().GetDocs().GetDocs())
	return request{proto: r.Proto, documents: jina.CountDocuments(r.Proto.GetData().GetDocs().GetDocs()), memory: taken, base64: r.Base64}, nil
}
