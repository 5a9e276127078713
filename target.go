package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"mime"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"clipd/engine"
	"clipd/engine/preprocess"
	"clipd/engine/runtime"
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// defaultModel comes with clipd, so that every command works without a download.
const defaultModel = "demo"

// target is what answers a command: a server, or a model in this process.
type target struct {
	server  string
	model   string
	path    string
	runtime string
	device  string
	dtype   string
}

func (t *target) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.server, "server", "", "ask a running server, such as grpc://127.0.0.1:51000, instead of loading a model")
	t.addModelFlags(cmd)
}

func (t *target) addModelFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&t.model, "model", "m", defaultModel, "model name, such as ViT-B-32::openai")
	f.StringVar(&t.path, "model-path", "", "checkpoint file or folder, instead of published weights")
	f.StringVar(&t.runtime, "runtime", "", "openvino, onnxruntime, cuda or tensorrt (default: the best one found)")
	f.StringVar(&t.device, "device", "", "cpu, cuda or cuda:N")
	f.StringVar(&t.dtype, "dtype", "", "fp32, bf16 or fp16 (default: the fastest that keeps the answers)")
}

// loadOptions are those of the model that the flags name.
func (t *target) loadOptions(o engine.Options) (engine.LoadOptions, error) {
	precision, err := runtime.ParsePrecision(t.dtype)
	if err != nil {
		return engine.LoadOptions{}, fmt.Errorf("--dtype: %w", err)
	}
	name := t.model
	if t.path != "" && name == defaultModel {
		name = "" // as in a flow: the default name says nothing about weights of the user's own
	}
	return engine.LoadOptions{
		Name: name, Path: t.path, Runtime: t.runtime, Device: t.device, Precision: precision, Options: o,
		Progress: logProgress(newLogger(), zerolog.DebugLevel),
	}, nil
}

// load loads the model of the flags.
func (t *target) load(ctx context.Context, o engine.Options) (*engine.Loaded, error) {
	options, err := t.loadOptions(o)
	if err != nil {
		return nil, err
	}
	return engine.Load(ctx, options)
}

// dial connects to the server of the flags.
func dial(server string) (*grpc.ClientConn, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("server %q is no address; write grpc://host:port", server)
	}
	var creds credentials.TransportCredentials
	port := "80"
	switch u.Scheme {
	case "grpc":
		creds = insecure.NewCredentials()
	case "grpcs":
		creds, port = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), "443"
	default:
		return nil, fmt.Errorf("server %q: the scheme must be grpc or grpcs", server)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return grpc.NewClient("passthrough:///"+net.JoinHostPort(u.Hostname(), port), grpc.WithTransportCredentials(creds),
		grpc.WithInitialWindowSize(4<<20), grpc.WithInitialConnWindowSize(4<<20))
}

// readInput reads an argument as clip_client does: one that is named like a picture is a picture, everything else is a
// text. Unlike there, an existing file of any name is a picture too.
func readInput(arg string) (engine.Input, error) {
	named := strings.HasPrefix(mime.TypeByExtension(strings.ToLower(filepath.Ext(arg))), "image/")
	if strings.HasPrefix(arg, "file:") {
		arg, named = strings.TrimPrefix(arg, "file:"), true
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.Mode().IsRegular():
		data, err := os.ReadFile(arg)
		if err == nil && !named && preprocess.Format(data) == "" {
			err = fmt.Errorf("%s is a file but no picture that clipd reads", arg)
		}
		return engine.Input{Tower: engine.ImageTower, Image: data}, err
	case named && errors.Is(err, fs.ErrNotExist):
		return engine.Input{}, fmt.Errorf("%s: no such picture", arg)
	case named && err != nil:
		return engine.Input{}, err
	}
	return engine.Input{Tower: engine.TextTower, Text: arg}, nil
}

func readInputs(args []string) ([]engine.Input, error) {
	inputs := make([]engine.Input, len(args))
	for i, arg := range args {
		var err error
		if inputs[i], err = readInput(arg); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

func document(in engine.Input) *pb.DocumentProto {
	d := &pb.DocumentProto{Id: jina.NewID()}
	if in.Tower == engine.TextTower {
		d.Content = &pb.DocumentProto_Text{Text: in.Text}
	} else {
		d.Content = &pb.DocumentProto_Blob{Blob: in.Image}
	}
	return d
}

// encode embeds the inputs, whose names are for errors, and returns a row for each.
func (t *target) encode(ctx context.Context, inputs []engine.Input, names []string) ([][]float32, error) {
	if t.server != "" {
		conn, err := dial(t.server)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		docs := make([]*pb.DocumentProto, len(inputs))
		for i, in := range inputs {
			docs[i] = document(in)
		}
		rows, err := jina.NewClient(conn).Encode(ctx, docs, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.server, err)
		}
		return rows, nil
	}
	l, err := t.load(ctx, engine.Options{})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return encodeLocal(ctx, l, inputs, names)
}

func encodeLocal(ctx context.Context, l *engine.Loaded, inputs []engine.Input, names []string) ([][]float32, error) {
	rows := make([][]float32, 0, len(inputs))
	for part := range slices.Chunk(inputs, 4096) { // well below what the queue takes
		emb, err := l.Encode(ctx, part)
		if err != nil {
			return nil, err
		}
		for i := range part {
			if emb.Errs != nil && emb.Errs[i] != nil {
				return nil, fmt.Errorf("%s: %w", names[len(rows)], emb.Errs[i])
			}
			rows = append(rows, emb.Row(i))
		}
	}
	return rows, nil
}

// norm is the Euclidean length of a row.
func norm(row []float32) float64 {
	sum := 0.0
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
