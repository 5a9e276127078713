package jinajson

import (
	"crypto/rand"
	"encoding/hex"

	"google.golang.org/protobuf/types/known/structpb"

	"clipd/frontend/jina/pb"
)

// Limits bound what a request may ask for.
type Limits struct {
	MaxDocuments int // of a request, chunks and matches counted; 0 = no limit

	// Take is asked for the memory that the request will need beside its body, bytes, before anything of it is made. Its
	// error is Parse's. nil: nobody is asked.
	Take func(bytes int64) error
}

// Request is what a JSON body asks for.
type Request struct {
	// Proto has header.request_id (32 new hex digits: the body's own header is ignored, as in the original),
	// header.exec_endpoint ("/" unless the body names one), header.target_executor, parameters and data.
	Proto *pb.DataRequestProto
	// Base64 is true when the body says "encoding_format": "base64": the caller wants embeddings as base64 of
	// little-endian float32 rather than as lists of numbers.
	Base64 bool
}

// message is all that every request has, in one allocation.
type message struct {
	request  Request
	proto    pb.DataRequestProto
	header   pb.HeaderProto
	data     pb.DataRequestProto_DataContentProto
	docs     pb.DataRequestProto_DataContentProto_Docs
	array    pb.DocumentArrayProto
	params   structpb.Struct
	endpoint string
	target   string
	steps    [8]step // where the parser's path begins
}

// Parse reads the body of an HTTP request.
//
// It owns body from then on: base64 is decoded in place, and blobs and strings of 1 KiB and more are parts of body, so
// that body must be left alone until nothing of the request is in use. Shorter strings, such as ids and names, are copies
// that may outlive it. The error is an *Error, or that of Limits.Take.
func Parse(body []byte, l Limits) (*Request, error) { return parse(body, l, false) }

// ParseMessage reads a text message of a WebSocket, in which data is required; what Parse says holds here too.
func ParseMessage(body []byte, l Limits) (*Request, error) { return parse(body, l, true) }

// IsEnd reports whether a text message of a WebSocket is the object {}, which ends the input.
func IsEnd(body []byte) bool {
	c := cursor{body: body}
	if c.peek() != '{' {
		return false
	}
	c.at++
	if c.peek() != '}' {
		return false
	}
	c.at++
	return c.peek() == 0 && c.at == len(body)
}

func parse(body []byte, l Limits, needData bool) (*Request, error) {
	s := scanner{cursor: cursor{body: body}, limits: l}
	if s.peek(); s.at == len(body) {
		return nil, bodyError("field required", "value_error.missing", `the body is empty; it must be an object such as {"data": [{"text": "a dog"}]}`)
	}
	if err := s.scan(); err != nil {
		return nil, err
	}
	if l.Take != nil {
		if err := l.Take(s.memory()); err != nil {
			return nil, err
		}
	}
	p := parser{cursor: cursor{body: body}}
	if p.peek() != '{' {
		return nil, bodyError("value is not a valid dict", "type_error.dict",
			`the body is `+quoted(p.body[p.at:])+`; it must be an object such as {"data": [{"text": "a dog"}]}`)
	}
	m := &message{endpoint: "/"}
	p.path = m.steps[:0]
	p.slab = make([]documentParts, s.documents)
	p.pointers = make([]*pb.DocumentProto, 0, s.documents)
	p.root(m)
	if needData && m.proto.Data == nil && len(p.details) == 0 {
		return nil, bodyError("field required", "value_error.missing", `the message has no data; it must be an object such as {"data": [{"text": "a dog"}]}`, "data")
	}
	if len(p.details) > 0 {
		return nil, p.failure()
	}
	m.header.RequestId = newID()
	m.header.ExecEndpoint = &m.endpoint
	m.proto.Header = &m.header
	m.request.Proto = &m.proto
	return &m.request, nil
}

// newID returns 32 random hex digits.
func newID() string {
	var id [16]byte
	var text [32]byte
	rand.Read(id[:])
	hex.Encode(text[:], id[:])
	return string(text[:])
}

// root reads the members of the body.
func (p *parser) root(m *message) {
	p.at++
	for first := true; p.more(first, '}'); first = false {
		key := p.key()
		if p.isNull() {
			continue
		}
		switch string(key) {
		case "data":
			p.pushKey("data")
			if p.data(m) {
				m.docs.Docs = &m.array
				m.data.Documents = &m.docs
				m.proto.Data = &m.data
			}
			p.pop()
		case "parameters":
			p.pushKey("parameters")
			if fields := p.object(); fields != nil {
				m.params.Fields = fields
				m.proto.Parameters = &m.params
			}
			p.pop()
		case "exec_endpoint", "execEndpoint":
			p.pushKey(string(key))
			m.endpoint = p.string()
			p.pop()
		case "target_executor", "targetExecutor":
			p.pushKey(string(key))
			m.target = p.string()
			m.header.TargetExecutor = &m.target
			p.pop()
		case "encoding_format", "encodingFormat":
			p.pushKey(string(key))
			p.encodingFormat(m)
			p.pop()
		default:
			p.skip()
		}
	}
}

func (p *parser) encodingFormat(m *message) {
	begin := p.at
	switch p.string() {
	case "base64":
		m.request.Base64 = true
	case "float":
		m.request.Base64 = false
	default:
		p.fail(begin, "value is not \"float\" or \"base64\"", "value_error.const", `must be "float" or "base64"`)
	}
}

// data reads the documents: a list of them, or an object that holds one as docs.
func (p *parser) data(m *message) bool {
	switch p.peek() {
	case '[':
		m.array.Docs = p.list()
		return true
	case '{':
		p.at++
		for first := true; p.more(first, '}'); first = false {
			if key := p.key(); string(key) != "docs" {
				p.skip()
				continue
			}
			if p.isNull() {
				continue
			}
			p.pushKey("docs")
			m.array.Docs = p.list()
			p.pop()
		}
		return true
	}
	const want = `must be a list of documents, or an object {"docs": [...]}`
	begin := p.at
	p.skip()
	p.fail(begin, "value is not a valid list", "type_error.list", want)
	p.fail(begin, "value is not a valid dict", "type_error.dict", want)
	return false
}
