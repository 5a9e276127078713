package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"clipd/engine/model"
	"clipd/engine/runtime"
	"clipd/engine/tokenizer"
)

// LoadOptions say which model to load and how to run it. Zero fields mean the best choice for the machine.
type LoadOptions struct {
	Name      string   // such as "ViT-B-32::openai" or "demo"
	Path      string   // a checkpoint file or folder, instead of the published weights of Name
	Runtime   string   // "openvino", "onnxruntime", ...; "": the first one found that can run the device
	Device    string   // "cpu", "cuda", "cuda:1"; "": cpu
	Devices   []string // of each replica, as the runtime names them; none: all are on Device
	Precision runtime.Precision
	CacheDir  string // of graphs and compiled models; "": model.CacheDir's choice
	Replicas  int    // copies of the model, each with lanes of its own; 1
	LaneCount int    // batches that one replica works on at a time
	Threads   int    // processor threads of one replica; its share of the cores, on which they then stay
	NoWide    bool   // no wide lanes (see Slot), which cost the memory of a second text tower
	NoCheck   bool   // no self-check: what the lanes answer is not compared with a reference
	Options          // of the scheduler
	Progress  func(stage string, done, total int64)
}

// Opened is a compiled model: its lanes, ready to run batches, and what is in force.
type Opened struct {
	Checkpoint *model.Model
	Tokenizer  *tokenizer.Tokenizer
	Runtime    runtime.Info
	Session    [2]runtime.SessionInfo // by tower; the same for each replica
	Replicas   int
	LaneCount  int // of one replica
	Threads    int // of one lane
	Took       time.Duration
	Lanes      []Lane // of all replicas
	Wide       []Lane // the wide lane of each replica, or none

	runtime  *runtime.Runtime
	cpus     []string // that the threads of each replica are kept on; "": all
	options  LoadOptions
	mu       sync.Mutex // guards sessions
	sessions []*runtime.Session
}

// Loaded is an opened model that a scheduler serves.
type Loaded struct {
	*Model
	*Opened
}

// Load opens a model and starts its scheduler.
func Load(ctx context.Context, o LoadOptions) (*Loaded, error) {
	opened, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	c := opened.Checkpoint
	spec := Spec{Name: c.Name, Dim: c.Dim, ImageSize: c.ImageSize, ContextLength: c.ContextLength, PadID: c.PadID, LogitScale: c.LogitScale,
		Packs: opened.Session[TextTower].Packs}
	costs := opened.calibrate()
	m, err := New(spec, opened.Tokenizer, opened.slots(), o.Options)
	if err != nil {
		opened.Close()
		return nil, err
	}
	m.seed(costs)
	return &Loaded{Model: m, Opened: opened}, nil
}

// Open reads a checkpoint and compiles its towers on a runtime.
func Open(ctx context.Context, o LoadOptions) (*Opened, error) {
	began := time.Now()
	l, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	if c := l.Checkpoint; c.ResizeMode == "squash" {
		return nil, Errorf(Invalid, "model %s wants pictures squashed to a square; clipd crops them, as CLIP does, and would answer wrongly", c.Name)
	}
	if l.Tokenizer, err = tokenizer.New(l.Checkpoint.VocabSize); err != nil {
		return nil, fmt.Errorf("model %s: %w", l.Checkpoint.Name, err)
	}
	l.layOut(o)
	if err := l.openChecked(ctx); err != nil {
		l.Close()
		return nil, fmt.Errorf("model %s: %w", l.Checkpoint.Name, err)
	}
	l.Took = time.Since(began)
	return l, nil
}

// weightsFor returns the type of the weights in the graphs that a runtime gets. Those of the type in which it computes are half
// as large on disk, and OpenVINO, which converts others, needs half the memory: ViT-B/32 is there in 350 MB instead of 630.
func weightsFor(r runtime.Info, asked runtime.Precision) model.DType {
	computes := func(p runtime.Precision) bool {
		return asked == p || asked == runtime.Auto && slices.Contains(r.Precisions, p)
	}
	switch r.Name {
	case "openvino":
		if computes(runtime.BF16) {
			return model.BFloat16
		}
	case "tensorrt", "cuda": // compute in the type of the graph
		if computes(runtime.BF16) {
			return model.BFloat16
		}
		if computes(runtime.FP16) {
			return model.Float16
		}
	}
	return model.Float32
}

// loadGraphs finds the checkpoint and returns its graphs with weights of a type.
func (l *Opened) loadGraphs(ctx context.Context, weights model.DType) (*model.Model, error) {
	o := l.options
	return model.Load(ctx, model.Options{Name: o.Name, Path: o.Path, Weights: weights, CacheDir: o.CacheDir, Progress: o.Progress})
}

// openChecked makes the lanes and checks them. The reference comes first: its towers are out of memory again when those that
// serve come in.
func (l *Opened) openChecked(ctx context.Context) error {
	var ref *reference
	if !l.options.NoCheck {
		var err error
		if ref, err = l.reference(ctx); err != nil {
			return err
		}
	}
	if err := l.openLanes(ctx); err != nil {
		return err
	}
	if l.options.NoCheck {
		return nil
	}
	return l.selfCheck(ref)
}

// openRuntime opens the named runtime, or the first one on this machine.
func openRuntime(name, device string) (*runtime.Runtime, error) {
	if name != "" {
		return runtime.Open(name)
	}
	names := runtime.Names()
	if strings.HasPrefix(device, "cuda") {
		names = []string{"cuda", "tensorrt", "onnxruntime"}
	}
	var missing []error
	for _, name := range names {
		r, err := runtime.Open(name)
		if err == nil {
			return r, nil
		}
		missing = append(missing, err)
	}
	return nil, fmt.Errorf("no runtime can be opened; run `make engine`: %w", errors.Join(missing...))
}

