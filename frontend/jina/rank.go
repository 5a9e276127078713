package jina

import (
	"context"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// rank embeds the root documents and their matches, scores each match against its root and sorts the matches, best
// first. Matches give their embeddings back, roots keep theirs; images stay, since the client puts the
// answered matches into the caller's documents.
func (x *Executor) rank(ctx context.Context, roots []*pb.DocumentProto, p parameters) (times engine.Times, err error) {
	if len(roots) == 0 {
		return times, engine.Errorf(engine.Invalid, "nothing to rank: the request has no documents")
	}
	docs := rootsAndMatches.find(roots)
	loads, err := x.load(ctx, docs)
	if err != nil {
		return times, err
	}
	defer loads.release()
	inputs, at := make([]engine.Input, len(docs)), make([]int, len(docs))
	for i, d := range docs {
		if i < len(roots) && len(d.Matches) == 0 {
			return times, documentError(i, d, engine.Errorf(engine.Invalid, "nothing to rank: the document has no matches"))
		}
		in, found, err := loads.input(d)
		if err == nil && !found {
			err = engine.Errorf(engine.Invalid, "nothing to rank: the document has no text, blob, tensor or uri")
		}
		if err != nil {
			return times, documentError(i, d, err)
		}
		inputs[i], at[i] = in, i
	}
	emb, err := x.embed(ctx, engine.Request{Inputs: inputs, MaxBatch: p.minibatchSize, Priority: p.priority()}, docs, at)
	if err != nil {
		return emb.Times, err
	}
	row := make(map[*pb.DocumentProto]int, len(docs))
	for i, d := range docs {
		row[d] = i
		if inputs[i].Tower == engine.TextTower {
			d.MimeType = "text/plain"
		}
	}
	for i, root := range roots {
		candidates := make([][]float32, len(root.Matches))
		for j, m := range root.Matches {
			candidates[j] = emb.Row(row[m])
		}
		x.sortMatches(root, engine.Order(emb.Row(i), candidates, x.logitScale))
		root.Embedding = newEmbedding(emb.Row(i))
	}
	return emb.Times, nil
}

func (x *Executor) sortMatches(root *pb.DocumentProto, ranks []engine.Rank) {
	sorted := make([]*pb.DocumentProto, len(ranks))
	for i, r := range ranks {
		m := root.Matches[r.Index]
		m.Embedding = nil
		if m.Scores == nil {
			m.Scores = make(map[string]*pb.NamedScoreProto, 2)
		}
		m.Scores["clip_score"] = &pb.NamedScoreProto{Value: float32(r.Softmax), OpName: "softmax"}
		m.Scores["clip_score_cosine"] = &pb.NamedScoreProto{Value: r.Cosine, OpName: "cosine"}
		sorted[i] = m
	}
	root.Matches = sorted
}
