package jinajson

import (
	"clipd/frontend/jina/pb"
)

// documentParts is a document with the messages that its content needs, so that a request's documents are one
// allocation.
type documentParts struct {
	doc    pb.DocumentProto
	text   pb.DocumentProto_Text
	blob   pb.DocumentProto_Blob
	tensor pb.DocumentProto_Tensor
}

// list reads a list of documents; null is an empty one.
func (p *parser) list() []*pb.DocumentProto {
	begin := p.at
	if p.isNull() {
		return nil
	}
	if p.peek() != '[' {
		p.skip()
		p.fail(begin, "value is not a valid list", "type_error.list", "must be a list of documents")
		return nil
	}
	p.at++
	var docs []*pb.DocumentProto
	i := 0
	for first := true; p.more(first, ']'); first = false {
		p.pushIndex(i)
		if d := p.document(); d != nil {
			docs = p.append(docs, d)
		}
		p.pop()
		i++
	}
	return docs
}

// append appends a document to a list. The first list to grow, which is the one of the root documents, has room for all
// of the request.
func (p *parser) append(docs []*pb.DocumentProto, d *pb.DocumentProto) []*pb.DocumentProto {
	if docs == nil && p.pointers != nil && len(p.path) <= 3 { // data, perhaps docs, the place in the list
		docs, p.pointers = p.pointers, nil
	}
	return append(docs, d)
}

// content is what a document gives of text, blob and tensor. It can hold one of them: the original lets a later one
// of this order replace an earlier one.
type content struct {
	text   string
	blob   []byte
	tensor *pb.NdArrayProto
}

// document reads a document; nil when there is none.
func (p *parser) document() *pb.DocumentProto {
	begin := p.at
	if p.peek() != '{' {
		p.skip()
		p.fail(begin, "value is not a valid dict", "type_error.dict", `must be an object such as {"text": "a dog"}`)
		return nil
	}
	p.at++
	if len(p.slab) == 0 {
		p.slab = make([]documentParts, 1) // BUG: the scanner has counted fewer
	}
	parts := &p.slab[0]
	p.slab = p.slab[1:]
	mistakes := len(p.details)
	var c content
	for first := true; p.more(first, '}'); first = false {
		key := p.key()
		if p.isNull() {
			continue
		}
		if !p.member(&parts.doc, &c, key) {
			p.skip()
		}
	}
	switch {
	case c.tensor != nil:
		parts.tensor.Tensor = c.tensor
		parts.doc.Content = &parts.tensor
	case len(c.blob) > 0:
		parts.blob.Blob = c.blob
		parts.doc.Content = &parts.blob
	case c.text != "":
		parts.text.Text = c.text
		parts.doc.Content = &parts.text
	}
	p.name(mistakes, &parts.doc)
	return &parts.doc
}

// member reads the value under a document's key; it is false for a key that no document has.
func (p *parser) member(d *pb.DocumentProto, c *content, key []byte) bool {
	p.pushKey("")
	defer p.pop()
	name := &p.path[len(p.path)-1].key
	switch string(key) {
	case "id":
		*name = "id"
		d.Id = p.string()
	case "parent_id":
		*name = "parent_id"
		d.ParentId = p.string()
	case "granularity":
		*name = "granularity"
		d.Granularity = p.uint()
	case "adjacency":
		*name = "adjacency"
		d.Adjacency = p.uint()
	case "blob":
		*name = "blob"
		c.blob = p.blob()
	case "tensor":
		*name = "tensor"
		c.tensor = p.array()
	case "mime_type":
		*name = "mime_type"
		d.MimeType = p.string()
	case "text":
		*name = "text"
		c.text = p.string()
	case "weight":
		*name = "weight"
		d.Weight = float32(p.float(32))
	case "uri":
		*name = "uri"
		d.Uri = p.string()
	case "tags":
		*name = "tags"
		d.Tags = p.tags()
	case "offset":
		*name = "offset"
		d.Offset = float32(p.float(32))
	case "location":
		*name = "location"
		d.Location = p.floats()
	case "embedding":
		*name = "embedding"
		d.Embedding = p.embedding()
	case "modality":
		*name = "modality"
		d.Modality = p.string()
	case "evaluations":
		*name = "evaluations"
		d.Evaluations = p.scores()
	case "scores":
		*name = "scores"
		d.Scores = p.scores()
	case "chunks":
		*name = "chunks"
		d.Chunks = p.list()
	case "matches":
		*name = "matches"
		d.Matches = p.list()
	default:
		return false
	}
	return true
}
