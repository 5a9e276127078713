package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"clipd/npy"
)

func newEncode() *cobra.Command {
	t := &target{}
	var output string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "encode [TEXT | PICTURE]...",
		Short: "Embed texts and pictures, without a server or against one",
		Long: `Embeds each argument: the name of a picture file is a picture, anything else a text. Without arguments the lines of
standard input are taken. On a terminal a preview of each embedding is printed, otherwise (or with --json) one JSON
object a line; --output writes a NumPy file [inputs, columns] of float32.`,
		Example: `  clipd encode 'a red circle' picture.jpg
  clipd encode --output embeddings.npy *.jpg
  clipd encode --server grpc://127.0.0.1:51000 'a red circle' | jq .embedding`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				var err error
				if args, err = readLines(os.Stdin); err != nil {
					return err
				}
			}
			inputs, err := readInputs(args)
			if err != nil {
				return err
			}
			rows, err := t.encode(cmd.Context(), inputs, args)
			if err != nil {
				return err
			}
			if output != "" {
				return writeNPY(output, rows)
			}
			if asJSON || !isTerminal(os.Stdout) {
				return printJSON(cmd.OutOrStdout(), args, rows)
			}
			printPreview(cmd.OutOrStdout(), args, rows)
			return nil
		},
	}
	t.addFlags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write the embeddings to this .npy file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON lines on a terminal too")
	return cmd
}

// readLines reads the lines of standard input that are not empty.
func readLines(r io.Reader) ([]string, error) {
	if r == io.Reader(os.Stdin) && isTerminal(os.Stdin) {
		return nil, errors.New("nothing to embed: name texts or pictures, or pipe lines in")
	}
	var lines []string
	s := bufio.NewScanner(r)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		if line := strings.TrimRight(s.Text(), "\r"); line != "" {
			lines = append(lines, line)
		}
	}
	if s.Err() == nil && len(lines) == 0 {
		return nil, errors.New("nothing to embed: standard input is empty")
	}
	return lines, s.Err()
}

func writeNPY(path string, rows [][]float32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = errors.Join(npy.Write(w, rows), w.Flush(), f.Close())
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func printJSON(w io.Writer, args []string, rows [][]float32) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for i, row := range rows {
		if err := out.Encode(struct {
			Input     string    `json:"input"`
			Embedding []float32 `json:"embedding"`
		}{args[i], row}); err != nil {
			return err
		}
	}
	return nil
}

func printPreview(w io.Writer, args []string, rows [][]float32) {
	for i, row := range rows {
		shown := make([]string, min(6, len(row)))
		for j := range shown {
			shown[j] = fmt.Sprintf("%7.4f", row[j])
		}
		fmt.Fprintf(w, "%s\n  [%s … ]  %d columns, norm %.3f\n", args[i], strings.Join(shown, " "), len(row), norm(row))
	}
	fmt.Fprintln(w, "(--json prints whole embeddings, --output x.npy writes them)")
}
