package jinajson

import (
	"maps"
	"slices"
	"strconv"

	"clipd/frontend/jina/pb"
)

func (w *writer) documents(docs []*pb.DocumentProto) {
	w.dst = append(w.dst, '[')
	for i, d := range docs {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.document(d)
	}
	w.dst = append(w.dst, ']')
}

// document writes all 19 keys in the original's order; what is empty is null.
func (w *writer) document(d *pb.DocumentProto) {
	w.text(`{"id":`, d.Id)
	w.text(`,"parent_id":`, d.ParentId)
	w.uint(`,"granularity":`, d.Granularity)
	w.uint(`,"adjacency":`, d.Adjacency)
	if blob := d.GetBlob(); len(blob) > 0 {
		w.dst = append(w.dst, `,"blob":`...)
		w.dst = appendBytes(w.dst, blob)
	} else {
		w.dst = append(w.dst, `,"blob":null`...)
	}
	w.dst = append(w.dst, `,"tensor":`...)
	w.dst = appendArray(w.dst, d.GetTensor())
	w.text(`,"mime_type":`, d.MimeType)
	w.text(`,"text":`, d.GetText())
	w.float(`,"weight":`, d.Weight)
	w.text(`,"uri":`, d.Uri)
	if len(d.Tags.GetFields()) > 0 {
		w.dst = append(w.dst, `,"tags":`...)
		w.dst = appendStruct(w.dst, d.Tags)
	} else {
		w.dst = append(w.dst, `,"tags":null`...)
	}
	w.float(`,"offset":`, d.Offset)
	w.location(d.Location)
	w.dst = append(w.dst, `,"embedding":`...)
	if w.o.Base64 {
		w.dst = appendBase64Array(w.dst, d.Embedding)
	} else {
		w.dst = appendArray(w.dst, d.Embedding)
	}
	w.text(`,"modality":`, d.Modality)
	w.scores(`,"evaluations":`, d.Evaluations)
	w.scores(`,"scores":`, d.Scores)
	w.children(`,"chunks":`, d.Chunks)
	w.children(`,"matches":`, d.Matches)
	w.dst = append(w.dst, '}')
}

func (w *writer) null(key string) {
	w.dst = append(w.dst, key...)
	w.dst = append(w.dst, "null"...)
}

func (w *writer) text(key, s string) {
	if s == "" {
		w.null(key)
		return
	}
	w.dst = append(w.dst, key...)
	w.dst = appendString(w.dst, s)
}

func (w *writer) uint(key string, v uint32) {
	if v == 0 {
		w.null(key)
		return
	}
	w.dst = append(w.dst, key...)
	w.dst = strconv.AppendUint(w.dst, uint64(v), 10)
}

func (w *writer) float(key string, v float32) {
	if v == 0 {
		w.null(key)
		return
	}
	w.dst = append(w.dst, key...)
	w.dst = appendFloat32(w.dst, v)
}

func (w *writer) location(values []float32) {
	if len(values) == 0 {
		w.null(`,"location":`)
		return
	}
	w.dst = append(w.dst, `,"location":[`...)
	for i, v := range values {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.dst = appendFloat32(w.dst, v)
	}
	w.dst = append(w.dst, ']')
}

func (w *writer) scores(key string, scores map[string]*pb.NamedScoreProto) {
	if len(scores) == 0 {
		w.null(key)
		return
	}
	w.dst = append(w.dst, key...)
	for i, name := range slices.Sorted(maps.Keys(scores)) {
		s := scores[name]
		w.dst = append(w.dst, "{,"[min(i, 1)])
		w.dst = appendString(w.dst, name)
		w.float(`:{"value":`, s.GetValue())
		w.text(`,"op_name":`, s.GetOpName())
		w.text(`,"description":`, s.GetDescription())
		w.text(`,"ref_id":`, s.GetRefId())
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, '}')
}

func (w *writer) children(key string, docs []*pb.DocumentProto) {
	if len(docs) == 0 {
		w.null(key)
		return
	}
	w.dst = append(w.dst, key...)
	w.documents(docs)
}
