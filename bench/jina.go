package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// encodeProto makes the request that clip_client sends over gRPC and WebSocket. Pictures do not come back with their
// embeddings.
func encodeProto(items []Item) ([]byte, error) {
	docs := make([]*pb.DocumentProto, len(items))
	for i, it := range items {
		docs[i] = &pb.DocumentProto{Id: jina.NewID()}
		if it.Picture != nil {
			docs[i].Content = &pb.DocumentProto_Blob{Blob: it.Picture}
		} else {
			docs[i].Content = &pb.DocumentProto_Text{Text: it.Text}
		}
	}
	request := jina.NewRequest("/encode", docs)
	request.Parameters = &structpb.Struct{Fields: map[string]*structpb.Value{"drop_image_content": structpb.NewBoolValue(true)}}
	return proto.Marshal(request)
}

// checkProto refuses errors, and answers that are too short. The documents themselves are not decoded: that would cost
// the generator as much as the server.
func checkProto(answer []byte, items int) error {
	m := &pb.DataRequestProtoWoData{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, m); err != nil {
		return fmt.Errorf("the answer is no DataRequestProto: %w", err)
	}
	if st := m.GetHeader().GetStatus(); st.GetCode() == pb.StatusProto_ERROR {
		return fromException(st.GetException().GetName(), st.GetDescription())
	}
	return checkSize(answer, items)
}

type jsonDocument struct {
	ID   string `json:"id"`
	Text string `json:"text,omitempty"`
	Blob []byte `json:"blob,omitempty"` // base64
}

type jsonHeader struct {
	RequestID    string `json:"request_id"`
	ExecEndpoint string `json:"exec_endpoint"`
}

type jsonRequest struct {
	Header       jsonHeader      `json:"header"`
	Parameters   map[string]bool `json:"parameters"`
	Data         []jsonDocument  `json:"data"`
	ExecEndpoint string          `json:"exec_endpoint"`
}

// encodeJSON makes the body that clip_client posts over HTTP; over WebSocket the same object is a text message.
func encodeJSON(items []Item) ([]byte, error) {
	r := jsonRequest{
		Header:     jsonHeader{RequestID: jina.NewID(), ExecEndpoint: "/encode"},
		Parameters: map[string]bool{"drop_image_content": true}, Data: make([]jsonDocument, len(items)), ExecEndpoint: "/encode",
	}
	for i, it := range items {
		r.Data[i] = jsonDocument{ID: jina.NewID(), Text: it.Text, Blob: it.Picture}
	}
	return json.Marshal(r)
}

// checkJSON looks at the header of an answer, which comes first with every server known, and counts embeddings.
func checkJSON(answer []byte, items int) error {
	in := json.NewDecoder(bytes.NewReader(answer))
	if t, err := in.Token(); err != nil || t != json.Delim('{') {
		return errors.New("the answer is no JSON object")
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return fmt.Errorf("the answer is broken JSON: %w", err)
		}
		if key != "header" {
			if err := in.Decode(new(json.RawMessage)); err != nil {
				return fmt.Errorf("the answer is broken JSON: %w", err)
			}
			continue
		}
		var header struct {
			Status *struct {
				Code        any    `json:"code"` // 1 or "ERROR"
				Description string `json:"description"`
				Exception   *struct {
					Name string `json:"name"`
				} `json:"exception"`
			} `json:"status"`
		}
		if err := in.Decode(&header); err != nil {
			return fmt.Errorf("the answer's header is broken JSON: %w", err)
		}
		if st := header.Status; st != nil && (st.Code == 1.0 || st.Code == "ERROR") {
			name := ""
			if st.Exception != nil {
				name = st.Exception.Name
			}
			return fromException(name, st.Description)
		}
		return countEmbeddings(answer, items)
	}
	return errors.New("the answer has no header")
}

// countEmbeddings refuses an answer in JSON that does not name an embedding for each item.
func countEmbeddings(answer []byte, items int) error {
	if n := bytes.Count(answer, []byte(`"embedding"`)); n < items {
		return fmt.Errorf("an answer with %d embeddings to %d items", n, items)
	}
	return checkSize(answer, items)
}
