package flows

import "sort"

// flow reads the whole file.
func (r *reader) flow(root *value) *Flow {
	if root.tag != "" && root.tag != "Flow" {
		r.fail(root, "the tag of a flow file is !Flow, not !%s", shorten(root.tag))
	}
	var o outline
	found := readSection(r, &flowSection, root, &o, r.shelf(root))
	f := &Flow{Source: r.source, Gateway: r.gateway(&o)}
	if o.executors == nil {
		place := root
		if v := found["executors"]; v != nil {
			place = v
		}
		r.fail(place, "the flow has no executors, so there is nothing to serve; write executors: with a dash, a name and uses for each model")
	}
	f.Executors = r.executors(&o)
	sort.SliceStable(r.notices, func(i, j int) bool {
		a, b := r.notices[i], r.notices[j]
		return a.Source == b.Source && a.Line < b.Line
	})
	f.Notices = r.notices
	return f
}
