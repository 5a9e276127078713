package jinajson

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/frontend/jina/pb"
)

// AppendPlainReturn appends the answer r in protobuf's JSON form with the documents in data.docs.docs, but so that the
// letters d, a, t, a never stand in a row. Clients from jina 3.27.1 on look for these letters in a text/plain answer and,
// finding none, read the whole of it as a message, which is the one way in which encode() without callbacks can return
// something over HTTP.
func AppendPlainReturn(dst []byte, r *pb.DataRequestProto) []byte {
	begin := len(dst)
	m := members{dst: append(dst, '{')}
	if h := r.GetHeader(); m.add(`"header":`, h != nil) {
		m.dst = appendPlainHeader(m.dst, h)
	}
	if m.add(`"parameters":`, r.GetParameters() != nil) {
		m.dst = appendStruct(m.dst, r.Parameters)
	}
	if m.add(`"routes":[`, len(r.GetRoutes()) > 0) {
		for i, route := range r.Routes {
			if i > 0 {
				m.dst = append(m.dst, ',')
			}
			m.dst = appendPlainRoute(m.dst, route)
		}
		m.dst = append(m.dst, ']')
	}
	if docs := r.GetData().GetDocs(); docs != nil {
		m.add(`"data":{"docs":{`, true)
		in := members{dst: m.dst}
		in.plainDocuments(`"docs":`, docs.Docs)
		m.dst = append(in.dst, "}}"...)
	}
	dst = append(m.dst, '}')
	// Outside of strings these letters are in no JSON, and inside an escape is as good.
	if text := dst[begin:]; bytes.Contains(text, []byte("data")) {
		dst = append(dst[:begin], bytes.ReplaceAll(text, []byte("data"), []byte(`d\u0061ta`))...)
	}
	return dst
}

func appendPlainHeader(dst []byte, h *pb.HeaderProto) []byte {
	m := members{dst: append(dst, '{')}
	m.text(`"requestId":`, h.RequestId)
	if m.add(`"status":`, h.Status != nil) {
		m.dst = appendStatus(m.dst, h.Status, WebSocket)
	}
	if m.add(`"execEndpoint":`, h.ExecEndpoint != nil) {
		m.dst = appendString(m.dst, h.GetExecEndpoint())
	}
	if m.add(`"targetExecutor":`, h.TargetExecutor != nil) {
		m.dst = appendString(m.dst, h.GetTargetExecutor())
	}
	if m.add(`"timeout":`, h.Timeout != nil) {
		m.dst = strconv.AppendUint(m.dst, uint64(h.GetTimeout()), 10)
	}
	return append(m.dst, '}')
}

func appendPlainRoute(dst []byte, r *pb.RouteProto) []byte {
	m := members{dst: append(dst, '{')}
	m.text(`"executor":`, r.Executor)
	m.time(`"startTime":"`, r.StartTime)
	m.time(`"endTime":"`, r.EndTime)
	if m.add(`"status":`, r.Status != nil) {
		m.dst = appendStatus(m.dst, r.Status, WebSocket)
	}
	return append(m.dst, '}')
}

func (m *members) time(key string, t *timestamppb.Timestamp) {
	if m.add(key, t != nil) {
		m.dst = append(t.AsTime().AppendFormat(m.dst, "2006-01-02T15:04:05.000000000Z"), '"')
	}
}

func (m *members) text(key, s string) {
	if m.add(key, s != "") {
		m.dst = appendString(m.dst, s)
	}
}

func (m *members) uint(key string, v uint32) {
	if m.add(key, v != 0) {
		m.dst = strconv.AppendUint(m.dst, uint64(v), 10)
	}
}

// float writes what protobuf's JSON has for a float: words for what is no number.
func (m *members) float(key string, v float32) {
	if m.add(key, v != 0 || math.Signbit(float64(v))) {
		m.dst = appendPlainFloat(m.dst, v)
	}
}

