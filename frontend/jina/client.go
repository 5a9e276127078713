package jina

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"

	"google.golang.org/grpc"

	"clipd/frontend/jina/pb"
)

// Client talks to a server over Jina's gRPC protocol, clipd's or the original one.
type Client struct {
	conn *grpc.ClientConn
	rpc  pb.JinaRPCClient
}

// NewClient makes a client of a connection, which stays the caller's to close.
func NewClient(conn *grpc.ClientConn) *Client {
	return &Client{conn: conn, rpc: pb.NewJinaRPCClient(conn)}
}

// NewID returns 32 random hex digits, the form of ids of documents and requests.
func NewID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// NewRequest makes the request that clip_client sends to an endpoint ("/encode", "/rank") with the documents.
func NewRequest(endpoint string, docs []*pb.DocumentProto) *pb.DataRequestProto {
	return &pb.DataRequestProto{
		Header: &pb.HeaderProto{RequestId: NewID(), ExecEndpoint: &endpoint},
		Data:   &pb.DataRequestProto_DataContentProto{Documents: &pb.DataRequestProto_DataContentProto_Docs{Docs: &pb.DocumentArrayProto{Docs: docs}}},
	}
}

// Rank sends a document with its matches and returns it with the matches scored and sorted, best first.
func (c *Client) Rank(ctx context.Context, root *pb.DocumentProto) (*pb.DocumentProto, error) {
	answer, err := pb.NewJinaSingleDataRequestRPCClient(c.conn).ProcessSingleData(ctx, NewRequest("/rank", []*pb.DocumentProto{root}),
		grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32))
	if err != nil {
		return nil, err
	}
	if err := Refused(answer); err != nil {
		return nil, err
	}
	docs := answer.GetData().GetDocs().GetDocs()
	if len(docs) != 1 {
		return nil, fmt.Errorf("the server answered %d documents to one", len(docs))
	}
	return docs[0], nil
}

// Refused returns the error that an answer carries, or nil.
func Refused(answer *pb.DataRequestProto) error {
	if st := answer.GetHeader().GetStatus(); st.GetCode() == pb.StatusProto_ERROR {
		return fmt.Errorf("the server refused: %s", st.GetDescription())
	}
	return nil
}

// Encode sends the documents in requests of batch documents over one stream and returns their embeddings in order.
func (c *Client) Encode(ctx context.Context, docs []*pb.DocumentProto, batch int) ([][]float32, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.rpc.Call(ctx, grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32))
	if err != nil {
		return nil, err
	}
	index := make(map[string]int, len(docs))
	for i, d := range docs {
		if d.Id == "" {
			d.Id = NewID()
		}
		index[d.Id] = i
	}
	go func() {
		for from := 0; from < len(docs); from += batch {
			if stream.Send(NewRequest("/encode", docs[from:min(from+batch, len(docs))])) != nil {
				return // Recv tells why
			}
		}
		stream.CloseSend()
	}()
	rows := make([][]float32, len(docs))
	for {
		answer, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := Refused(answer); err != nil {
			return nil, err
		}
		for _, d := range answer.GetData().GetDocs().GetDocs() {
			i, known := index[d.Id]
			if !known {
				return nil, fmt.Errorf("the server answered a document %q that was not sent", d.Id)
			}
			if rows[i], err = Embedding(d); err != nil {
				return nil, err
			}
		}
	}
	for i, row := range rows {
		if row == nil {
			return nil, fmt.Errorf("the server did not answer document %d", i)
		}
	}
	return rows, nil
}

// Embedding reads the embedding of an answered document, [D] float32.
func Embedding(d *pb.DocumentProto) ([]float32, error) {
	dense := d.GetEmbedding().GetDense()
	if dense == nil {
		return nil, fmt.Errorf("document %q has no embedding", d.Id)
	}
	if dense.Dtype != "<f4" {
		return nil, fmt.Errorf("document %q has an embedding of type %q; <f4 was expected", d.Id, dense.Dtype)
	}
	row := make([]float32, len(dense.Buffer)/4)
	for i := range row {
		row[i] = math.Float32frombits(binary.LittleEndian.Uint32(dense.Buffer[4*i:]))
	}
	return row, nil
}
