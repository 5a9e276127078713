package runtime

// #include <stdlib.h>
// #include "loader.h"
import "C"

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"unsafe"
)

// SessionOptions says what to compile and how.
type SessionOptions struct {
	Graph     string    // path of an ONNX file; its external data lies beside it
	CacheDir  string    // where compiled models may be kept, made when missing; "": nowhere
	Device    string    // "cpu", "cuda:0"; "": "cpu"
	Tower     Tower     // which half of the model the graph is
	Precision Precision // Auto lets the runtime choose; anything else is met or refused
	Lanes     int       // how many lanes will run at the same time; 0: 1
	Threads   int       // processor threads for each lane; 0: cores divided by lanes, at least 1
	Cpus      string    // processors that its threads may run on, as "0-3,8" (see clipd/engine/cpus); "": all
	Nice      int       // how much its threads yield to the process's others, as Unix's nice: 0 to 19; processor only
	MaxRows   int       // most rows of a batch; 0: not known
	MaxLength int       // text: most tokens of one text; 0: not known
}

// SessionInfo says what is in force.
type SessionInfo struct {
	Precision Precision // never Auto
	Device    string    // "cpu AMD EPYC 9R45"
	Dim       int       // columns of the output
	ImageSize int       // image tower: height and width in pixels, 0 when the graph takes any
	Cached    bool      // the compiled model came from CacheDir
	Packs     bool      // the text tower takes several texts in a line
}

// Session is one tower compiled for one device. It is safe for concurrent use.
type Session struct {
	runtime *Runtime
	tower   Tower
	info    SessionInfo

	mu     sync.Mutex
	c      *C.clip_session // nil once it is destroyed
	lanes  int             // that are open
	closed bool
}

// NewSession compiles a graph. It takes seconds for a large one, and warms up what would make the first batch slow.
func (r *Runtime) NewSession(o SessionOptions) (*Session, error) {
	if o.Lanes < 0 || o.Threads < 0 || o.Lanes > math.MaxInt32 || o.Threads > math.MaxInt32 {
		return nil, r.fail(StatusInvalid, fmt.Sprintf("lanes is %d and threads is %d; neither may be negative", o.Lanes, o.Threads))
	}
	// C would take the part before a zero byte for the whole.
	for _, text := range []string{o.Graph, o.CacheDir, o.Device, o.Cpus} {
		if strings.ContainsRune(text, 0) {
			return nil, r.fail(StatusInvalid, fmt.Sprintf("%q contains a zero byte", text))
		}
	}
	graph, cache, device, cpus := C.CString(o.Graph), C.CString(o.CacheDir), C.CString(o.Device), C.CString(o.Cpus)
	defer C.free(unsafe.Pointer(graph))
	defer C.free(unsafe.Pointer(cache))
	defer C.free(unsafe.Pointer(device))
	defer C.free(unsafe.Pointer(cpus))
	var options C.clip_session_options
	options.size = C.uint32_t(unsafe.Sizeof(options))
	options.graph_path, options.cache_dir, options.device = graph, cache, device
	options.tower = C.clip_tower(o.Tower)
	options.precision = C.clip_precision(o.Precision)
	options.lanes = C.uint32_t(o.Lanes)
	options.threads = C.uint32_t(o.Threads)
	options.cpus = cpus
	options.nice = C.uint32_t(max(o.Nice, 0))
	options.max_rows, options.max_length = C.uint32_t(max(o.MaxRows, 0)), C.uint32_t(max(o.MaxLength, 0))

	var info C.clip_session_info
	info.size = C.uint32_t(unsafe.Sizeof(info))
	var session *C.clip_session
	var text errorText
	status := C.clip_loader_session_create(r.api, &options, &session, &info, &text[0], errorBytes)
	if status != C.CLIP_OK {
		return nil, r.fail(Status(status), text.String())
	}
	return &Session{runtime: r, tower: o.Tower, c: session, info: SessionInfo{
		Precision: Precision(info.precision),
		Device:    C.GoString(&info.device[0]),
		Dim:       int(info.dim),
		ImageSize: int(info.image_size),
		Cached:    info.cached != 0,
		Packs:     info.packs != 0,
	}}, nil
}

// Info says what is in force.
func (s *Session) Info() SessionInfo { return s.info }

// NewLane makes an execution context.
func (s *Session) NewLane() (*Lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, s.runtime.fail(StatusInvalid, "the session is closed")
	}
	var lane *C.clip_lane
	var text errorText
	if status := C.clip_loader_lane_create(s.runtime.api, s.c, &lane, &text[0], errorBytes); status != C.CLIP_OK {
		return nil, s.runtime.fail(Status(status), text.String())
	}
	s.lanes++
	return &Lane{session: s, c: lane}, nil
}

// Close frees the session as soon as its last lane is closed. A second call does nothing.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.destroyIfUnused()
}

// laneClosed counts a lane out.
func (s *Session) laneClosed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes--
	s.destroyIfUnused()
}

// destroyIfUnused frees the C session when nothing can reach it any more; s.mu is held.
func (s *Session) destroyIfUnused() {
	if s.closed && s.lanes == 0 && s.c != nil {
		C.clip_loader_session_destroy(s.runtime.api, s.c)
		s.c = nil
	}
}
