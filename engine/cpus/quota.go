package cpus

import (
	"bufio"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// readQuota returns the CPU time that the control groups of this process allow, in processors; 0: no limit. Each group above
// may set a limit of its own; the smallest holds.
func readQuota(fsys fs.FS) float64 {
	least := 0.0
	for _, group := range groups(fsys) {
		for folder := group.folder; ; folder = path.Dir(folder) {
			if q := group.read(fsys, folder); q > 0 && (least == 0 || q < least) {
				least = q
			}
			if folder == group.mount || folder == "." || folder == "/" {
				break
			}
		}
	}
	return least
}

// group is a control group of this process in one hierarchy.
type group struct {
	mount, folder string // where its hierarchy is mounted, and its own folder there or below
	read          func(fsys fs.FS, folder string) float64
}

// groups finds the groups of this process: /proc/self/cgroup names them as seen from the roots of their hierarchies,
// /proc/self/mountinfo says which part of a hierarchy is mounted where.
func groups(fsys fs.FS) (found []group) {
	v1, v2 := groupNames(fsys)
	lines := bufio.NewScanner(strings.NewReader(text(fsys, "proc/self/mountinfo")))
	for lines.Scan() {
		// 31 23 0:28 / /sys/fs/cgroup rw,relatime shared:1 - cgroup2 cgroup rw
		before, after, _ := strings.Cut(lines.Text(), " - ")
		mount, kind := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(kind) < 3 {
			continue
		}
		name, read := v2, quotaV2
		switch {
		case kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "cpu"):
			name, read = v1, quotaV1
		case kind[0] != "cgroup2":
			continue
		}
		if name == "" {
			continue
		}
		point := strings.TrimPrefix(mount[4], "/")
		// A container sees its own group as the root of the mount; what is above cannot be seen.
		below := strings.TrimPrefix(name, strings.TrimSuffix(mount[3], "/"))
		if strings.HasPrefix(below, "/..") {
			below = "/"
		}
		folder := path.Join(point, below)
		if _, err := fs.Stat(fsys, folder); err != nil {
			folder = point
		}
		found = append(found, group{mount: point, folder: folder, read: read})
	}
	return found
}

// groupNames returns the group in the hierarchy of version 1 that has the controller "cpu", and the one in version 2.
func groupNames(fsys fs.FS) (v1, v2 string) {
	lines := bufio.NewScanner(strings.NewReader(text(fsys, "proc/self/cgroup")))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3) // 4:cpu,cpuacct:/docker/1f2e
		switch {
		case len(parts) < 3:
		case parts[0] == "0" && parts[1] == "":
			v2 = parts[2]
		case slices.Contains(strings.Split(parts[1], ","), "cpu"):
			v1 = parts[2]
		}
	}
	return v1, v2
}

// quotaV2 reads "150000 100000": microseconds of CPU time in each period; "max" is no limit.
func quotaV2(fsys fs.FS, folder string) float64 {
	parts := strings.Fields(text(fsys, path.Join(folder, "cpu.max")))
	if len(parts) != 2 {
		return 0
	}
	return ratio(parts[0], parts[1])
}

// quotaV1 reads the same from two files; -1 is no limit.
func quotaV1(fsys fs.FS, folder string) float64 {
	return ratio(text(fsys, path.Join(folder, "cpu.cfs_quota_us")), text(fsys, path.Join(folder, "cpu.cfs_period_us")))
}

func ratio(quota, period string) float64 {
	q, err := strconv.ParseFloat(quota, 64)
	if err != nil {
		return 0
	}
	p, err := strconv.ParseFloat(period, 64)
	if err != nil || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}
