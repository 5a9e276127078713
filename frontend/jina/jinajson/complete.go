package jinajson

import (
	"path"
	"strings"

	"clipd/frontend/jina/pb"
)

// Complete fills in what the original's reader of JSON does for callers who write documents by hand: how far a match or
// a chunk lies from its root document, and the MIME type that a uri tells.
func Complete(docs []*pb.DocumentProto) {
	for _, d := range docs {
		if d.Uri != "" && d.MimeType == "" {
			d.MimeType = mimeTypeOf(d.Uri)
		}
		for _, m := range d.Matches {
			if m.Adjacency == 0 {
				m.Adjacency = d.Adjacency + 1
			}
		}
		for _, c := range d.Chunks {
			if c.Granularity == 0 {
				c.Granularity = d.Granularity + 1
			}
		}
		Complete(d.Matches)
		Complete(d.Chunks)
	}
}

// pictureTypes are the MIME types of pictures by the extensions of their files.
var pictureTypes = map[string]string{
	".avif": "image/avif", ".bmp": "image/bmp", ".gif": "image/gif", ".jpe": "image/jpeg", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".png": "image/png", ".tif": "image/tiff", ".tiff": "image/tiff", ".webp": "image/webp",
}

// mimeTypeOf guesses the MIME type of what a uri names; "" when nothing tells it.
func mimeTypeOf(uri string) string {
	if rest, isData := strings.CutPrefix(uri, "data:"); isData {
		const longest = 100 // the rest of a data URI can be megabytes
		kind, _, found := strings.Cut(rest[:min(len(rest), longest)], ",")
		kind, _, _ = strings.Cut(kind, ";")
		if !found || !strings.Contains(kind, "/") {
			return ""
		}
		return strings.Clone(kind)
	}
	uri, _, _ = strings.Cut(uri, "?")
	uri, _, _ = strings.Cut(uri, "#")
	return pictureTypes[strings.ToLower(path.Ext(uri))]
}
