package engine

import (
	"fmt"
	"time"
)

// Tower is one of the two networks of a CLIP model.
type Tower int

// The towers, in the order of their graphs.
const (
	ImageTower Tower = 0
	TextTower  Tower = 1
)

// String returns "image" or "text".
func (t Tower) String() string {
	if t == ImageTower {
		return "image"
	}
	return "text"
}

// Input is one thing to embed: a text, an encoded picture or raw pixels. The engine reads Image and Pixels until
// Encode returns and keeps nothing of them.
type Input struct {
	Tower  Tower
	Text   string  // text tower
	Image  []byte  // image tower: an encoded picture (JPEG, PNG, WebP, ...)
	Pixels *Pixels // image tower, instead of Image
}

// Pixels is a picture in memory: 8-bit samples, [Height, Width, Channels] in C order, 1 (gray), 3 (RGB) or 4
// (RGBA) channels.
type Pixels struct {
	Height, Width, Channels int
	Data                    []byte
}

// Request is what one caller wants embedded.
type Request struct {
	Inputs   []Input
	MaxBatch int // most rows of a batch that holds one of its inputs; 0: the model's own limit
	Priority Priority
}

// Priority says whose turn comes first.
type Priority int

// The priorities. Items of high priority go before all others, which still get a fifth of the batches at least.
const (
	Normal Priority = iota
	High
)

func (p Priority) valid() Priority {
	if p >= High {
		return High
	}
	return Normal
}

// Span is a stretch of time; both ends are zero when nothing happened.
type Span struct{ Begin, End time.Time }

// add widens the span so that it covers begin to end.
func (s *Span) add(begin, end time.Time) {
	if s.Begin.IsZero() || begin.Before(s.Begin) {
		s.Begin = begin
	}
	if end.After(s.End) {
		s.End = end
	}
}

// Times tell when the stages of a request began for the first of its inputs and ended for the last. With several
// inputs they overlap.
type Times struct {
	Prepare Span // tokenizing, or decoding and resizing
	Queue   Span // ready, until a lane took it
	Run     Span // in a batch
}

// Embeddings are the answers to the inputs of one request, in their order.
type Embeddings struct {
	Dim  int
	Data []float32 // [inputs, Dim], C order, not normalised; rows of failed inputs hold zeros
	Errs []error   // nil when every input succeeded, else an error or nil for each input

	Times Times
}

// Row returns the embedding of input i. It shares memory with Data.
func (e *Embeddings) Row(i int) []float32 { return e.Data[i*e.Dim : (i+1)*e.Dim : (i+1)*e.Dim] }

// Err returns the first error among the inputs, with the input's index, or nil.
func (e *Embeddings) Err() error {
	for i, err := range e.Errs {
		if err != nil {
			return &Error{Kind: KindOf(err), Message: fmt.Sprintf("input %d", i), Err: err}
		}
	}
	return nil
}
