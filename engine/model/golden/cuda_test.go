package golden_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clipd/engine/model"
	"clipd/engine/runtime"
)

// supported says whether the native CUDA runtime computes both towers of a form.
func (f form) supported() bool {
	return f.folder != "resnet" && f.folder != "xlmr_gelu" && !strings.HasPrefix(f.path, "pair")
}

// checkCUDA runs golden models on a runtime that is the native CUDA one or stands in for it.
func checkCUDA(t *testing.T, r *runtime.Runtime, chosen []form) {
	cache := t.TempDir()
	for _, precision := range r.Info().Precisions {
		for _, f := range chosen {
			if f.supported() {
				t.Run(precision.String()+"/"+f.path, func(t *testing.T) { f.check(t, r, precision, cache) })
			}
		}
	}
	for _, f := range forms {
		if f.supported() {
			continue
		}
		t.Run("refused/"+f.path, func(t *testing.T) {
			m, err := model.Load(context.Background(), model.Options{Path: f.place(t), CacheDir: cache})
			if err != nil {
				t.Fatal(err)
			}
			var refused []string
			for _, tower := range []runtime.Tower{runtime.Image, runtime.Text} {
				s, err := r.NewSession(runtime.SessionOptions{Graph: m.Graphs[tower], Tower: tower, Device: device(r)})
				if err == nil {
					s.Close()
					continue
				}
				if !errors.Is(err, runtime.ErrInvalid) || !strings.Contains(err.Error(), "onnxruntime") {
					t.Errorf("%v names no runtime to use", err)
				}
				refused = append(refused, err.Error())
			}
			if len(refused) == 0 {
				t.Error("both towers were taken")
			}
		})
	}
}

// openEmulated opens the native CUDA runtime's own source compiled for the processor, or skips the test.
func openEmulated(t *testing.T) *runtime.Runtime {
	t.Helper()
	folder, err := filepath.Abs("../../../build/cuda_emulated")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "libclip_cuda.so")); err != nil {
		t.Skip("the emulated CUDA runtime is not there: `make test-native` builds it where there is a CUDA compiler")
	}
	t.Setenv("CLIPD_RUNTIMES", folder)
	t.Setenv("CLIPD_CUBLASLT", filepath.Join(folder, "libcublasLt_host.so"))
	r, err := runtime.Open("cuda")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEmulatedCUDA runs the native CUDA runtime's own source on the processor: its kernels, the order in which they run,
// its buffers and the layout of its weights, with plain matrix products in place of cuBLAS's.
func TestEmulatedCUDA(t *testing.T) {
	r := openEmulated(t)
	checkCUDA(t, r, []form{forms[1], forms[4], forms[6]}) // one of each network: it is slow, and how weights are stored does not matter
}

// TestEmulatedCUDAHalfWeights: a runtime takes graphs whose weights are stored in 16 bits, too, in which pixels are scaled
// differently.
func TestEmulatedCUDAHalfWeights(t *testing.T) {
	r, cache, f := openEmulated(t), t.TempDir(), forms[4]
	g := readGolden(t, f.folder)
	for _, weights := range []model.DType{model.Float16, model.BFloat16} {
		m, err := model.Load(context.Background(), model.Options{Path: f.place(t), CacheDir: cache, Weights: weights})
		if err != nil {
			t.Fatal(err)
		}
		near := bar{0.9995, 0.2}
		if weights == model.Float16 {
			near = bar{0.9999, 0.02}
		}
		image := newTower(t, r, m, runtime.Image, runtime.FP32)
		compare(t, weights.String()+" image", image.images(g.pixels, g.size), g.images, near)
		text := newTower(t, r, m, runtime.Text, runtime.FP32)
		compare(t, weights.String()+" text", text.texts(g.reduced, m.ContextLength, m.PadID), g.texts, near)
	}
}

// TestCUDA runs the golden models on a GPU.
func TestCUDA(t *testing.T) {
	if os.Getenv("CLIPD_GPU") != "1" {
		t.Skip("needs a GPU: CLIPD_GPU=1 (make test-gpu) says that there is one")
	}
	r, err := runtime.Open("cuda")
	if err != nil {
		t.Fatal(err)
	}
	checkCUDA(t, r, forms)
}