// openLanes compiles both towers for each replica and makes their lanes. The graphs are compiled one after the other, the
// largest first: what compiling takes beside the result comes on top of what is there by then.
func (l *Opened) openLanes(ctx context.Context) error {
	for replica := range l.Replicas {
		var pair [2]*runtime.Session
		for _, tower := range []Tower{ImageTower, TextTower} {
			s, err := l.compile(ctx, tower, replica, l.LaneCount, l.Threads, l.nice())
			if err != nil {
				return err
			}
			if l.Session[tower] = s.Info(); l.Session[tower].Dim != l.Checkpoint.Dim {
				return Errorf(Internal, "the %s tower answers %d columns; the checkpoint has %d", tower, s.Info().Dim, l.Checkpoint.Dim)
			}
			pair[tower] = s
		}
		for range l.LaneCount {
			lane, err := newTowers(pair)
			if err != nil {
				return err
			}
			l.Lanes = append(l.Lanes, lane)
		}
	}
	for replica := range l.Replicas {
		if !l.wantsWide() {
			break
		}
		lane, err := l.openWide(ctx, replica)
		if err != nil {
			return err
		}
		l.Wide = append(l.Wide, lane)
	}
	return nil
}

// compile makes a session of one tower for a replica.
func (l *Opened) compile(ctx context.Context, tower Tower, replica, lanes, threads, nice int) (*runtime.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.options.Progress != nil {
		l.options.Progress("compile the "+tower.String()+" tower", 0, 0)
	}
	s, err := l.runtime.NewSession(runtime.SessionOptions{
		Graph: l.Checkpoint.Graphs[tower], CacheDir: l.compiledDir(), Device: l.device(replica), Tower: runtime.Tower(tower),
		Precision: l.options.Precision, Lanes: lanes, Threads: threads, Cpus: l.cpus[replica], Nice: nice, MaxRows: l.options.withDefaults().MaxBatch, MaxLength: l.Checkpoint.ContextLength,
	})
	if err != nil {
		return nil, err
	}
	runtime.ReleaseHeap() // what compiling took beside the result
	l.mu.Lock()
	l.sessions = append(l.sessions, s)
	l.mu.Unlock()
	return s, nil
}

// compiledDir is where a runtime keeps what it has compiled, beside the graphs.
func (l *Opened) compiledDir() string {
	return filepath.Join(filepath.Dir(l.Checkpoint.Graphs[0]), "compiled")
}

func (l *Opened) openWide(ctx context.Context, replica int) (Lane, error) {
	s, err := l.compile(ctx, TextTower, replica, 1, l.LaneCount*l.Threads, 0)
	if err != nil {
		return nil, err
	}
	text, err := s.NewLane()
	if err != nil {
		return nil, err
	}
	return &towers{text: text}, nil
}

// slots describes the lanes to a scheduler.
func (l *Opened) slots() []Slot {
	var slots []Slot
	for i, lane := range l.Wide { // first: a small request asks them first
		slots = append(slots, Slot{Lane: lane, Replica: i, Wide: true, Locked: l.onGPU(), Rebuild: func() (Lane, error) {
			return l.openWide(context.Background(), i)
		}})
	}
	for i, lane := range l.Lanes {
		replica := i / l.LaneCount
		slots = append(slots, Slot{Lane: lane, Replica: replica, Locked: l.onGPU(), Rebuild: func() (Lane, error) { return l.reopen(replica) }})
	}
	return slots
}

// reopen makes a narrow lane of a replica with sessions of its own: what is wrong with a lane may be wrong with its session, and one
// that hangs keeps its session busy.
func (l *Opened) reopen(replica int) (Lane, error) {
	var pair [2]*runtime.Session
	for _, tower := range []Tower{ImageTower, TextTower} {
		s, err := l.compile(context.Background(), tower, replica, 1, l.Threads, l.nice())
		if err != nil {
			return nil, err
		}
		defer s.Close() // goes with its last lane
		pair[tower] = s
	}
	return newTowers(pair)
}

// Close frees a model that no scheduler serves.
func (l *Opened) Close() {
	for _, lane := range l.Lanes {
		lane.Close()
	}
	for _, lane := range l.Wide {
		lane.Close()
	}
	l.closeSessions()
}

func (l *Opened) closeSessions() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sessions {
		s.Close()
	}
	l.sessions = nil
}

// Close answers what was accepted, then frees the model.
func (l *Loaded) Close() {
	l.Model.Close()
	l.closeSessions()
}

// towers is a lane over both towers of a replica. They share it, so that no more batches run at a time than there
// are lanes. A wide lane has the text tower only.
type towers struct{ image, text *runtime.Lane }

func newTowers(sessions [2]*runtime.Session) (*towers, error) {
	image, err := sessions[ImageTower].NewLane()
	if err != nil {
		return nil, err
	}
	text, err := sessions[TextTower].NewLane()
	if err != nil {
		image.Close()
		return nil, err
	}
	return &towers{image: image, text: text}, nil
}

func (t *towers) RunImages(pixels []byte, rows, size int, out []float32) error {
	return t.image.RunImages(pixels, rows, size, out)
}

func (t *towers) RunTexts(b TextBatch, out []float32) error {
	return t.text.RunTexts(b, out)
}

func (t *towers) Close() {
	if t.image != nil {
		t.image.Close()
	}
	t.text.Close()
}
