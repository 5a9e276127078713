package flows

import "time"

// Flow is what one flow file says, defaults filled in and variables replaced.
type Flow struct {
	Source    string // where it came from: a path, the name of a built-in flow, or what Parse was told
	Gateway   Gateway
	Executors []Executor // at least one; names differ
	Notices   []Notice   // keys that are known but have no meaning here, each once, in the order of the file
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

	SSLCertFile, SSLKeyFile string // PEM; both or neither

	// GRPCServerOptions are options of the gRPC core library, such as grpc.max_send_message_length; the values are int64,
	// float64, bool or string.
	GRPCServerOptions map[string]any
	// UvicornKwargs are settings of the HTTP and WebSocket server in uvicorn's words, such as ssl_keyfile_password; values as
	// above, or []any, or map[string]any.
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

// Limits bound what callers can make the server do.
type Limits struct {
	MaxMessageBytes int64 // of one request
	MaxImageBytes   int64 // of one encoded picture
	MaxPixels       int64 // of one decoded picture
	MaxQueued       int   // inputs of one model accepted and not yet answered
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
	AccessPaths         string // which documents are encoded, such as @r or @r,c

	Runtime string // "openvino", "onnxruntime", "tensorrt" or "cuda"; empty = chosen by backend and device
	Lanes   int    // execution contexts of a replica; 0 = chosen by the server
	Threads int    // CPU threads of a replica; 0 = its share of the cores

	Replicas        int
	TimeoutReady    time.Duration // wait until the model is loaded; negative = for ever
	Env             map[string]string
	DynamicBatching map[string]DynamicBatching // by endpoint, such as /encode

	marks map[string]mark // of the keys that the file gives; of the executor itself under ""
}

// DynamicBatching asks that requests of several callers are merged.
type DynamicBatching struct {
	PreferredBatchSize int
	Timeout            time.Duration // longest wait for a full batch; 0 = none
}
