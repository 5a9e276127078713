package jina

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"

	"clipd/frontend/auth"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

// admission is what a request holds while it is worked on.
type admission struct {
	release []func() // gives it back
}

func (a *admission) end() {
	for _, give := range a.release {
		give()
	}
	a.release = nil
}

// stage is where requests are let in, one after another: those of a stream wait for room of the stream's own, unary
// ones wait for nothing.
type stage struct {
	service *Service
	key     *auth.Key
	share   *limit.Share        // of a stream; nil: bytes are taken at once
	inputs  *semaphore.Weighted // documents of a stream; nil = no limit
	most    int64               // of inputs
}

// admit weighs a message that came, takes what its request needs, and decodes it. Nothing is decoded that is too
// large. The request is nil when the error is one that ends the call; otherwise the error, if any, is for its answer.
func (s *stage) admit(ctx context.Context, message *frame) (req *pb.DataRequestProto, held *admission, err error) {
	held = &admission{}
	defer func() {
		if err != nil {
			held.end()
		}
	}()
	data, err := s.unpack(ctx, held, message)
	if err != nil {
		return nil, held, err
	}
	w, err := weigh(data, requestKind)
	if err != nil {
		return nil, held, malformed(err)
	}
	if err := w.admissible(len(data), s.service.gateway.options.MaxDocuments); err != nil {
		return decodeHeader(data), held, err
	}
	held.end() // what unpacking took: with it in hand the request could wait for itself
	if err := s.take(ctx, held, int64(cap(data))+w.memory(), w.documents); err != nil {
		if f := new(fault.Error); errors.As(err, &f) && f.Code == fault.TooLarge {
			return decodeHeader(data), held, err
		}
		if late := context.Cause(ctx); TimedOut(late) {
			return decodeHeader(data), held, late
		}
		return nil, held, err
	}
	req, err = decodeRequest(data, w)
	if err != nil {
		return nil, held, malformed(err)
	}
	return req, held, nil
}

// unpack returns a message as it was before it was compressed, and takes what that needs as it grows.
func (s *stage) unpack(ctx context.Context, held *admission, message *frame) ([]byte, error) {
	if message.coding == nil {
		return message.data, nil
	}
	packed := int64(len(message.data))
	return message.coding.unpack(message.data, s.service.options.MaxMessage, func(size int64) error {
		held.end() // as above
		return s.takeBytes(ctx, held, packed+size)
	})
}

// take takes what a request needs. On a stream its turn comes first, since it may wait for that for a long time, when its
// key is past a rate, and others can use the bytes meanwhile. A call that does not wait takes its turn last, so that one
// for which there is no room uses nothing up of what its key has.
func (s *stage) take(ctx context.Context, held *admission, bytes int64, documents int) error {
	if s.share == nil {
		if err := s.takeBytes(ctx, held, bytes); err != nil {
			return err
		}
		return s.takeTurn(ctx, held, documents)
	}
	if err := s.service.options.Bytes.Admissible(bytes); err != nil {
		return err
	}
	if err := s.takeTurn(ctx, held, documents); err != nil {
		return err
	}
	return s.takeBytes(ctx, held, bytes)
}

// takeBytes takes the bytes of a message and of what is decoded from it.
func (s *stage) takeBytes(ctx context.Context, held *admission, n int64) error {
	if s.share != nil {
		if err := s.share.Take(ctx, n); err != nil {
			return err
		}
		held.release = append(held.release, func() { s.share.Give(n) })
		return nil
	}
	budget := s.service.options.Bytes
	if err := budget.Take(n); err != nil {
		return err
	}
	held.release = append(held.release, func() { budget.Give(n) })
	return nil
}

// takeTurn takes what the key and the stream have of documents.
func (s *stage) takeTurn(ctx context.Context, held *admission, documents int) error {
	if s.inputs != nil {
		weight := min(int64(documents), s.most)
		if err := s.inputs.Acquire(ctx, weight); err != nil {
			return err
		}
		held.release = append(held.release, func() { s.inputs.Release(weight) })
	}
	begin := s.key.Begin
	if s.share != nil {
		begin = func(items int) (func(), error) { return s.key.Wait(ctx, items) }
	}
	end, err := begin(documents)
	if err != nil {
		return err
	}
	held.release = append(held.release, end)
	return nil
}
