package model

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"clipd/engine/model/registry"
)

// Make writes a checkpoint with random weights into the folder dst: open_clip_model.safetensors (float32) and
// open_clip_config.json. The architecture is one of open_clip's by name, such as ViT-L-14 or RN50. The same seed gives the
// same bytes. The weights are scaled as for training, so that activations stay in the range of half precision.
func Make(architecture string, seed int64, dst string) error {
	name, a, err := registry.FindArchitecture(architecture)
	if err != nil {
		return err
	}
	tensors, err := randomTensors(a)
	if err != nil {
		return fmt.Errorf("architecture %s: %w", name, err)
	}
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return err
	}
	if err := writeRandom(filepath.Join(dst, "open_clip_model.safetensors"), tensors, seed); err != nil {
		return fmt.Errorf("cannot write random weights to %s: %w", dst, err)
	}
	config := map[string]any{
		"model_cfg":      a,
		"preprocess_cfg": map[string]any{"mean": registry.OpenAIMean, "std": registry.OpenAIStd},
	}
	data, err := json.MarshalIndent(config, "", " ")
	if err != nil {
		return err
	}
	return writeAtomically(filepath.Join(dst, "open_clip_config.json"), append(data, '\n'))
}

// randomTensor is uniform around mean with standard deviation std.
type randomTensor struct {
	name      string
	shape     []int
	mean, std float32
}

func (t randomTensor) len() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// writeRandom streams a safetensors file; it appears under its name when it is whole.
func writeRandom(path string, tensors []randomTensor, seed int64) error {
	type headerEntry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]headerEntry{}
	at := int64(0)
	for _, t := range tensors {
		size := 4 * int64(t.len())
		header[t.name] = headerEntry{"F32", append([]int{}, t.shape...), [2]int64{at, at + size}} // a scalar's shape is [], not null
		at += size
	}
	encoded, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(encoded)%8 != 0 { // the data begins at a multiple of 8
		encoded = append(encoded, ' ')
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	w := bufio.NewWriterSize(f, 1<<20)
	w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(encoded)))) // errors of w stay until Flush
	w.Write(encoded)
	for i, t := range tensors {
		if err := t.write(w, rand.NewPCG(uint64(seed), uint64(i))); err != nil {
			break
		}
	}
	err = w.Flush()
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (t randomTensor) write(w io.Writer, random *rand.PCG) error {
	// Uniform in [-1, 1) has variance 1/3. Each draw of 64 bits makes two numbers of 32.
	scale := t.std * float32(math.Sqrt(3)) / (1 << 31)
	buffer := make([]byte, 0, 64<<10)
	for left := t.len(); left > 0; {
		n := min(left, cap(buffer)/4)
		buffer = buffer[:0]
		for i := 0; i < n; i += 2 {
			bits := random.Uint64()
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(t.mean+float32(int32(bits))*scale))
			if i+1 < n {
				buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(t.mean+float32(int32(bits>>32))*scale))
			}
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
		left -= n
	}
	return nil
}
