package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"

	"clipd/frontend/jina/pb"
)

// grpcStreams is how many exchanges an open loop puts on one connection; servers often allow 100 streams at least.
const grpcStreams = 100

// grpcTarget speaks Jina's protocol over gRPC.
type grpcTarget struct {
	host   string
	tls    *tls.Config
	header http.Header
}

func (t *grpcTarget) Encode(items []Item) ([]byte, error) { return encodeProto(items) }

func (t *grpcTarget) Mixed() bool { return true }

func (t *grpcTarget) Dial() (Conn, error) {
	creds := insecure.NewCredentials()
	if t.tls != nil {
		creds = credentials.NewTLS(t.tls)
	}
	conn, err := grpc.NewClient("passthrough:///"+t.host, grpc.WithTransportCredentials(creds),
		grpc.WithInitialWindowSize(4<<20), grpc.WithInitialConnWindowSize(4<<20))
	if err != nil {
		return nil, err
	}
	md := metadata.MD{}
	for name, values := range t.header {
		md.Append(strings.ToLower(name), values...)
	}
	return &grpcConn{conn: conn, metadata: md}, nil
}

type grpcConn struct {
	conn     *grpc.ClientConn
	metadata metadata.MD
}

func (c *grpcConn) Streams() int { return grpcStreams }

func (c *grpcConn) Close() error { return c.conn.Close() }

// Exchange uses a stream of its own, as a call of clip_client does.
func (c *grpcConn) Exchange(ctx context.Context, request []byte, items int) error {
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(ctx, c.metadata))
	defer cancel()
	stream, err := c.conn.NewStream(ctx, &pb.JinaRPC_ServiceDesc.Streams[0], pb.JinaRPC_Call_FullMethodName,
		grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(1<<31-1), grpc.MaxCallSendMsgSize(1<<31-1))
	if err != nil {
		return fromGRPC(err)
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return fromGRPC(err)
	}
	if err := stream.CloseSend(); err != nil {
		return fromGRPC(err)
	}
	var answer []byte
	if err := stream.RecvMsg(&answer); errors.Is(err, io.EOF) {
		return errors.New("the stream ended without an answer")
	} else if err != nil {
		return fromGRPC(err)
	}
	if err := checkProto(answer, items); err != nil {
		return err
	}
	if err := stream.RecvMsg(new([]byte)); err == nil {
		return errors.New("the server sent two answers to one request")
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the answer: %w", fromGRPC(err))
	}
	return nil
}

// rawCodec sends requests that were encoded before, and keeps answers as bytes.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (rawCodec) Name() string { return "proto" }
