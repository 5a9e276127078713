package cuda

import (
	"fmt"
	"strconv"
	"strings"
)

// Pick returns the devices that the key device of a flow means: all that the selection leaves for "cuda", the Nth of them for
// "cuda:N", counted from 0 as CUDA would in a process with this CUDA_VISIBLE_DEVICES.
func (s Selection) Pick(device string) ([]Device, error) {
	if device == "cuda" {
		return s.Devices, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(device, "cuda:"))
	if err != nil || n < 0 || !strings.HasPrefix(device, "cuda:") {
		return nil, fmt.Errorf("device %q is no GPU; a flow names cuda, or cuda:N with a number from 0", device)
	}
	if n >= len(s.Devices) {
		var have []string
		for i, d := range s.Devices {
			have = append(have, fmt.Sprintf("cuda:%d is %s", i, d.Label()))
		}
		return nil, fmt.Errorf("device is %s, but there are %s to choose from (%s): %s", device, countGPUs(len(s.Devices)), s.Setting,
			strings.Join(have, ", "))
	}
	return s.Devices[n : n+1], nil
}

// Place spreads replicas over devices: the first replica goes to the first device, and after the last one it begins anew. The
// result has a device for each replica.
func Place(replicas int, devices []Device) ([]Device, error) {
	if len(devices) == 0 {
		return nil, fmt.Errorf("%s have no GPU to go to", plural(replicas, "replica"))
	}
	if replicas < 1 {
		return nil, fmt.Errorf("replicas is %d; it is at least 1", replicas)
	}
	placed := make([]Device, replicas)
	for i := range placed {
		placed[i] = devices[i%len(devices)]
	}
	return placed, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
