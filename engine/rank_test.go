package engine

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestOrderGolden holds the ranking against the reference's answers.
func TestOrderGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/rank.json")
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
	if len(golden.Cases) < 20 {
		t.Fatalf("only %d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		if c.Error { // a query without candidates; refusing it is the frontend's part
			continue
		}
		for qi, q := range c.Queries {
			ranks := Order(q.Embedding, q.Candidates, golden.LogitScale)
			if len(ranks) != len(q.Order) {
				t.Fatalf("%s: %d ranks, want %d", c.Name, len(ranks), len(q.Order))
			}
			for i, r := range ranks {
				if r.Index != q.Order[i] {
					t.Errorf("%s query %d: place %d has candidate %d, want %d", c.Name, qi, i, r.Index, q.Order[i])
				}
				if d := math.Abs(float64(r.Cosine) - q.Cosine[r.Index]); d > 1e-6 {
					t.Errorf("%s query %d candidate %d: cosine %v, want %v", c.Name, qi, r.Index, r.Cosine, q.Cosine[r.Index])
				}
				if d := math.Abs(r.Softmax - q.Softmax[r.Index]); d > 5e-5 {
					t.Errorf("%s query %d candidate %d: softmax %v, want %v", c.Name, qi, r.Index, r.Softmax, q.Softmax[r.Index])
				}
			}
		}
	}
}
