package ws

import (
	"context"
	"errors"
	"time"

	"github.com/gobwas/ws"

	"clipd/frontend/fault"
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
	"clipd/frontend/metrics"
)

// task is a request on its way to its answer, and what it holds until that is out.
type task struct {
	conn      *conn
	arrived   time.Time
	charged   int64 // bytes of the share
	slot      bool
	documents int64  // of conn.inputs
	turn      func() // gives back what its key has of requests in progress; nil: nothing is held
	request   request

	counted        metrics.Request
	received, sent int          // bytes of request and answer; -1: there is no answer
	fault          *fault.Error // why there are no embeddings; nil: there are
}

// begin decodes a request, and works on it in a goroutine of its own once there is room for its documents. It owns body.
func (t task) begin(body []byte) error {
	var err error
	t.received, t.sent = len(body), -1
	t.request, err = t.conn.form().decode(body, &t.conn.door.options)
	answered := false // the next one may be right
	if err != nil {
		t.fault = fault.Of(err)
		answered = t.fault.Code != fault.Malformed && t.fault.Code != fault.Overloaded
	} else if err = t.enter(); err != nil {
		t.fault = fault.Of(err)
		answered = jina.TimedOut(err)
	}
	if err == nil {
		go t.run()
		return nil
	}
	if answered {
		t.answer(failed(t.request.proto, t.fault))
		err = nil
	}
	t.end()
	return err
}

// enter waits until there is room for the request's documents, and for its turn among those of its key. Nothing more is
// read meanwhile: a connection whose key is past its rate holds one message of the budget, and not as many as fit.
func (t *task) enter() error {
	c := t.conn
	ctx, cancel := c.caller.Allow(c.ctx, t.arrived)
	defer cancel()
	err := t.enterStream(ctx)
	if err == nil {
		err = t.enterKey(ctx)
	}
	if late := context.Cause(ctx); err != nil && jina.TimedOut(late) {
		return late
	}
	return err
}

func (t *task) enterStream(ctx context.Context) error {
	c := t.conn
	if c.inputs == nil {
		return nil
	}
	n := min(int64(t.request.documents), int64(c.door.options.StreamInputs))
	if !c.inputs.TryAcquire(n) {
		if err := c.pause(func() error { return c.inputs.Acquire(ctx, n) }); err != nil {
			return err
		}
	}
	t.documents = n
	return nil
}

func (t *task) enterKey(ctx context.Context) (err error) {
	c := t.conn
	if t.turn, err = c.key.Begin(t.request.documents); err == nil || fault.Of(err).Code != fault.Overloaded {
		return err
	}
	return c.pause(func() error {
		t.turn, err = c.key.Wait(ctx, t.request.documents)
		return err
	})
}

// run answers the request.
func (t task) run() {
	c := t.conn
	defer t.end()
	defer c.recover()
	call := &jina.Call{Caller: c.caller, Request: t.request.proto, Arrived: t.arrived}
	err := c.door.options.Gateway.Handle(c.ctx, call)
	t.fault = call.Fault
	t.leaveKey()
	if err != nil && !jina.TimedOut(err) {
		c.finish(endingOf(c.binary, err)) // in the place of an answer, as the original does
		return
	}
	t.answer(t.request.proto)
}

// countedAnswer is the size from which on an answer counts in the budget, bytes; the socket takes smaller ones.
const countedAnswer = 16 << 10

// answer writes an answer.
func (t *task) answer(a *pb.DataRequestProto) {
	c, form := t.conn, t.conn.form()
	isError := a.GetHeader().GetStatus().GetCode() == pb.StatusProto_ERROR
	// The encoded answer counts in the budget until the client has taken it.
	budget, held := c.door.options.Bytes, int64(0)
	err := c.out.message(form.op, c.deflate && !c.binary, isError, func(dst []byte) ([]byte, error) {
		if size := form.size(a); size >= countedAnswer {
			if err := budget.Take(size); err != nil {
				return nil, err
			}
			held = size
		}
		encoded, err := form.encode(dst, a, t.request.base64)
		t.sent = len(encoded) - len(dst)
		return encoded, err
	})
	budget.Give(held)
	var broken encodeError
	var full *fault.Error
	switch {
	case errors.As(err, &broken) && errors.As(broken.error, &full):
		c.finish(endingOf(c.binary, full))
	case errors.As(err, &broken):
		c.finish(endingOf(c.binary, fault.New(fault.Internal, "cannot write the answer: %v", broken)))
	case errors.Is(err, errClosed):
	case err != nil:
		c.door.options.Log.Debug().Err(err).Msg("a WebSocket took no more answers")
		c.cut()
	}
}

// end gives back what the request held.
func (t *task) end() {
	c := t.conn
	if t.documents > 0 {
		c.inputs.Release(t.documents)
	}
	t.leaveKey()
	t.counted.End(t.request.proto.GetHeader().GetExecEndpoint(), t.fault, t.received, t.sent)
	c.share.Give(t.charged)
	c.door.options.Bytes.Give(t.request.memory)
	if t.slot {
		<-c.slots
	}
	c.answered()
}

// leaveKey gives the place among the requests of the key back.
func (t *task) leaveKey() {
	if t.turn != nil {
		t.turn()
		t.turn = nil
	}
}

// failed is the answer to a request that could not be read whole.
func failed(request *pb.DataRequestProto, f *fault.Error) *pb.DataRequestProto {
	if request == nil {
		request = &pb.DataRequestProto{}
	}
	if request.Header == nil {
		request.Header = &pb.HeaderProto{RequestId: jina.NewID()}
	}
	request.Header.Status = jina.StatusOf(f)
	return request
}

// wrongKind is the fault of a message of the kind that the connection has not chosen.
func (c *conn) wrongKind() error {
	if c.form().op == ws.OpBinary {
		return fault.New(fault.MediaType, "a text message in the subprotocol bytes, whose messages are binary; offer the subprotocol json for JSON")
	}
	return fault.New(fault.MediaType, "a binary message where JSON in text messages was chosen; offer the subprotocol bytes for binary messages")
}
