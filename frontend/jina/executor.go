package jina

import (
	"context"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// Embedder is the model behind an executor; *engine.Model is one.
type Embedder interface {
	Encode(ctx context.Context, inputs []engine.Input) (*engine.Embeddings, error)
}

// Loader fetches what a document's uri names, up to a limit of its own, or says why it does not.
type Loader interface {
	Load(ctx context.Context, uri string) ([]byte, error)
}

// Executor answers requests in the name of one executor of a flow. It is safe for concurrent use.
type Executor struct {
	name       string
	model      Embedder
	logitScale float32
	paths      accessPaths
	loader     Loader
}

// ExecutorOptions describe an executor.
type ExecutorOptions struct {
	Name        string // as the flow calls it; appears in routes and parameters
	Model       Embedder
	LogitScale  float32 // factor before the softmax of rank
	AccessPaths string  // documents to encode unless a request says otherwise; "@r" when empty
	Loader      Loader
}

// NewExecutor makes an executor; malformed access paths are its only error.
func NewExecutor(o ExecutorOptions) (*Executor, error) {
	if o.AccessPaths == "" {
		o.AccessPaths = "@r"
	}
	paths, err := parseAccessPaths(o.AccessPaths)
	if err != nil {
		return nil, err
	}
	return &Executor{name: o.Name, model: o.Model, logitScale: o.LogitScale, paths: paths, loader: o.Loader}, nil
}

// Handle turns a request into its answer, in place: documents get embeddings or scores, the header its status, and two
// routes are added. A failed request keeps its documents as they came. arrived is when the request was received.
func (x *Executor) Handle(ctx context.Context, req *pb.DataRequestProto, arrived time.Time) {
	began := time.Now()
	err := x.answer(ctx, req)
	ended := time.Now()
	fillIn(req)
	req.Header.TargetExecutor = new(string)
	req.Header.Status = nil
	if err != nil {
		req.Header.Status = statusOf(err)
	}
	req.Routes = routes(x.name, arrived, began, ended, req.Header.Status)
}

// fillIn adds the parts that an answer always has, empty where the request had none.
func fillIn(req *pb.DataRequestProto) {
	if req.Header == nil {
		req.Header = &pb.HeaderProto{}
	}
	if req.Parameters == nil {
		req.Parameters = &structpb.Struct{}
	}
	if req.GetData().GetDocuments() == nil {
		req.Data = &pb.DataRequestProto_DataContentProto{Documents: &pb.DataRequestProto_DataContentProto_Docs{Docs: &pb.DocumentArrayProto{}}}
	}
}

func (x *Executor) answer(ctx context.Context, req *pb.DataRequestProto) (err error) {
	// A mistake of ours that one request brings out must not end everybody else's.
	defer func() {
		if p := recover(); p != nil {
			err = engine.Errorf(engine.Internal, "BUG: answering the request panicked: %v\n%s", p, debug.Stack())
		}
	}()
	data := req.GetData()
	if _, pickled := data.GetDocuments().(*pb.DataRequestProto_DataContentProto_DocsBytes); pickled {
		req.Data = nil // a pickle is never sent to anyone
		return engine.Errorf(engine.Invalid, "docs_bytes (a Python pickle) is not accepted; send docs")
	}
	mine, err := x.isTarget(req.GetHeader().GetTargetExecutor())
	if err != nil || !mine {
		return err
	}
	docs := data.GetDocs().GetDocs()
	p, err := parseParameters(req.GetParameters(), x.name)
	if err != nil {
		return err
	}
	endpoint := req.GetHeader().GetExecEndpoint()
	nameDocuments(docs)
	if endpoint == "/rank" || strings.HasPrefix(endpoint, "/rank/") {
		return x.rank(ctx, docs)
	}
	paths := x.paths
	if p.accessPaths != "" {
		if paths, err = parseAccessPaths(p.accessPaths); err != nil {
			return err
		}
	}
	// An empty text has no bytes on the wire, so on the encode endpoint a document without any content is one.
	// Elsewhere (profile() sends one to "/") it goes back as it came.
	emptyIsText := endpoint == "/encode" || strings.HasPrefix(endpoint, "/encode/")
	return x.encode(ctx, paths.find(docs), p.dropImageContent, emptyIsText)
}

// isTarget matches the regular expression of a request from the beginning of the executor's name, as jina does.
func (x *Executor) isTarget(pattern string) (bool, error) {
	if pattern == "" {
		return true, nil
	}
	re, err := regexp.Compile("^(?:" + pattern + ")")
	if err != nil {
		return false, engine.Errorf(engine.Invalid, "target_executor %q is no regular expression: %v", pattern, err)
	}
	return re.MatchString(x.name), nil
}
