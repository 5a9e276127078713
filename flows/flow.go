package flows

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Flow is what one flow file says, defaults filled in and variables replaced.
type Flow struct {
	Source    string // where it came from: a path, the name of a built-in flow, or what Parse was told
	Gateway   Gateway
	Executors []Executor // at least one; names differ
	Notices   []Notice   // keys that have no meaning here, or another than in the original; each once, in the order of the file
}

// Protocol is a way to talk to the server.
type Protocol string

// The protocols of a flow file.
const (
	GRPC      Protocol = "grpc"
	HTTP      Protocol = "http"
	WebSocket Protocol = "websocket"
)

// Gateway is what the server listens on and how it treats its callers.
type Gateway struct {
	Host string
	// Ports holds one port for all protocols or one for each protocol, in their order. 0 asks the system for a free port.
	Ports     []int
	Protocols []Protocol // at least one, no two alike
	Prefetch  int        // requests of one stream worked on at a time; 0 = no limit
	CORS      bool

	Title, Description string // of the OpenAPI document
	NoDebugEndpoints   bool   // no /post, /status, /dry_run over HTTP
	NoCRUDEndpoints    bool   // no /index, /search, /update, /delete over HTTP
	// ExposeEndpoints adds HTTP paths: endpoint -> path and methods.
	ExposeEndpoints map[string]ExposedEndpoint

	SSLCertFile, SSLKeyFile string     // PEM; both or neither; a relative path starts from the working directory
	SSLKeyPassword          string     // of an encrypted SSLKeyFile; else empty
	SSLCACerts              string     // PEM with the authorities of client certificates; set when SSLClientAuth is not none
	SSLClientAuth           ClientAuth // never empty

	HTTPCompression  bool // compress answers over HTTP for callers that accept it
	HTTPPlainReturns bool // answer HTTP in the one form that clip_client reads without callbacks, and nobody else

	Auth      *Auth // nil = everyone may call
	AllowURIs AllowURIs

	// GRPCServerOptions are options of the gRPC core library as the file gives them; those with a meaning here stand in the
	// other fields already. The values are int64, float64, bool or string.
	GRPCServerOptions map[string]any
	// UvicornKwargs are settings of the HTTP and WebSocket server in uvicorn's words, likewise; values as above, or []any, or
	// map[string]any.
	UvicornKwargs map[string]any

	Monitoring     bool
	PortMonitoring int // of the Prometheus metrics, when Monitoring is on

	TimeoutSend time.Duration // of one request in an executor; 0 = none
	Env         map[string]string
	Limits      Limits
}

// ExposedEndpoint is how one endpoint appears over HTTP.
type ExposedEndpoint struct {
	HTTPPath string   // begins with a slash
	Methods  []string // in upper case; POST when the file names none
	Summary  string
	Tags     []string
}

// ClientAuth is whether callers show certificates of their own.
type ClientAuth string

// The kinds of client authentication over TLS.
const (
	ClientAuthNone     ClientAuth = "none"     // certificates of callers are not asked for
	ClientAuthOptional ClientAuth = "optional" // one that is shown must be good
	ClientAuthRequired ClientAuth = "required" // without a good one there is no connection
)

// Auth says where the keys are that callers must show, one line for each; the lines of both places count.
type Auth struct {
	KeysFile string // a relative path starts from the working directory; empty = no file
	KeysEnv  string // environment variable with the same lines; never empty
}

// AllowURIs is what the uri of a document may name beside data: URIs. The zero value allows nothing.
type AllowURIs struct {
	HTTP, HTTPS  bool
	Hosts        []string       // lower case, "*.example.com" for everything below example.com; empty = all
	Networks     []netip.Prefix // private networks that may be reached all the same
	Folder       string         // files below it may be named; empty = no files
	Timeout      time.Duration  // of one document, redirects included
	MaxBytes     int64          // of one document
	MaxRedirects int
}

