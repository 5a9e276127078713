package jina

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"clipd/engine"
	"clipd/frontend/auth"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
	"clipd/frontend/metrics"
)

// Service is Jina's gateway over gRPC.
type Service struct {
	gateway *Gateway
	options Options
}

// Options bound a service.
type Options struct {
	// Prefetch is the most requests of one stream that are worked on at a time unless the stream asks for less; 0: no limit.
	Prefetch int
	// StreamInputs is the most documents of one stream that are worked on at a time, so that one caller is held back
	// rather than refused when the queue is full of what it sent itself; 0: no limit.
	StreamInputs int
	// Bytes is the budget of all messages in progress, with what is decoded from them; nil: no limit. A stream is held
	// back at an eighth of it.
	Bytes *limit.Bytes
	// MaxMessage is the most that a compressed message may have when it is unpacked, bytes; 0: DefaultMaxMessage. What comes
	// over the wire is grpc.MaxRecvMsgSize's.
	MaxMessage int64
	// WriteTimeout ends a stream whose client has taken nothing of a waiting answer for so long; 0: never.
	WriteTimeout time.Duration
	// Keys are who may call; nil: everyone.
	Keys *auth.Keys
	// Log gets a line about each call at the level debug.
	Log zerolog.Logger
}

// DefaultMaxMessage is what gRPC itself takes when nothing is said.
const DefaultMaxMessage = 4 << 20

// NewService makes the gRPC service of a gateway.
func NewService(g *Gateway, o Options) *Service {
	if o.MaxMessage <= 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	return &Service{gateway: g, options: o}
}

// single answers one request.
func (s *Service) single(ctx context.Context, message *frame) (any, error) {
	arrived := time.Now()
	counted, received := s.gateway.Begin(metrics.GRPC, arrived), len(message.data)
	c, answer, size, err := s.answer(ctx, message, arrived)
	if err != nil {
		counted.End(c.Request.GetHeader().GetExecEndpoint(), fault.Of(err), received, -1)
		return nil, refuse(ctx, err)
	}
	counted.End(c.Request.Header.GetExecEndpoint(), c.Fault, received, size)
	return answer, nil
}

// answer returns the call of a request, with an error as far as there is one, and the answer with its size in bytes.
func (s *Service) answer(ctx context.Context, message *frame, arrived time.Time) (*Call, *reply, int, error) {
	c := &Call{Arrived: arrived}
	key, err := s.key(ctx)
	if err != nil {
		return c, nil, 0, err
	}
	if c.Caller, err = caller(ctx, key); err != nil {
		return c, nil, 0, err
	}
	req, held, err := (&stage{service: s, key: key}).admit(ctx, message)
	defer held.end()
	c.Request = req
	if req == nil {
		return c, nil, 0, err
	}
	if err != nil && fault.Of(err).Code == fault.TooLarge {
		return c, nil, 0, err // on a stream the answer says it, so that the other requests go on
	} else if err != nil {
		finish(c, "gateway", time.Now(), engine.Times{}, err)
	} else if err := s.gateway.Handle(ctx, c); err != nil {
		return c, nil, 0, err
	}
	size := proto.Size(c.Request)
	hold, err := newHold(s.options.Bytes, size)
	if err != nil {
		return c, nil, 0, err
	}
	hold.watch(s.options.WriteTimeout, cutter(ctx))
	return c, &reply{message: c.Request, hold: hold}, size, nil
}

// streamDoc is answered as the original does: with one message, the request, that says the method does not exist here.
// What the request holds beside its header goes back as it came, unread.
func (s *Service) streamDoc(stream grpc.ServerStream) error {
	if _, err := s.key(stream.Context()); err != nil {
		return refuseStream(stream, err)
	}
	var f frame
	if err := stream.RecvMsg(&f); err != nil {
		return err
	}
	stage, held := &stage{service: s}, &admission{}
	defer held.end()
	data, err := stage.unpack(stream.Context(), held, &f)
	if err != nil {
		return refuseStream(stream, err)
	}
	answer := &pb.SingleDocumentRequestProto{}
	for b := data; len(b) > 0; {
		number, wire, n, err := tag(b)
		if err != nil {
			return refuseStream(stream, malformed(err))
		}
		length := protowire.ConsumeFieldValue(number, wire, b[n:])
		if length < 0 {
			return refuseStream(stream, malformed(errMalformed(length)))
		}
		field := b[:n+length]
		if number == 1 {
			if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(field, answer); err != nil {
				return refuseStream(stream, malformed(err))
			}
		} else {
			m := answer.ProtoReflect()
			m.SetUnknown(append(m.GetUnknown(), field...))
		}
		b = b[n+length:]
	}
	if answer.Header == nil {
		answer.Header = &pb.HeaderProto{}
	}
	answer.Header.Status = statusOf(errors.New("stream_doc is for executors that generate; use Call"))
	return stream.SendMsg(answer)
}

// dryRun says whether the flow is ready. Probes ask, so it needs no key.
func (s *Service) dryRun(ctx context.Context) (any, error) {
	if err := s.gateway.Ready(); err != nil {
		return nil, refuse(ctx, err)
	}
	return &pb.StatusProto{}, nil
}

// info tells versions.
func (s *Service) info(ctx context.Context) (any, error) {
	if _, err := s.key(ctx); err != nil {
		return nil, refuse(ctx, err)
	}
	return s.gateway.Info(), nil
}

// endpoints lists the executors' handlers.
func (s *Service) endpoints(ctx context.Context) (any, error) {
	if _, err := s.key(ctx); err != nil {
		return nil, refuse(ctx, err)
	}
	return &pb.EndpointsProto{Endpoints: s.gateway.Endpoints()}, nil
}

// streamOptions reads the metadata of a stream.
func (s *Service) streamOptions(ctx context.Context) (prefetch int, inOrder bool, err error) {
	prefetch = s.options.Prefetch
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("__prefetch__"); len(v) > 0 {
		n, err := strconv.Atoi(strings.TrimSpace(v[0]))
		if err != nil || n < 0 {
			return 0, false, status.Errorf(codes.InvalidArgument, "metadata __prefetch__ is %q; it must be a whole number, 0 or above", shorten(v[0], 80))
		}
		// A client may ask for less than the server allows, not for more.
		if n > 0 && (prefetch == 0 || n < prefetch) {
			prefetch = n
		}
	}
	if v := md.Get("__results_in_order__"); len(v) > 0 {
		inOrder = strings.EqualFold(v[0], "true")
	}
	return prefetch, inOrder, nil
}
