package ws

import (
	"context"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"clipd/engine"
	"clipd/frontend/jina/jinajson"
	"clipd/frontend/limit"
)

// modelFunc is a model of one function.
type modelFunc func(context.Context, engine.Request) (*engine.Embeddings, error)

func (f modelFunc) Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error) {
	return f(ctx, r)
}

// wideModel gives every document an embedding of 4 MiB, which nothing but the answer needs.
var wideModel = modelFunc(func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
	const columns = 1 << 20
	return &engine.Embeddings{Dim: columns, Data: make([]float32, columns*len(r.Inputs))}, nil
})

// An encoded answer counts in the budget while its client does not read it; who finds no room for an answer is told to
// come back.
func TestUnreadAnswersCount(t *testing.T) {
	for _, form := range []string{binary, text} {
		most := int64(4<<20 + 1<<16)
		if form == text {
			most *= 3
		}
		budget := limit.NewBytes(2*most + most/2)
		s := start(t, wideModel, Options{Prefetch: 4, Bytes: budget})
		ask := func() *client {
			c := dial(t, s.address, "/", form)
			if form == binary {
				c.request(textRequest("a"))
			} else {
				c.send(ws.OpText, []byte(`{"data":[{"text":"a"}]}`))
			}
			return c
		}
		first, second := ask(), ask()
		eventually(t, "two answers wait for their clients", func() bool { return budget.Used() > most })
		third := ask()
		code := ws.StatusCode(1013)
		if form == binary {
			code = ws.StatusInternalServerError
		}
		third.closed(code, "max_inflight_bytes")
		first.Close()
		second.Close()
		eventually(t, "the budget is free again", func() bool { return budget.Used() == 0 })
	}
}

// What JSON becomes counts as well.
func TestJSONThatBecomesLarge(t *testing.T) {
	budget := limit.NewBytes(4 << 20)
	s := start(t, hashModel{}, Options{Prefetch: 4, Bytes: budget})
	c := dial(t, s.address, "/", text)
	body := `{"data":[],"parameters":{"a":[` + strings.Repeat(`{"a":0},{},      `, 20_000) + `0]}}`
	if _, err := jinajson.ParseMessage([]byte(body), jinajson.Limits{}); err != nil {
		t.Fatal(err)
	}
	c.send(ws.OpText, []byte(body))
	c.send(ws.OpText, []byte(`{"data":[{"text":"a"}]}`)) // the next one may be right
	first := c.next().Payload
	if !strings.Contains(string(first), "max_inflight_bytes") {
		t.Errorf("%.300s", first)
	}
	second := c.next().Payload
	if !strings.Contains(string(second), "embedding") {
		t.Errorf("%.300s", second)
	}
	c.Close()
	eventually(t, "the budget is free again", func() bool { return budget.Used() == 0 })
}
