package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"clipd/engine"
	"clipd/frontend/jina"
)

// standing is one candidate of a ranking, in the order of the ranking.
type standing struct {
	Candidate string  `json:"candidate"`
	Score     float64 `json:"clip_score"`        // softmax over the candidates
	Cosine    float32 `json:"clip_score_cosine"` // -1..1
}

func newRank() *cobra.Command {
	t := &target{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rank QUERY CANDIDATE...",
		Short: "Rank texts for a picture, or pictures for a text",
		Example: `  clipd rank picture.jpg 'a red circle' 'a blue square'
  clipd rank 'a red circle' *.png`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("rank needs a query and at least one candidate: clipd rank picture.jpg 'a red circle' 'a blue square'")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			inputs, err := readInputs(args)
			if err != nil {
				return err
			}
			ranking, err := t.rank(cmd.Context(), args, inputs)
			if err != nil {
				return err
			}
			if asJSON || !isTerminal(os.Stdout) {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetEscapeHTML(false)
				for _, s := range ranking {
					if err := out.Encode(s); err != nil {
						return err
					}
				}
				return nil
			}
			printRanking(cmd.OutOrStdout(), ranking)
			return nil
		},
	}
	t.addFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON lines on a terminal too")
	return cmd
}

// rank ranks args[1:] against args[0]. A server ranks by itself, with the logit scale of its model.
func (t *target) rank(ctx context.Context, args []string, inputs []engine.Input) ([]standing, error) {
	ranking := make([]standing, 0, len(args)-1)
	if t.server != "" {
		conn, err := dial(t.server)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		root := document(inputs[0])
		name := make(map[string]string)
		for i, in := range inputs[1:] {
			m := document(in)
			name[m.Id] = args[i+1]
			root.Matches = append(root.Matches, m)
		}
		ranked, err := jina.NewClient(conn).Rank(ctx, root)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.server, err)
		}
		for _, m := range ranked.Matches {
			ranking = append(ranking, standing{name[m.Id], float64(m.Scores["clip_score"].GetValue()), m.Scores["clip_score_cosine"].GetValue()})
		}
		return ranking, nil
	}
	l, err := t.load(ctx, engine.Options{})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	rows, err := encodeLocal(ctx, l, inputs, args)
	if err != nil {
		return nil, err
	}
	for _, r := range engine.Order(rows[0], rows[1:], l.LogitScale) {
		ranking = append(ranking, standing{args[r.Index+1], r.Softmax, r.Cosine})
	}
	return ranking, nil
}

func printRanking(w io.Writer, ranking []standing) {
	fmt.Fprintf(w, "%4s  %8s  %7s\n", "", "score", "cosine")
	for i, s := range ranking {
		fmt.Fprintf(w, "%3d.  %7.2f%%  %7.4f  %s\n", i+1, 100*s.Score, s.Cosine, s.Candidate)
	}
}
