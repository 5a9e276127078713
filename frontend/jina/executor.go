package jina

import (
	"context"
	"errors"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
	"clipd/frontend/metrics"
)

// Embedder is the model behind an executor; *engine.Model is one.
type Embedder interface {
	Embed(ctx context.Context, r engine.Request) (*engine.Embeddings, error)
}

// Loader fetches what a document's uri names, up to a limit of its own, or says why it does not.
type Loader interface {
	Load(ctx context.Context, uri string) ([]byte, error)
}

// Executor answers requests in the name of one executor of a flow. It is safe for concurrent use.
type Executor struct {
	name       string
	modelName  string
	model      Embedder
	logitScale float32
	paths      accessPaths
	loader     Loader
	bytes      *limit.Bytes
	maxLoaded  int64
	log        zerolog.Logger
	metrics    *metrics.Executor
}

// ExecutorOptions describe an executor.
type ExecutorOptions struct {
	Name        string // as the flow calls it; appears in routes and parameters
	ModelName   string // what the model is called, such as ViT-B-32::openai; another name by which callers choose it
	Model       Embedder
	LogitScale  float32 // factor before the softmax of rank
	AccessPaths string  // documents to encode unless a request says otherwise; "@r" when empty
	Loader      Loader
	Bytes       *limit.Bytes // what is loaded counts here until the request is answered; nil = no limit
	MaxLoaded   int64        // bytes that one request may have loaded; 0 = no limit

	Metrics *metrics.Executor // nil: nothing is counted

	Log zerolog.Logger // gets our own mistakes; what is left empty writes to standard error
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
	if reflect.ValueOf(o.Log).IsZero() {
		o.Log = zerolog.New(os.Stderr)
	}
	return &Executor{
		log: o.Log, name: o.Name, modelName: o.ModelName, model: o.Model, logitScale: o.LogitScale, paths: paths, loader: o.Loader,
		bytes: o.Bytes, maxLoaded: o.MaxLoaded, metrics: o.Metrics,
	}, nil
}

// Name is the executor's name in its flow.
func (x *Executor) Name() string { return x.name }

// handle answers a call, in place: documents get embeddings or scores. A failed request keeps its documents as they
// came. most is the flow's timeout_send, 0 for none. What it returns, Gateway.Handle returns.
func (x *Executor) handle(ctx context.Context, c *Call, began time.Time, most time.Duration) error {
	p, bad := parseParameters(c.Request.GetParameters(), x.name)
	if bad == nil {
		p.high, bad = c.high(p.asked)
	}
	ctx, late, end := x.bound(ctx, c, p.timeout, began, most)
	defer end()
	times, err := x.answer(ctx, c, p, bad)
	var out *fault.Error
	if err != nil {
		switch f := fault.Of(err); f.Code {
		case fault.Overloaded, fault.Unavailable:
			out = f
		case fault.Forbidden:
			if err == bad { // and not the uri of a document
				out = f
			}
		case fault.Deadline:
			// The engine may refuse what could not be in time; for a caller who has gone it is all the same.
			if late != nil && !errors.Is(ctx.Err(), context.Canceled) {
				f, err = late, late
			}
			out = f
		}
	}
	finish(c, x.name, began, times, err)
	x.metrics.Answered(c.Request.Header.GetExecEndpoint(), len(c.Request.GetData().GetDocs().GetDocs()), time.Since(began), err != nil)
	if out != nil {
		return out
	}
	return nil
}

// finish completes an answer: the header its status, and the routes.
func finish(c *Call, executor string, began time.Time, times engine.Times, err error) {
	req, ended := c.Request, time.Now()
	fillIn(req)
	req.Header.TargetExecutor = new(string)
	req.Header.Status = nil
	if err != nil {
		req.Header.Status = statusOf(err)
		c.Fault = fault.Of(err)
	}
	req.Routes = routes(executor, c.Arrived, began, ended, times, req.Header.Status)
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

// answer works on a request whose parameters were read, or are bad.
func (x *Executor) answer(ctx context.Context, c *Call, p parameters, bad error) (times engine.Times, err error) {
	req := c.Request
	// A mistake of ours that one request brings out must not end everybody else's.
	defer func() {
		if p := recover(); p != nil {
			x.log.Error().Interface("panic", p).Str("executor", x.name).Bytes("stack", debug.Stack()).Msg("BUG: answering a request panicked")
			err = engine.Errorf(engine.Internal, "the server failed at this request; its log says more")
		}
	}()
	data := req.GetData()
	if _, pickled := data.GetDocuments().(*pb.DataRequestProto_DataContentProto_DocsBytes); pickled {
		req.Data = nil // a pickle is never sent to anyone
		return times, engine.Errorf(engine.Invalid, "docs_bytes (a Python pickle) is not accepted; send docs")
	}
	mine, err := x.isTarget(req.GetHeader().GetTargetExecutor())
	if err != nil || !mine {
		return times, err
	}
	docs := data.GetDocs().GetDocs()
	if bad != nil {
		return times, bad
	}
	endpoint := req.GetHeader().GetExecEndpoint()
	nameDocuments(docs)
	if endpoint == "/rank" || strings.HasPrefix(endpoint, "/rank/") {
		return x.rank(ctx, docs, p)
	}
	paths := x.paths
	if p.accessPaths != "" {
		if paths, err = parseAccessPaths(p.accessPaths); err != nil {
			return times, err
		}
	}
	// An empty text has no bytes on the wire, so on the encode endpoint a document without any content is one.
	// Elsewhere (profile() sends one to "/") it goes back as it came.
	emptyIsText := endpoint == "/encode" || strings.HasPrefix(endpoint, "/encode/")
	return x.encode(ctx, paths.find(docs), p, emptyIsText)
}

// isTarget reports whether a request that names a target is for this executor.
func (x *Executor) isTarget(pattern string) (bool, error) {
	if pattern == "" {
		return true, nil
	}
	re, err := target(pattern)
	if err != nil {
		return false, err
	}
	return re.MatchString(x.name), nil
}
