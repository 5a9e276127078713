package cuda

import "time"

// State is whether a GPU can be given work.
type State int

const (
	// Well: it answers.
	Well State = iota
	// Lost: it does not answer any more, or an XID error ended its use.
	Lost
	// Stuck: a call into the driver about it has not come back in time.
	Stuck
)

func (s State) String() string { return [...]string{"well", "lost", "stuck"}[s] }

// MarshalText writes the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Snapshot is what the monitor knows at one moment. It is not changed after it was published.
type Snapshot struct {
	At   time.Time   `json:"at"`
	GPUs []GPUStatus `json:"gpus"` // in the order in which the monitor was given them
}

// GPUStatus is one GPU of a snapshot.
type GPUStatus struct {
	Device    Device            `json:"device"`
	State     State             `json:"state"`
	Reason    string            `json:"reason"` // why it is not well, a sentence
	Since     time.Time         `json:"since"`  // of the state
	Reading   Reading           `json:"reading"`
	XIDs      map[uint64]uint64 `json:"xids"`      // how often each code came since the monitor started
	LastXID   string            `json:"lastXID"`   // what the last one means; "" when none came
	Polls     uint64            `json:"polls"`     // that were answered, well or not
	Failed    uint64            `json:"failed"`    // of them, not well
	Events    bool              `json:"events"`    // the GPU reports XID errors; without, only its answers tell
	TimesLost uint64            `json:"timesLost"` // how often it stopped being well
}
