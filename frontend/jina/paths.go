package jina

import (
	"strconv"
	"strings"

	"clipd/engine"
	"clipd/frontend/jina/pb"
)

// step is one letter of an access path: r (the documents themselves), c (their chunks) or m (their matches), with an
// optional Python slice.
type step struct {
	letter byte
	slice  *slice
}

// slice is Python's a[begin:end:stride] or a[index]; nil fields are left out.
type slice struct {
	index, begin, end, stride *int
}

// accessPaths are the parsed form of DocArray's "@r,c[0:3],cm".
type accessPaths [][]step

// rootsAndMatches are the documents that a ranking embeds.
var rootsAndMatches = accessPaths{{{letter: 'r'}}, {{letter: 'm'}}}

// maxPathsText is the longest text of access paths, bytes. Each of its letters may walk over all documents of a request.
const maxPathsText = 256

func parseAccessPaths(text string) (accessPaths, error) {
	bad := func(why string) error {
		return engine.Errorf(engine.Invalid,
			"access_paths %q is malformed: %s; write @ and letters r (roots), c (chunks), m (matches), such as @r or @r,c or @cc", text, why)
	}
	if len(text) > maxPathsText {
		return nil, engine.Errorf(engine.Invalid, "access_paths has %d bytes; it may have %d: name each path once, such as @r,c", len(text), maxPathsText)
	}
	body := strings.Join(strings.Fields(text), "")
	if !strings.HasPrefix(body, "@") {
		return nil, bad("it must begin with @")
	}
	var paths accessPaths
	for _, part := range strings.Split(body[1:], ",") {
		var path []step
		for part != "" {
			s := step{letter: part[0]}
			if !strings.ContainsRune("rcm", rune(s.letter)) {
				return nil, bad("unknown letter " + strconv.Quote(part[:1]))
			}
			part = part[1:]
			if strings.HasPrefix(part, "[") {
				inside, rest, found := strings.Cut(part[1:], "]")
				if !found {
					return nil, bad("a [ is not closed")
				}
				sl, err := parseSlice(inside)
				if err != nil {
					return nil, bad("slice [" + inside + "] is not made of whole numbers")
				}
				s.slice, part = sl, rest
			}
			path = append(path, s)
		}
		if len(path) == 0 {
			return nil, bad("a path is empty")
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func parseSlice(text string) (*slice, error) {
	fields := strings.Split(text, ":")
	if len(fields) > 3 {
		return nil, strconv.ErrSyntax
	}
	numbers := make([]*int, 3)
	for i, f := range fields {
		if f == "" {
			continue
		}
		n, err := strconv.Atoi(f)
		if err != nil {
			return nil, err
		}
		numbers[i] = &n
	}
	if len(fields) == 1 {
		if numbers[0] == nil {
			return nil, strconv.ErrSyntax
		}
		return &slice{index: numbers[0]}, nil
	}
	if numbers[2] != nil && *numbers[2] == 0 {
		return nil, strconv.ErrRange
	}
	return &slice{begin: numbers[0], end: numbers[1], stride: numbers[2]}, nil
}

// of returns the documents that the slice picks.
func (s *slice) of(docs []*pb.DocumentProto) []*pb.DocumentProto {
	n := len(docs)
	if s == nil {
		return docs
	}
	if s.index != nil {
		i := *s.index
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil
		}
		return docs[i : i+1]
	}
	stride := 1
	if s.stride != nil {
		stride = max(-n-1, min(n+1, *s.stride)) // as far as any step leads; a larger one would overflow below
	}
	// As Python's slice.indices: missing ends depend on the direction, the others are clamped to it.
	low, high := 0, n
	if stride < 0 {
		low, high = -1, n-1
	}
	bound := func(p *int, missing int) int {
		if p == nil {
			return missing
		}
		i := *p
		if i < 0 {
			i += n
		}
		return max(low, min(high, i))
	}
	var begin, end int
	if stride > 0 {
		begin, end = bound(s.begin, low), bound(s.end, high)
	} else {
		begin, end = bound(s.begin, high), bound(s.end, low)
	}
	var picked []*pb.DocumentProto
	for i := begin; (stride > 0 && i < end) || (stride < 0 && i > end); i += stride {
		picked = append(picked, docs[i])
	}
	return picked
}

// find returns the documents that the paths name, each once, in the order of the paths.
func (a accessPaths) find(docs []*pb.DocumentProto) []*pb.DocumentProto {
	if len(a) == 1 && len(a[0]) == 1 && a[0][0].letter == 'r' && a[0][0].slice == nil {
		return docs
	}
	var found []*pb.DocumentProto
	seen := make(map[*pb.DocumentProto]bool)
	for _, path := range a {
		for _, d := range walk(docs, path) {
			if !seen[d] {
				seen[d] = true
				found = append(found, d)
			}
		}
	}
	return found
}

func walk(docs []*pb.DocumentProto, path []step) []*pb.DocumentProto {
	for _, s := range path {
		if s.letter == 'r' {
			docs = s.slice.of(docs)
			continue
		}
		var next []*pb.DocumentProto
		for _, d := range docs {
			below := d.Chunks
			if s.letter == 'm' {
				below = d.Matches
			}
			next = append(next, s.slice.of(below)...)
		}
		docs = next
	}
	return docs
}
