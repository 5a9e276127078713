package engine

import "clipd/engine/runtime"

// TextBatch is a batch of texts in lines; see runtime.Texts.
type TextBatch = runtime.Texts

// lineMost is the most tokens of a line that holds several texts. Within a line every token is compared with every other
// one, so that long lines cost more than many short ones.
const lineMost = 80

// form is how a batch of texts lies in memory. A runtime prepares itself for each form anew, so that batches are
// better of a form that it has seen.
type form struct {
	lines, width int // of ids
	ends         int // rows of the answer: the texts, and some that repeat the last one
}

func (f form) tokens() int { return f.lines * f.width }

// endsOf rounds the number of rows up, since a spare one costs next to nothing.
func endsOf(rows int) int {
	switch {
	case rows <= 2:
		return rows
	case rows <= 8:
		return (rows + 3) &^ 3
	}
	return (rows + 7) &^ 7
}

// packer places texts in lines.
type packer struct {
	order []int // texts, the longest first
	line  []int // of each text
	room  []int // of each line
}

// place gives each text, of so many tokens, a line of a width, and reports whether they fit into so many lines. The longest
// come first, each into the first line with room.
func (p *packer) place(items []item, lines, width int) bool {
	p.line = grow(p.line, len(items))
	p.room = grow(p.room, lines)
	for i := range p.room {
		p.room[i] = width
	}
	for _, i := range p.order {
		at := 0
		for at < lines && p.room[at] < len(items[i].ids) {
			at++
		}
		if at == lines {
			return false
		}
		p.room[at] -= len(items[i].ids)
		p.line[i] = at
	}
	return true
}

// sort puts the texts in order of their length, by counting: there are few lengths.
func (p *packer) sort(items []item, longest int) {
	p.order = p.order[:0]
	for n := longest; n > 0 && len(p.order) < len(items); n-- {
		for i := range items {
			if len(items[i].ids) == n {
				p.order = append(p.order, i)
			}
		}
	}
}

// pack chooses the form of a batch of texts and places them: the form that costs least, counting its padding and what the
// lane takes to change to it.
func (p *packer) pack(items []item, s *shapes, c *cost) form {
	total, longest := 0, 0
	for i := range items {
		total += len(items[i].ids)
		longest = max(longest, len(items[i].ids))
	}
	p.sort(items, longest)
	ends := endsOf(len(items))
	most := max(lineMost, longest)
	best, least := form{}, float64(-1)
	try := func(f form) bool {
		extra := s.extra(f, c) + float64(f.tokens()-total)*float64(c.unit)
		if least >= 0 && extra >= least || !p.place(items, f.lines, f.width) {
			return false
		}
		best, least = f, extra
		return true
	}
	if s.last.tokens() >= total && s.last.width <= most && s.last.ends >= len(items) {
		try(s.last)
	}
	for lines := (total + most - 1) / most; ; lines++ {
		fits := false
		for width := max((total+lines-1)/lines, longest); width <= most; width++ {
			if lines > 1 { // lines of a few widths, so that forms come again
				width = min((width+packStep-1)/packStep*packStep, most)
			}
			f := form{lines, width, ends}
			if least >= 0 && float64(f.tokens()-total)*float64(c.unit) >= least {
				fits = true // no wider one can be better
				break
			}
			fits = try(f) || fits
		}
		if fits {
			break
		}
	}
	p.place(items, best.lines, best.width)
	return best
}

// packStep is the grain of the widths where a batch has several lines, in tokens.
const packStep = 8

// extra is what the lane takes beside the work for a batch of a form, in nanoseconds.
func (s *shapes) extra(f form, c *cost) float64 {
	if f == s.last {
		return 0
	}
	extra := float64(c.change)
	if _, ok := s.seen[f]; !ok {
		extra += float64(c.fresh) / freshPart
	}
	return extra
}

// texts are the buffers of a batch of texts.
type textBuffers struct {
	batch TextBatch
	pack  runtime.Packing
}

// padded lays texts in a line each, filled up with pad.
func (b *textBuffers) padded(items []item, width int, pad int32) {
	b.batch = TextBatch{Rows: len(items), Length: width, IDs: grow(b.batch.IDs, len(items)*width)}
	for i := range items {
		row := b.batch.IDs[i*width : (i+1)*width]
		for j := copy(row, items[i].ids); j < len(row); j++ {
			row[j] = pad
		}
	}
}

// packed lays texts as the packer has placed them.
func (b *textBuffers) packed(items []item, p *packer, f form) {
	n := f.tokens()
	b.pack.Positions, b.pack.Segments, b.pack.Ends = grow(b.pack.Positions, n), grow(b.pack.Segments, n), grow(b.pack.Ends, f.ends)
	b.batch = TextBatch{Rows: f.ends, Length: f.width, IDs: grow(b.batch.IDs, n), Packing: &b.pack}
	clear(b.batch.IDs)
	clear(b.pack.Positions)
	for i := range b.pack.Segments {
		b.pack.Segments[i] = -1
	}
	used := grow(p.room, f.lines)
	clear(used)
	for i := range items {
		ids := items[i].ids
		begin := p.line[i]*f.width + used[p.line[i]]
		used[p.line[i]] += len(ids)
		copy(b.batch.IDs[begin:], ids)
		for j := range ids {
			b.pack.Positions[begin+j], b.pack.Segments[begin+j] = int32(j), int32(i)
		}
		b.pack.Ends[i] = int32(begin + len(ids) - 1)
	}
	for i := len(items); i < f.ends; i++ {
		b.pack.Ends[i] = b.pack.Ends[len(items)-1]
	}
}

// upToEnd cuts the tokens of a text behind its end, the first position of the largest id: that is where CLIP takes the
// embedding from, and no token sees those after it. A text that contains the end's own marker has more of them.
func upToEnd(ids []int32) []int32 {
	end := 0
	for i, id := range ids {
		if id > ids[end] {
			end = i
		}
	}
	return ids[:min(end+1, len(ids))]
}

// LayOut makes a batch of texts, each a list of tokens: side by side in lines for a session that packs, else one in each
// line, filled up with pad. Its rows are the texts in their order; a packed one may have some more, to be ignored.
func LayOut(rows [][]int32, packs bool, pad int32) TextBatch { return layOut(rows, packs, true, pad) }

// LayOutLines makes a batch with one text in each line, as long as the longest, also for a session that packs.
func LayOutLines(rows [][]int32, packs bool, pad int32) TextBatch {
	return layOut(rows, packs, false, pad)
}

func layOut(rows [][]int32, packs, dense bool, pad int32) TextBatch {
	items := make([]item, len(rows))
	longest := 0
	for i, row := range rows {
		if packs {
			row = upToEnd(row)
		}
		items[i].ids = row
		longest = max(longest, len(row))
	}
	var b textBuffers
	var p packer
	switch {
	case !packs:
		b.padded(items, longest, pad)
	case dense:
		b.packed(items, &p, p.pack(items, &shapes{}, &cost{unit: 1}))
	default:
		f := form{len(items), longest, len(items)}
		p.line = make([]int, len(items))
		for i := range items {
			p.line[i] = i
		}
		b.packed(items, &p, f)
	}
	return b.batch
}
