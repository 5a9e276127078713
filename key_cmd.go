package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"clipd/frontend/auth"
)

func newKey() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make and list the keys that callers need",
		Long: `A server whose flow names a keys file answers only those who send a key: over HTTP and WebSocket as the header
"Authorization: Bearer KEY", over gRPC as the metadata "authorization", and from Python as
Client(server, credential={'Authorization': 'KEY'}).

A keys file has one line for each key: its name, its hash, and its limits. The key itself stands in no file: whoever
reads the keys file cannot call the server with it. A running server notices at its next request that the file changed,
a second late at most, so that keys are added, limited and taken back without a restart. # begins a comment.

  web    sha256:9f86d081… rate=100/s concurrent=8 priority=high
  batch  sha256:60303ae2… documents=6000/m models=ViT-L-14::openai   # nightly run`,
		Example: `  clipd key new web --append keys.txt
  clipd key new batch --rate 100/s --concurrent 8 --models ViT-B-32::openai
  clipd key list keys.txt`,
	}
	cmd.AddCommand(newKeyNew(), newKeyHash(), newKeyList())
	return cmd
}

func newKeyNew() *cobra.Command {
	line := &keyLine{}
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a key and the line for the keys file",
		Long: `Makes a key of 256 random bits and prints it, this once: it is kept nowhere, so hand it to the caller now. Below it stands the
line for the keys file, or, with --append, nothing: the line is in the file then.

NAME says in the server's logs whose key it is: letters, digits, _, . and -.`,
		Example: `  clipd key new web --append keys.txt
  clipd key new web --rate 100/s --concurrent 8`,
		Args: one("a NAME for the key, such as: clipd key new web"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret := auth.NewSecret()
			e, err := line.entry(args[0], secret)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if line.file != "" {
				if err := auth.Append(line.file, e); err != nil {
					return err
				}
				_, err = fmt.Fprintln(out, secret)
				return err
			}
			_, err = fmt.Fprintf(out, "%s\n\nThe key is above; it is not shown again. The line for the keys file:\n%s\n", secret, e)
			return err
		},
	}
	line.addFlags(cmd.Flags())
	return cmd
}

func newKeyHash() *cobra.Command {
	line := &keyLine{}
	cmd := &cobra.Command{
		Use:   "hash NAME",
		Short: "Make the line for the keys file of a key that exists already",
		Long: `Reads a key from the first line of standard input and prints its line for the keys file. On a terminal it asks for the key
without showing it.

The key needs at least 16 characters, 8 of them different: it is stored with a fast hash, which only hides what cannot be
guessed. "clipd key new" makes a good one.`,
		Example: `  clipd key hash web < secret.txt
  pass show clipd | clipd key hash web --rate 100/s --append keys.txt`,
		Args: one("a NAME for the key, such as: clipd key hash web < secret.txt"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := readSecret(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			e, err := line.entry(args[0], secret)
			if err != nil {
				return err
			}
			if line.file != "" {
				return auth.Append(line.file, e)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), e)
			return err
		},
	}
	line.addFlags(cmd.Flags())
	return cmd
}

func newKeyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list FILE",
		Short:   "Check a keys file, and show names and limits",
		Example: "  clipd key list keys.txt",
		Args:    one("the keys FILE, such as: clipd key list keys.txt"),
		RunE: func(cmd *cobra.Command, args []string) error {
			entries, err := auth.ReadFile(args[0])
			if err != nil {
				return err
			}
			return printKeys(cmd.OutOrStdout(), entries)
		},
	}
}

// one is for commands of one argument; want says which.
func one(want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s: there are %d arguments where one is wanted: %s", cmd.CommandPath(), len(args), want)
		}
		return nil
	}
}

// keyLine is what the flags say about a key's line.
type keyLine struct {
	rate, documents, models, priority string
	concurrent                        int
	file                              string
}

func (l *keyLine) addFlags(f *pflag.FlagSet) {
	f.StringVar(&l.rate, "rate", "", "most requests: 100/s, 6000/m or 10/h; as many as come in a second may come at once")
	f.StringVar(&l.documents, "documents", "", "most documents in all requests together, in the same form")
	f.IntVar(&l.concurrent, "concurrent", 0, "most requests in progress at a time (0: no limit)")
	f.StringVar(&l.models, "models", "", "models that the key may use, by name, with commas (default: all)")
	f.StringVar(&l.priority, "priority", "", "of the key's requests: `normal`, on-request (normal, but they may ask for high) or high (default: normal)")
	f.StringVar(&l.file, "append", "", "keys `FILE` to append the line to; made when there is none, for its owner only")
}

// entry makes the line of a key.
func (l *keyLine) entry(name, secret string) (auth.Entry, error) {
	e := auth.Entry{Name: name}
	if err := auth.CheckName(name); err != nil {
		return e, fmt.Errorf("%q: %w", name, err)
	}
	var err error
	if e.Hash, err = auth.Hash(secret); err != nil {
		return e, err
	}
	concurrent := ""
	if l.concurrent != 0 {
		concurrent = strconv.Itoa(l.concurrent)
	}
	for _, limit := range [][2]string{{"rate", l.rate}, {"documents", l.documents}, {"concurrent", concurrent}, {"models", l.models}, {"priority", l.priority}} {
		if limit[1] == "" {
			continue
		}
		if err := e.Set(limit[0], limit[1]); err != nil {
			return e, fmt.Errorf("--%w", err)
		}
	}
	return e, nil
}

// readSecret reads the first line, without an echo on a terminal.
func readSecret(in io.Reader, prompt io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(prompt, "Key: ")
		secret, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(prompt)
		if err != nil {
			return "", fmt.Errorf("cannot read the key from the terminal: %w", err)
		}
		return string(secret), nil
	}
	const most = 4096 // bytes; no key is that long
	secret, err := bufio.NewReader(io.LimitReader(in, most)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the key from standard input: %w", err)
	}
	secret = strings.TrimRight(secret, "\r\n")
	if secret == "" {
		return "", errors.New("standard input has no key in its first line; write: clipd key hash NAME < FILE")
	}
	return secret, nil
}

// printKeys prints a table of names and limits.
func printKeys(w io.Writer, entries []auth.Entry) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tREQUESTS\tDOCUMENTS\tCONCURRENT\tPRIORITY\tMODELS")
	for _, e := range entries {
		concurrent := "no limit"
		if e.Concurrent > 0 {
			concurrent = strconv.Itoa(e.Concurrent)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Name, rateOrNone(e.Rate), rateOrNone(e.Documents), concurrent, e.Priority,
			cmp.Or(strings.Join(e.Models, ","), "all"))
	}
	return t.Flush()
}

func rateOrNone(r auth.Rate) string {
	if r.Count == 0 {
		return "no limit"
	}
	return r.String()
}
