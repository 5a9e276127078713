package cuda

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// roundRobin reads what follows RR in Jina's way (jina 3.27, Deployment._parse_devices): nothing, a slice of Python with or
// without brackets, one index, a list of indices, or UUIDs. What Jina would hand on to CUDA, to fail there, is an error here.
func roundRobin(devices, whole []Device, setting Setting, spec string) ([]Device, error) {
	fail := func(format string, args ...any) ([]Device, error) {
		return nil, fmt.Errorf("%s: %s; RR is all, RR0:2 the first two, RR0,2 those two, of %s", setting, fmt.Sprintf(format, args...),
			choices(devices))
	}
	if wrapped.MatchString(spec) {
		spec = spec[1 : len(spec)-1]
	}
	spec = strings.TrimSpace(spec)
	if spec == "" {
		return whole, nil
	}
	parts := strings.Split(spec, ",")
	if strings.HasPrefix(spec, "GPU-") || strings.HasPrefix(spec, "MIG-") {
		return named(devices, parts, fail)
	}
	if len(parts) > 1 {
		return indexed(whole, parts, fail)
	}
	if parts = strings.Split(spec, ":"); len(parts) > 3 {
		return fail("%q has more than start, stop and step", spec)
	}
	bounds := make([]*int, 3)
	for i, part := range parts {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil {
			return fail("%q is neither an index nor the beginning of a UUID", part)
		}
		bounds[i] = &n
	}
	if len(parts) == 1 { // one index is the slice of it, so that RR-1 is empty, as in Jina
		next := *bounds[0] + 1
		bounds[1] = &next
	}
	if bounds[2] != nil && *bounds[2] == 0 {
		return fail("the step of a slice cannot be 0")
	}
	var selected []Device
	for _, i := range slice(len(whole), bounds[0], bounds[1], bounds[2]) {
		selected = append(selected, whole[i])
	}
	if len(selected) == 0 {
		return fail("that selects none of %s", countGPUs(len(whole)))
	}
	return selected, nil
}

// wrapped is a slice in brackets; Jina takes those off.
var wrapped = regexp.MustCompile(`^\[[-0-9:]+\]$`)

// named finds each of a list of UUIDs.
func named(devices []Device, entries []string, fail func(string, ...any) ([]Device, error)) ([]Device, error) {
	var selected []Device
	for _, entry := range entries {
		entry = strings.TrimSpace(entry)
		d, why := find(devices, entry, entry[:min(len(entry), len("GPU-"))])
		if why != "" {
			return fail("%q %s", entry, why)
		}
		selected = append(selected, d)
	}
	return selected, nil
}

// indexed finds each of a list of indices; one that is there twice gets twice the replicas.
func indexed(whole []Device, entries []string, fail func(string, ...any) ([]Device, error)) ([]Device, error) {
	var selected []Device
	for _, entry := range entries {
		n, err := strconv.Atoi(strings.TrimSpace(entry))
		if err != nil {
			return fail("%q is no index of a GPU", strings.TrimSpace(entry))
		}
		d, why := number(whole, strconv.Itoa(n))
		if why != "" {
			return fail("%d %s", n, why)
		}
		selected = append(selected, d)
	}
	return selected, nil
}

// slice returns the indices that range(n)[start:stop:step] has in Python; nil bounds are those that were left out, and step is
// not 0.
func slice(n int, start, stop, step *int) []int {
	by := 1
	if step != nil {
		by = *step
	}
	// Where a bound may lie, and where it lies when it is left out.
	least, most := 0, n
	if by < 0 {
		least, most = -1, n-1
	}
	clamp := func(bound *int, omitted int) int {
		if bound == nil {
			return omitted
		}
		at := *bound
		if at < 0 {
			at += n
		}
		return max(least, min(at, most))
	}
	var indices []int
	if by > 0 {
		for i, end := clamp(start, least), clamp(stop, most); i < end; i += by {
			indices = append(indices, i)
		}
	} else {
		for i, end := clamp(start, most), clamp(stop, least); i > end; i += by {
			indices = append(indices, i)
		}
	}
	return indices
}