func appendPlainFloat(dst []byte, v float32) []byte {
	switch f := float64(v); {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return appendFloat32(dst, v)
}

func (m *members) plainDocuments(key string, docs []*pb.DocumentProto) {
	if !m.add(key, len(docs) > 0) {
		return
	}
	m.dst = append(m.dst, '[')
	for i, d := range docs {
		if i > 0 {
			m.dst = append(m.dst, ',')
		}
		m.dst = appendPlainDocument(m.dst, d)
	}
	m.dst = append(m.dst, ']')
}

func appendPlainDocument(dst []byte, d *pb.DocumentProto) []byte {
	m := members{dst: append(dst, '{')}
	m.text(`"id":`, d.Id)
	switch c := d.Content.(type) {
	case *pb.DocumentProto_Blob:
		m.add(`"blob":`, true)
		m.dst = appendBytes(m.dst, c.Blob)
	case *pb.DocumentProto_Tensor:
		m.array(`"tensor":`, c.Tensor)
	case *pb.DocumentProto_Text:
		m.add(`"text":`, true)
		m.dst = appendString(m.dst, c.Text)
	}
	m.uint(`"granularity":`, d.Granularity)
	m.uint(`"adjacency":`, d.Adjacency)
	m.text(`"parentId":`, d.ParentId)
	m.float(`"weight":`, d.Weight)
	m.text(`"uri":`, d.Uri)
	m.text(`"modality":`, d.Modality)
	m.text(`"mimeType":`, d.MimeType)
	m.float(`"offset":`, d.Offset)
	if m.add(`"location":[`, len(d.Location) > 0) {
		for i, v := range d.Location {
			if i > 0 {
				m.dst = append(m.dst, ',')
			}
			m.dst = appendPlainFloat(m.dst, v)
		}
		m.dst = append(m.dst, ']')
	}
	m.plainDocuments(`"chunks":`, d.Chunks)
	m.plainDocuments(`"matches":`, d.Matches)
	m.array(`"embedding":`, d.Embedding)
	if m.add(`"tags":`, d.Tags != nil) {
		m.dst = appendStruct(m.dst, d.Tags)
	}
	m.plainScores(`"scores":`, d.Scores)
	m.plainScores(`"evaluations":`, d.Evaluations)
	if m.add(`"Metadata":`, d.XMetadata != nil) {
		m.dst = appendStruct(m.dst, d.XMetadata)
	}
	return append(m.dst, '}')
}

func (m *members) plainScores(key string, scores map[string]*pb.NamedScoreProto) {
	if !m.add(key, len(scores) > 0) {
		return
	}
	m.dst = append(m.dst, '{')
	for i, name := range slices.Sorted(maps.Keys(scores)) {
		if i > 0 {
			m.dst = append(m.dst, ',')
		}
		m.dst = append(appendString(m.dst, name), ':', '{')
		s := scores[name]
		in := members{dst: m.dst}
		in.float(`"value":`, s.GetValue())
		in.text(`"opName":`, s.GetOpName())
		in.text(`"description":`, s.GetDescription())
		in.text(`"refId":`, s.GetRefId())
		m.dst = append(in.dst, '}')
	}
	m.dst = append(m.dst, '}')
}

// array writes a dense or sparse array as the message that it is.
func (m *members) array(key string, a *pb.NdArrayProto) {
	if !m.add(key, a != nil) {
		return
	}
	in := members{dst: append(m.dst, '{')}
	switch c := a.Content.(type) {
	case *pb.NdArrayProto_Dense:
		in.dense(`"dense":`, c.Dense)
	case *pb.NdArrayProto_Sparse:
		in.add(`"sparse":`, true)
		sparse := members{dst: append(in.dst, '{')}
		sparse.dense(`"indices":`, c.Sparse.GetIndices())
		sparse.dense(`"values":`, c.Sparse.GetValues())
		sparse.shape(c.Sparse.GetShape())
		in.dst = append(sparse.dst, '}')
	}
	in.text(`"clsName":`, a.ClsName)
	if in.add(`"parameters":`, a.Parameters != nil) {
		in.dst = appendStruct(in.dst, a.Parameters)
	}
	m.dst = append(in.dst, '}')
}

func (m *members) dense(key string, d *pb.DenseNdArrayProto) {
	if !m.add(key, d != nil) {
		return
	}
	in := members{dst: append(m.dst, '{')}
	if in.add(`"buffer":`, len(d.Buffer) > 0) {
		in.dst = appendBytes(in.dst, d.Buffer)
	}
	in.shape(d.Shape)
	in.text(`"dtype":`, d.Dtype)
	m.dst = append(in.dst, '}')
}

func (m *members) shape(shape []uint32) {
	if !m.add(`"shape":[`, len(shape) > 0) {
		return
	}
	for i, n := range shape {
		if i > 0 {
			m.dst = append(m.dst, ',')
		}
		m.dst = strconv.AppendUint(m.dst, uint64(n), 10)
	}
	m.dst = append(m.dst, ']')
}
