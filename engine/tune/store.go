package tune

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Key is what settings depend on.
type Key struct {
	Devices    []string `json:"devices"`    // of the runtime, with the names of processors or GPUs
	Cores      int      `json:"cores"`      // that the process may use
	Quota      float64  `json:"quota"`      // CPU time that the control group allows, in processors; 0: no limit
	Device     string   `json:"device"`     // that the flow asks for
	Replicas   int      `json:"replicas"`   // that share the machine
	Runtime    string   `json:"runtime"`    // name and version
	Checkpoint string   `json:"checkpoint"` // SHA-256
	Precision  string   `json:"precision"`  // that the flow asks for
}

// Stored is the outcome of a search as it is kept for later starts.
type Stored struct {
	Key      Key       `json:"key"`
	Setting  Setting   `json:"setting"`
	For      Objective `json:"for"`
	Figures  Figures   `json:"figures"`
	Measured time.Time `json:"measured"`
}

// storeVersion changes with what is measured and how, so that what older programs left is not trusted.
const storeVersion = "1"

// ErrNotStored is that nothing is stored for this machine and model.
var ErrNotStored = errors.New("no settings are stored")

func (k Key) path(folder string) (string, error) {
	data, err := json.Marshal(k)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return filepath.Join(folder, "tuned-"+storeVersion+"-"+hex.EncodeToString(sum[:8])+".json"), nil
}

// Find reads what is stored in a folder for a key. The error is ErrNotStored, or says what is wrong with the file.
func Find(folder string, k Key) (*Stored, error) {
	path, err := k.path(folder)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if others, _ := filepath.Glob(filepath.Join(folder, "tuned-*.json")); len(others) > 0 { // the pattern is right
			return nil, fmt.Errorf("%w for this machine; %s has %d for others", ErrNotStored, folder, len(others))
		}
		return nil, ErrNotStored
	}
	if err != nil {
		return nil, err
	}
	var s Stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if other, err := s.Key.path(folder); err != nil || other != path {
		return nil, fmt.Errorf("%s was measured on something else: %+v", path, s.Key)
	}
	if err := s.Setting.check(); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return &s, nil
}

// The bounds of flow files.
const (
	flowLanes     = 64
	flowThreads   = 1024
	flowMinibatch = 1 << 16
)

func (s Setting) check() error {
	if s.Lanes < 1 || s.Lanes > flowLanes || s.Threads < 0 || s.Threads > flowThreads || s.Minibatch < 1 || s.Minibatch > flowMinibatch {
		return fmt.Errorf("its setting is %v", s)
	}
	return nil
}

// Save keeps a result in a folder, in place of an earlier one for its key, and returns the file.
func (s *Stored) Save(folder string) (string, error) {
	if err := s.Setting.check(); err != nil {
		return "", fmt.Errorf("settings that no flow can have are not stored: %w", err)
	}
	path, err := s.Key.path(folder)
	if err != nil {
		return "", err
	}
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	temporary, err := os.CreateTemp(folder, ".tuned-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(data, '\n'))
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(temporary.Name(), path)
}