// Any says whether anything but data: URIs is allowed.
func (a AllowURIs) Any() bool { return a.HTTP || a.HTTPS || a.Folder != "" }

// Limits bound what callers can make the server do. A time of 0 is no limit.
type Limits struct {
	MaxMessageBytes  int64         // of one request, unpacked
	MaxDocuments     int           // of one request, chunks and matches included
	MaxImageBytes    int64         // of one encoded picture
	MaxPixels        int64         // of one decoded picture
	MaxQueued        int           // inputs of one model accepted and not yet answered
	MaxWait          time.Duration // of a request for others, as estimated
	MaxInflightBytes int64         // of all requests in progress; 0 = a quarter of the machine's memory

	MaxConnections           int
	MaxConnectionsPerAddress int   // 0 = no limit of its own
	MaxStreams               int   // gRPC calls of one connection at a time
	MaxHeaderBytes           int64 // of one request

	HeaderTimeout    time.Duration // from connecting, or the first byte of a request, to the end of TLS handshake and headers
	ReadTimeout      time.Duration // longest wait for the next part of a body
	WriteTimeout     time.Duration // longest wait for a caller to take an answer
	IdleTimeout      time.Duration // of an HTTP connection between requests
	GRPCIdleTimeout  time.Duration // of a gRPC connection without calls
	MaxConnectionAge time.Duration // to be varied by a tenth; open calls end first
}

// Backend is which of the Python encoders a flow file names.
type Backend string

// The backends. Auto leaves the choice to the server.
const (
	Auto     Backend = "auto"
	Torch    Backend = "torch"
	ONNX     Backend = "onnx"
	TensorRT Backend = "tensorrt"
)

// Executor is one CLIP model and how it is run.
type Executor struct {
	Name    string // as it appears in routes, metrics and parameters; a Python identifier
	Backend Backend

	Model     string // such as ViT-B-32::openai, or demo; empty = what the weights at ModelPath are
	ModelPath string // checkpoint, or folder with textual.onnx and visual.onnx; empty = find the weights by Model
	Device    string // "cpu", "cuda" or "cuda:N"; empty = a GPU if there is one, else the CPU
	DType     string // "fp32", "fp16" or "bf16"; empty = what is best on the device
	JIT       bool   // tune for this machine at start

	MinibatchSize       int    // most rows of a batch
	NumWorkerPreprocess int    // threads that prepare pictures and texts
	Preprocess          string // where JPEGs become pixels: "gpu" (or an error), "cpu" or "auto"; empty = auto
	AccessPaths         string // which documents are encoded, such as @r or @r,c

	Runtime string // "openvino", "onnxruntime", "tensorrt" or "cuda"; empty = chosen by backend and device
	Lanes   int    // execution contexts of a replica; 0 = chosen by the server
	Threads int    // CPU threads of a replica; 0 = its share of the cores

	WideLane bool // small requests of texts have a lane with all threads, where that is to be had

	CacheBytes int64 // of a cache of embeddings by content; 0 = none

	Replicas        int
	TimeoutReady    time.Duration // wait until the model is loaded; negative = for ever
	Env             map[string]string
	DynamicBatching map[string]DynamicBatching // by endpoint, such as /encode

	marks map[string]mark // of the keys that the file gives; of the executor itself under ""
}

// Batching returns the dynamic batching that holds for the whole model, nil for none: that of /encode, else that of
// /default (the handler of everything but /rank in the original), else that of /, else the first by name.
func (e *Executor) Batching() *DynamicBatching {
	for _, endpoint := range append([]string{"/encode", "/default", "/"}, slices.Sorted(maps.Keys(e.DynamicBatching))...) {
		if b, found := e.DynamicBatching[endpoint]; found {
			return &b
		}
	}
	return nil
}

// DynamicBatching asks that requests of several callers are merged.
type DynamicBatching struct {
	PreferredBatchSize int
	Timeout            time.Duration // longest wait for a full batch; 0 = none
}
