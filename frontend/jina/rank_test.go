package jina

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// TestRankGolden holds whole answers of /rank against the reference's: the order of the matches, both scores, and what
// is dropped. The model answers the reference's embeddings.
func TestRankGolden(t *testing.T) {
	data, err := os.ReadFile("../../engine/testdata/rank.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		LogitScale float32 `json:"logit_scale"`
		Cases      []struct {
			Name    string
			Error   bool
			Queries []struct {
				Embedding  []float32
				Candidates [][]float32
				Cosine     []float64
				Softmax    []float64
				Order      []int
			}
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		var rows [][]float32 // by the number that is a document's text
		document := func(row []float32, id string) *pb.DocumentProto {
			rows = append(rows, row)
			return &pb.DocumentProto{Id: id, Content: &pb.DocumentProto_Text{Text: strconv.Itoa(len(rows) - 1)}}
		}
		var docs []*pb.DocumentProto
		for _, q := range c.Queries {
			root := document(q.Embedding, "root")
			for i, row := range q.Candidates {
				root.Matches = append(root.Matches, document(row, strconv.Itoa(i)))
			}
			docs = append(docs, root)
		}
		model := scriptModel(func(_ context.Context, r engine.Request) (*engine.Embeddings, error) {
			e := &engine.Embeddings{Dim: len(rows[0])}
			for _, in := range r.Inputs {
				n, err := strconv.Atoi(in.Text)
				if err != nil {
					return nil, err
				}
				e.Data = append(e.Data, rows[n]...)
			}
			return e, nil
		})
		g := newTestGateway(t, GatewayOptions{}, ExecutorOptions{Name: "clip", Model: model, LogitScale: golden.LogitScale})
		req := NewRequest("/rank", docs)
		if err := g.Handle(t.Context(), &Call{Request: req, Arrived: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if status := req.Header.GetStatus().GetDescription(); c.Error {
			if !strings.Contains(status, "nothing to rank") {
				t.Errorf("%s: status %q", c.Name, status)
			}
			continue
		} else if status != "" {
			t.Errorf("%s: %s", c.Name, status)
			continue
		}
		for qi, q := range c.Queries {
			root := req.Data.GetDocs().Docs[qi]
			if root.Embedding == nil || len(root.Matches) != len(q.Order) {
				t.Fatalf("%s query %d: %d matches, embedding %v", c.Name, qi, len(root.Matches), root.Embedding != nil)
			}
			for place, m := range root.Matches {
				i := q.Order[place]
				if m.Id != strconv.Itoa(i) || m.Embedding != nil {
					t.Errorf("%s query %d: place %d has match %s, want %d, without embedding", c.Name, qi, place, m.Id, i)
				}
				softmax, cosine := m.Scores["clip_score"], m.Scores["clip_score_cosine"]
				if softmax.OpName != "softmax" || math.Abs(float64(softmax.Value)-q.Softmax[i]) > 5e-5 {
					t.Errorf("%s query %d match %d: clip_score %v, want %v", c.Name, qi, i, softmax, q.Softmax[i])
				}
				if cosine.OpName != "cosine" || math.Abs(float64(cosine.Value)-q.Cosine[i]) > 1e-6 {
					t.Errorf("%s query %d match %d: clip_score_cosine %v, want %v", c.Name, qi, i, cosine, q.Cosine[i])
				}
			}
		}
	}
}
