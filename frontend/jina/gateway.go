package jina

import (
	"context"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/metrics"
)

// Gateway answers requests whatever protocol they came by: it chooses the executor, bounds the request, and knows
// whether the server is ready. It is safe for concurrent use.
type Gateway struct {
	options GatewayOptions
	set     atomic.Pointer[executors] // nil while models are loading
	ill     atomic.Pointer[string]    // why the models do not answer just now; nil: they do

	draining  chan struct{} // closed when quiet streams shall end
	stopped   chan struct{} // closed when nothing more shall be read
	drainOnce sync.Once
	stopOnce  sync.Once
}

// GatewayOptions describe a gateway. Zero limits mean none.
type GatewayOptions struct {
	Version      string           // of clipd
	MaxDocuments int              // of one request, chunks and matches included (max_documents)
	Timeout      time.Duration    // longest time of one request in an executor (timeout_send)
	Metrics      *metrics.Metrics // nil: nothing is counted
}

// NewGateway makes a gateway that is not ready until SetExecutors.
func NewGateway(o GatewayOptions) *Gateway {
	return &Gateway{options: o, draining: make(chan struct{}), stopped: make(chan struct{})}
}

// SetExecutors sets what answers from now on. The first one answers requests that name none.
func (g *Gateway) SetExecutors(all ...*Executor) error {
	set, err := newExecutors(all)
	if err != nil {
		return err
	}
	g.set.Store(set)
	return nil
}

// Models returns the names by which models are chosen: those of the executors, and of their models where these have one of their
// own. There are none while models are loading.
func (g *Gateway) Models() []string {
	set := g.set.Load()
	if set == nil {
		return nil
	}
	var names []string
	for _, x := range set.all {
		for _, name := range []string{x.name, x.modelName} {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Begin counts a request that came by a protocol; each needs the End of what it returns.
func (g *Gateway) Begin(p metrics.Protocol, arrived time.Time) metrics.Request {
	return g.options.Metrics.Begin(p, arrived)
}

// Loaded returns nil when requests are answered, also while the server drains, else a fault that says why not.
func (g *Gateway) Loaded() error {
	if g.set.Load() == nil {
		return fault.New(fault.Unavailable, "the model is still loading; try again later")
	}
	return nil
}

// Ready returns nil when new callers are welcome, else a fault that says why not.
func (g *Gateway) Ready() error {
	if err := g.Loaded(); err != nil {
		return err
	}
	if why := g.ill.Load(); why != nil {
		return fault.New(fault.Unavailable, "%s", *why)
	}
	select {
	case <-g.draining:
		return errShuttingDown
	default:
		return nil
	}
}

var errShuttingDown = fault.New(fault.Unavailable, "the server is shutting down")

// SetHealth says why the models do not answer just now, which makes Ready fail; "" when they do. Requests are tried in any
// case.
func (g *Gateway) SetHealth(why string) {
	if why == "" {
		g.ill.Store(nil)
		return
	}
	g.ill.Store(&why)
}

// Drain makes Ready fail and asks streams to end as they fall quiet; requests are answered still.
func (g *Gateway) Drain() { g.drainOnce.Do(func() { close(g.draining) }) }

// Stop asks every stream to end when what was read of it is answered.
func (g *Gateway) Stop() { g.stopOnce.Do(func() { close(g.stopped) }) }

// Draining is closed by Drain.
func (g *Gateway) Draining() <-chan struct{} { return g.draining }

// Stopped is closed by Stop.
func (g *Gateway) Stopped() <-chan struct{} { return g.stopped }

// Call is one request on its way to its answer.
type Call struct {
	Caller
	Request *pb.DataRequestProto // becomes the answer
	Arrived time.Time            // when it had been received
	Since   time.Time            // from when on its own timeout counts; zero: Arrived

	// Fault is why the answer has no embeddings, once it is there; nil: it has them.
	Fault *fault.Error
}

// Handle turns a request into its answer, in place. Mistakes of the request stand in the answer's status alone, as
// clients of Jina expect it. The error is for what protocols have a status of their own for: not ready, overloaded, too
// slow, not allowed; the answer's status says the same then.
func (g *Gateway) Handle(ctx context.Context, c *Call) error {
	began := time.Now()
	x, err := g.choose(c)
	if err != nil {
		finish(c, "gateway", began, engine.Times{}, err)
		if f := fault.Of(err); f.Code == fault.Unavailable || f.Code == fault.Forbidden {
			return f
		}
		return nil
	}
	return x.handle(ctx, c, began, g.options.Timeout)
}

// choose finds the executor of a call and checks what may be checked before it works.
func (g *Gateway) choose(c *Call) (*Executor, error) {
	set := g.set.Load()
	if set == nil {
		return nil, g.Loaded()
	}
	if most := g.options.MaxDocuments; most > 0 {
		if n := CountDocuments(c.Request.GetData().GetDocs().GetDocs()); n > most {
			return nil, TooManyDocuments(n, most)
		}
	}
	x, err := set.choose(c)
	if err != nil {
		return nil, err
	}
	if c.MayUse != nil {
		if err := c.MayUse(x.name, x.modelName); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// TooManyDocuments is the fault of a request with n documents where most are allowed.
func TooManyDocuments(n, most int) error {
	return fault.New(fault.TooLarge, "the request has %d documents, chunks and matches included; at most %d are allowed (max_documents)", n, most).Past("max_documents")
}

// CountDocuments counts documents with all that lie below them.
func CountDocuments(docs []*pb.DocumentProto) int {
	n := len(docs)
	for _, d := range docs {
		n += CountDocuments(d.Chunks) + CountDocuments(d.Matches)
	}
	return n
}

// Info tells versions, and the few environment variables that matter here.
func (g *Gateway) Info() *pb.JinaInfoProto {
	info := &pb.JinaInfoProto{
		Jina: map[string]string{"clipd": g.options.Version, "go": runtime.Version(), "platform": runtime.GOOS, "architecture": runtime.GOARCH},
		Envs: map[string]string{},
	}
	for _, key := range []string{"JINA_LOG_LEVEL", "CLIPD_LOG_LEVEL", "CUDA_VISIBLE_DEVICES"} {
		if v, set := os.LookupEnv(key); set {
			info.Envs[key] = v
		}
	}
	return info
}

// Endpoints lists the executors' handlers.
func (g *Gateway) Endpoints() []string { return []string{"/rank", "/default"} }
