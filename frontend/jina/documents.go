package jina

import (
	"context"
	"fmt"
	"unicode/utf8"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
)

// nameDocuments invents ids, 32 hex digits, for documents that have none: the client finds its documents by id.
func nameDocuments(docs []*pb.DocumentProto) {
	for _, d := range docs {
		if d.Id == "" {
			d.Id = NewID()
		}
		nameDocuments(d.Chunks)
		nameDocuments(d.Matches)
	}
}

// encode embeds the documents and puts the embeddings into them. When any of them fails none is changed: the error
// names the first one by index and id.
func (x *Executor) encode(ctx context.Context, docs []*pb.DocumentProto, p parameters, emptyIsText bool) (engine.Times, error) {
	inputs := make([]engine.Input, 0, len(docs))
	chosen := make([]*pb.DocumentProto, 0, len(docs))
	at := make([]int, 0, len(docs))
	loads, err := x.load(ctx, docs)
	if err != nil {
		return engine.Times{}, err
	}
	defer loads.release()
	for i, d := range docs {
		in, found, err := loads.input(d)
		if err != nil {
			return engine.Times{}, documentError(i, d, err)
		}
		if !found {
			if !emptyIsText || !isEmptyText(d) {
				continue
			}
			in.Tower = engine.TextTower
		}
		inputs = append(inputs, in)
		chosen = append(chosen, d)
		at = append(at, i)
	}
	emb, err := x.embed(ctx, engine.Request{Inputs: inputs, MaxBatch: p.minibatchSize, Priority: p.priority()}, chosen, at)
	if err != nil {
		return emb.Times, err
	}
	for i, d := range chosen {
		d.Embedding = newEmbedding(emb.Row(i))
		if inputs[i].Tower == engine.TextTower {
			d.MimeType = "text/plain"
		} else if p.dropImageContent {
			d.Content = nil
		}
	}
	return emb.Times, nil
}

// isEmptyText reports whether a document without content can be an empty text, which has no bytes on the wire.
func isEmptyText(d *pb.DocumentProto) bool {
	_, text := d.Content.(*pb.DocumentProto_Text)
	return (text || d.Content == nil) && len(d.Chunks) == 0 && len(d.Matches) == 0
}

// embed calls the model; an error names the document it comes from, docs[i] at place at[i] of the request. The
// embeddings are never nil: their times are true for a failed request, too.
func (x *Executor) embed(ctx context.Context, r engine.Request, docs []*pb.DocumentProto, at []int) (*engine.Embeddings, error) {
	x.metrics.Embedding(r.Inputs)
	emb, err := x.model.Embed(ctx, r)
	if err != nil {
		return &engine.Embeddings{}, err
	}
	for i, err := range emb.Errs {
		if err != nil {
			return emb, documentError(at[i], docs[i], err)
		}
	}
	return emb, nil
}

// documentError says which document of a request an error is about.
func documentError(i int, d *pb.DocumentProto, err error) error {
	f := fault.Of(err)
	return &fault.Error{Code: f.Code, RetryAfter: f.RetryAfter, Limit: f.Limit, Message: fmt.Sprintf("document %d (id %q)", i, shorten(d.Id, 80)), Err: err}
}

func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) { // not within a character: protobuf refuses that
		most--
	}
	return s[:most] + "…"
}
