package tune

import (
	"fmt"
	"slices"
)

// Setting is what is searched for, in the words of a flow file.
type Setting struct {
	Lanes     int  `json:"lanes"`          // of a replica
	Threads   int  `json:"threads"`        // of a replica, for all its lanes; 0 where lanes need none (GPUs)
	Wide      bool `json:"wide_lane"`      // small requests of texts have a lane with all threads
	Minibatch int  `json:"minibatch_size"` // most rows of a batch
}

// String is the setting in a line.
func (s Setting) String() string {
	wide := "wide lane"
	if !s.Wide {
		wide = "no wide lane"
	}
	return fmt.Sprintf("lanes %d, threads %d, %s, minibatch_size %d", s.Lanes, s.Threads, wide, s.Minibatch)
}

// Space is what may be changed.
type Space struct {
	Cores int  // processors of a replica; 0: the device is no processor
	Wide  bool // wide lanes are to be had

	KeepLayout    bool // lanes, threads and the wide lane stay as they are
	KeepMinibatch bool // the size of batches stays as it is
}

// mostLanes bounds the lanes that are tried; each has buffers of its own and the batches get smaller with each.
const mostLanes = 16

// layouts returns the settings to compare with the present one that have its minibatch: each number of lanes with the
// threads that the cores have for it, fewer threads than cores, and one setting with more.
func (s Space) layouts(present Setting) []Setting {
	if s.KeepLayout {
		return nil
	}
	var all []Setting
	add := func(lanes, threads int) {
		for _, wide := range []bool{true, false} {
			if wide && (lanes == 1 || !s.Wide) {
				continue // it would be like the only lane
			}
			x := Setting{Lanes: lanes, Threads: threads, Wide: wide, Minibatch: present.Minibatch}
			if x != present && !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	if s.Cores == 0 {
		for lanes := 1; lanes <= 4; lanes++ {
			add(lanes, 0)
		}
		return all
	}
	for lanes := 1; lanes <= min(s.Cores, mostLanes); lanes += step(lanes) {
		add(lanes, lanes*(s.Cores/lanes))
	}
	if s.Cores > 1 {
		lanes := min(s.Cores-1, mostLanes/2)
		add(lanes, lanes*((s.Cores-1)/lanes)) // a processor is left to everything else
	}
	each := max(present.Threads/max(present.Lanes, 1), 1)
	add(present.Lanes+1, (present.Lanes+1)*each)
	return all
}

// step is the way to the next number of lanes worth trying: 1, 2, 3, 4, 6, 8, 12, 16.
func step(lanes int) int {
	switch {
	case lanes < 4:
		return 1
	case lanes < 8:
		return 2
	}
	return 4
}

// minibatches returns the setting with other sizes of batches.
func (s Space) minibatches(of Setting) []Setting {
	if s.KeepMinibatch {
		return nil
	}
	sizes := []int{8, 16, 32, 64}
	if s.Cores == 0 {
		sizes = []int{16, 32, 64, 128}
	}
	var all []Setting
	for _, size := range sizes {
		x := of
		if x.Minibatch = size; x != of {
			all = append(all, x)
		}
	}
	return all
}
