package ws

import (
	"errors"
	"time"

	"github.com/gobwas/ws"

	"clipd/frontend/fault"
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// task is a request on its way to its answer, and what it holds until that is out.
type task struct {
	conn      *conn
	arrived   time.Time
	charged   int64 // bytes of the share
	slot      bool
	documents int64 // of conn.inputs
	request   request
}

// begin decodes a request, and works on it in a goroutine of its own once there is room for its documents. It owns body.
func (t task) begin(body []byte) error {
	c := t.conn
	var err error
	t.request, err = c.form().decode(body, &c.door.options)
	if err == nil {
		err = t.enter()
	} else if f := fault.Of(err); f.Code != fault.Malformed && f.Code != fault.Overloaded {
		t.answer(failed(t.request.proto, f)) // the next one may be right
		t.end()
		return nil
	}
	if err != nil {
		t.end()
		return err
	}
	go t.run()
	return nil
}

// enter waits until there is room for the request's documents.
func (t *task) enter() error {
	c := t.conn
	if c.inputs == nil {
		return nil
	}
	n := min(int64(t.request.documents), int64(c.door.options.StreamInputs))
	if !c.inputs.TryAcquire(n) {
		if err := c.pause(func() error { return c.inputs.Acquire(c.ctx, n) }); err != nil {
			return err
		}
	}
	t.documents = n
	return nil
}

// run answers the request.
func (t task) run() {
	c := t.conn
	defer t.end()
	defer c.recover()
	done, err := c.key.Wait(c.ctx, t.request.documents)
	if err == nil {
		call := &jina.Call{Caller: jina.Caller{Model: c.model, MayUse: c.key.MayUseAny}, Request: t.request.proto, Arrived: t.arrived}
		err = c.door.options.Gateway.Handle(c.ctx, call)
		done()
	}
	if err != nil {
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
		return form.encode(dst, a, t.request.base64)
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
	c.share.Give(t.charged)
	c.door.options.Bytes.Give(t.request.memory)
	if t.slot {
		<-c.slots
	}
	c.answered()
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
