package jinajson

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/frontend/jina/pb"
)

// Form is where an answer goes; the documents look the same in both.
type Form int

// The forms.
const (
	HTTP      Form = iota // camelCase keys in header and routes, null for what is not there
	WebSocket             // snake_case keys there, nothing for what is not there
)

// Options say how an answer is written.
type Options struct {
	Form   Form
	Base64 bool // embeddings as base64 of little-endian float32
}

// Append appends the answer r as one JSON object.
func Append(dst []byte, r *pb.DataRequestProto, o Options) []byte {
	docs := r.GetData().GetDocs().GetDocs()
	dst = slices.Grow(dst, answerBytes+documentsBytes(docs, o))
	w := writer{dst: dst, o: o}
	w.header(r.GetHeader())
	w.dst = append(w.dst, `,"parameters":`...)
	w.dst = appendStruct(w.dst, r.GetParameters())
	w.routes(r.GetRoutes())
	w.dst = append(w.dst, `,"data":`...)
	w.documents(docs)
	return append(w.dst, '}')
}

// writer writes an answer to dst.
type writer struct {
	dst []byte
	o   Options
}

// Rough sizes in bytes, so that an answer seldom has to be moved while it grows.
const (
	answerBytes   = 768
	documentBytes = 400 // the keys
	numberBytes   = 12  // a float32 of nine digits, point and comma
)

func documentsBytes(docs []*pb.DocumentProto, o Options) int {
	n := 0
	for _, d := range docs {
		n += documentBytes + len(d.Id) + len(d.Uri) + len(d.GetText()) + len(d.GetBlob())*4/3 + documentsBytes(d.Chunks, o) + documentsBytes(d.Matches, o)
		if bytes := len(d.Embedding.GetDense().GetBuffer()); o.Base64 {
			n += bytes * 4 / 3
		} else {
			n += bytes / 4 * numberBytes
		}
	}
	return n
}

// header begins the answer.
func (w *writer) header(h *pb.HeaderProto) {
	if w.o.Form == WebSocket {
		w.dst = append(w.dst, `{"header":{"request_id":`...)
		w.dst = appendString(w.dst, h.GetRequestId())
		w.status(h.GetStatus())
		if h.GetExecEndpoint() != "" {
			w.dst = append(w.dst, `,"exec_endpoint":`...)
			w.dst = appendString(w.dst, h.GetExecEndpoint())
		}
		if h != nil && h.TargetExecutor != nil {
			w.dst = append(w.dst, `,"target_executor":`...)
			w.dst = appendString(w.dst, h.GetTargetExecutor())
		}
		w.dst = append(w.dst, '}')
		return
	}
	w.dst = append(w.dst, `{"header":{"requestId":`...)
	w.dst = appendString(w.dst, h.GetRequestId())
	w.status(h.GetStatus())
	w.dst = append(w.dst, `,"execEndpoint":`...)
	w.dst = appendString(w.dst, h.GetExecEndpoint())
	w.dst = append(w.dst, `,"targetExecutor":`...)
	w.dst = appendString(w.dst, h.GetTargetExecutor())
	w.dst = append(w.dst, '}')
}

// status writes a status as the member of an object that has members already.
func (w *writer) status(s *pb.StatusProto) {
	if s == nil {
		if w.o.Form == HTTP {
			w.dst = append(w.dst, `,"status":null`...)
		}
		return
	}
	w.dst = append(w.dst, `,"status":`...)
	w.dst = appendStatus(w.dst, s, w.o.Form)
}

// AppendStatus appends a status as the answer to /dry_run has it: {"code":0,"description":"","exception":null} over HTTP,
// and without what is empty, thus {}, over WebSocket.
func AppendStatus(dst []byte, s *pb.StatusProto, f Form) []byte {
	if s == nil {
		s = &pb.StatusProto{}
	}
	return appendStatus(dst, s, f)
}

func appendStatus(dst []byte, s *pb.StatusProto, f Form) []byte {
	m := members{dst: append(dst, '{'), all: f == HTTP}
	if m.add(`"code":`, s.Code != 0) {
		m.dst = strconv.AppendInt(m.dst, int64(s.Code), 10)
	}
	if m.add(`"description":`, s.Description != "") {
		m.dst = appendString(m.dst, s.Description)
	}
	if e := s.Exception; e == nil {
		if m.add(`"exception":`, false) {
			m.dst = append(m.dst, "null"...)
		}
	} else {
		m.add(`"exception":`, true)
		e := s.Exception
		in := members{dst: append(m.dst, '{'), all: m.all}
		if in.add(`"name":`, e.Name != "") {
			in.dst = appendString(in.dst, e.Name)
		}
		if in.add(`"args":`, len(e.Args) > 0) {
			in.dst = appendStrings(in.dst, e.Args)
		}
		if in.add(`"stacks":`, len(e.Stacks) > 0) {
			in.dst = appendStrings(in.dst, e.Stacks)
		}
		if in.add(`"executor":`, e.Executor != "") {
			in.dst = appendString(in.dst, e.Executor)
		}
		m.dst = append(in.dst, '}')
	}
	return append(m.dst, '}')
}

// members writes the members of an object, the commas between them, and leaves empty ones out unless all are wanted.
type members struct {
	dst []byte
	all bool
	any bool // one is written
}

// add begins a member and reports whether its value is to follow.
func (m *members) add(key string, given bool) bool {
	if !given && !m.all {
		return false
	}
	if m.any {
		m.dst = append(m.dst, ',')
	}
	m.any = true
	m.dst = append(m.dst, key...)
	return true
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

func (w *writer) routes(routes []*pb.RouteProto) {
	if len(routes) == 0 {
		if w.o.Form == HTTP {
			w.dst = append(w.dst, `,"routes":null`...)
		}
		return
	}
	start, end := `,"startTime":`, `,"endTime":`
	if w.o.Form == WebSocket {
		start, end = `,"start_time":`, `,"end_time":`
	}
	w.dst = append(w.dst, `,"routes":[`...)
	for i, r := range routes {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.dst = append(w.dst, `{"executor":`...)
		w.dst = appendString(w.dst, r.Executor)
		w.time(start, r.StartTime)
		w.time(end, r.EndTime)
		w.status(r.Status)
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, ']')
}

// time writes a time in the zone that each form has in the original: +00:00 over HTTP, Z over WebSocket.
func (w *writer) time(key string, t *timestamppb.Timestamp) {
	switch {
	case t != nil:
		w.dst = append(w.dst, key...)
		w.dst = append(w.dst, '"')
		w.dst = t.AsTime().AppendFormat(w.dst, "2006-01-02T15:04:05.000000")
		if w.o.Form == HTTP {
			w.dst = append(w.dst, `+00:00"`...)
		} else {
			w.dst = append(w.dst, `Z"`...)
		}
	case w.o.Form == HTTP:
		w.dst = append(w.dst, key...)
		w.dst = append(w.dst, "null"...)
	}
}
