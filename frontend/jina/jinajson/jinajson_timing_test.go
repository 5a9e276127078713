package jinajson

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/frontend/jina/pb"
)

// answerJSON is an answer as encoding/json is given it: the same keys, null for what is empty, embeddings as []float32.
type answerJSON struct {
	Header struct {
		RequestID      string  `json:"requestId"`
		Status         *string `json:"status"`
		ExecEndpoint   string  `json:"execEndpoint"`
		TargetExecutor string  `json:"targetExecutor"`
	} `json:"header"`
	Parameters struct{} `json:"parameters"`
	Routes     []struct {
		Executor  string  `json:"executor"`
		StartTime string  `json:"startTime"`
		EndTime   string  `json:"endTime"`
		Status    *string `json:"status"`
	} `json:"routes"`
	Data []documentJSON `json:"data"`
}

type documentJSON struct {
	ID          *string         `json:"id"`
	ParentID    *string         `json:"parent_id"`
	Granularity *int            `json:"granularity"`
	Adjacency   *int            `json:"adjacency"`
	Blob        []byte          `json:"blob"`
	Tensor      []float32       `json:"tensor"`
	MimeType    *string         `json:"mime_type"`
	Text        *string         `json:"text"`
	Weight      *float32        `json:"weight"`
	URI         *string         `json:"uri"`
	Tags        map[string]any  `json:"tags"`
	Offset      *float32        `json:"offset"`
	Location    []float32       `json:"location"`
	Embedding   []float32       `json:"embedding"`
	Modality    *string         `json:"modality"`
	Evaluations map[string]any  `json:"evaluations"`
	Scores      map[string]any  `json:"scores"`
	Chunks      []*documentJSON `json:"chunks"`
	Matches     []*documentJSON `json:"matches"`
}

// timedAnswer makes an answer of n texts with embeddings of 512 values, of unit length as CLIP's are or so, twice.
func timedAnswer(n int) (*pb.DataRequestProto, *answerJSON) {
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	endpoint := "/encode"
	m := &pb.DataRequestProto{Header: &pb.HeaderProto{RequestId: "0123456789abcdef0123456789abcdef", ExecEndpoint: &endpoint}, Parameters: &structpb.Struct{}}
	j := &answerJSON{}
	j.Header.RequestID, j.Header.ExecEndpoint = m.Header.RequestId, endpoint
	for _, name := range []string{"gateway", "clip_t"} {
		m.Routes = append(m.Routes, &pb.RouteProto{Executor: name, StartTime: timestamppb.New(at), EndTime: timestamppb.New(at)})
		j.Routes = append(j.Routes, struct {
			Executor  string  `json:"executor"`
			StartTime string  `json:"startTime"`
			EndTime   string  `json:"endTime"`
			Status    *string `json:"status"`
		}{name, at.Format("2006-01-02T15:04:05.000000-07:00"), at.Format("2006-01-02T15:04:05.000000-07:00"), nil})
	}
	list := &pb.DocumentArrayProto{}
	for i := range n {
		id, text, mime := fmt.Sprintf("%032x", i), fmt.Sprintf("a photo of %d cats", i), "text/plain"
		values := make([]float32, 512)
		buf := make([]byte, 0, 4*len(values))
		for k := range values {
			values[k] = float32(r.NormFloat64() / math.Sqrt(float64(len(values))))
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(values[k]))
		}
		list.Docs = append(list.Docs, &pb.DocumentProto{Id: id, MimeType: mime, Content: &pb.DocumentProto_Text{Text: text},
			Embedding: newArray(buf, []uint32{uint32(len(values))}, "<f4")})
		j.Data = append(j.Data, documentJSON{ID: &id, MimeType: &mime, Text: &text, Embedding: values})
	}
	m.Data = &pb.DataRequestProto_DataContentProto{Documents: &pb.DataRequestProto_DataContentProto_Docs{Docs: list}}
	return m, j
}

// TestAnswerIsThatOfEncodingJSON holds that both sides of the comparison below write one document.
func TestAnswerIsThatOfEncodingJSON(t *testing.T) {
	m, j := timedAnswer(3)
	want, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(Append(nil, m, Options{}), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%v\nand\n%v", a, b)
	}
}

// BenchmarkAgainstEncodingJSON prints how many times as fast as encoding/json an answer is written and a request is read. Both
// take turns in short rounds; the figures are medians of the rounds, the factor the median of each round's own, so that
// what else the machine does meets both.
func BenchmarkAgainstEncodingJSON(b *testing.B) {
	const rounds = 101
	compare := func(name string, each int, own, other func()) {
		b.Run(name, func(b *testing.B) {
			measure := func(f func()) float64 {
				begin := time.Now()
				for range each {
					f()
				}
				return float64(time.Since(begin).Nanoseconds()) / float64(each)
			}
			var mine, theirs, factor []float64
			for b.Loop() {
				for range rounds {
					x, y := measure(own), measure(other)
					mine, theirs, factor = append(mine, x), append(theirs, y), append(factor, y/x)
				}
			}
			for unit, figures := range map[string][]float64{"ns/own": mine, "ns/encoding-json": theirs, "times-as-fast": factor} {
				slices.Sort(figures)
				b.ReportMetric(figures[len(figures)/2], unit)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
	var dst []byte
	var out bytes.Buffer
	for _, n := range []int{1, 256} {
		m, j := timedAnswer(n)
		other := func() {
			out.Reset()
			if err := json.NewEncoder(&out).Encode(j); err != nil {
				b.Fatal(err)
			}
		}
		compare(fmt.Sprintf("write/%dx512", n), 1+63/n, func() { dst = Append(dst[:0], m, Options{}) }, other)
		compare(fmt.Sprintf("write/%dx512/base64", n), 1+63/n, func() { dst = Append(dst[:0], m, Options{Base64: true}) }, other)
	}
	for _, c := range requests() {
		body := make([]byte, len(c.body))
		compare("read/"+c.name, 1+1<<16/len(c.body), func() {
			copy(body, c.body)
			if _, err := Parse(body, Limits{MaxDocuments: 1000}); err != nil {
				b.Fatal(err)
			}
		}, func() {
			copy(body, c.body)
			var r struct {
				ExecEndpoint string `json:"execEndpoint"`
				Parameters   map[string]any
				Data         []documentJSON
			}
			if err := json.Unmarshal(body, &r); err != nil {
				b.Fatal(err)
			}
		})
	}
}

type timedRequest struct {
	name string
	body []byte
}

// requests are the bodies whose reading is timed.
func requests() []timedRequest {
	picture := make([]byte, 80<<10)
	for i := range picture {
		picture[i] = byte(i * i >> 3)
	}
	blob := base64.StdEncoding.EncodeToString(picture)
	var texts bytes.Buffer
	for i := range 256 {
		fmt.Fprintf(&texts, `{"id": "%032x", "parent_id": null, "blob": null, "tensor": null, "text": "a photo of %d cats", "embedding": null},`, i, i)
	}
	list := bytes.TrimSuffix(texts.Bytes(), []byte(","))
	return []timedRequest{
		{"one-text", []byte(`{"data": [{"id": "0123456789abcdef0123456789abcdef", "text": "a photo of a cat"}], "execEndpoint": "/encode", "parameters": {"drop_image_content": true}}`)},
		{"80KB-picture", []byte(`{"data": [{"id": "0123456789abcdef0123456789abcdef", "blob": "` + blob + `"}], "execEndpoint": "/encode"}`)},
		{"256-texts", []byte(`{"data": [` + string(list) + `], "execEndpoint": "/encode"}`)},
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range requests() {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			body := make([]byte, len(c.body))
			for b.Loop() {
				copy(body, c.body)
				if _, err := Parse(body, Limits{MaxDocuments: 1000}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 256} {
		m, _ := timedAnswer(n)
		for name, o := range map[string]Options{"numbers": {}, "base64": {Base64: true}} {
			b.Run(fmt.Sprintf("%dx512/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				var dst []byte
				for b.Loop() {
					dst = Append(dst[:0], m, o)
				}
				b.SetBytes(int64(len(dst)))
			})
		}
	}
}

func BenchmarkBase64(b *testing.B) {
	c := requests()[1].body
	text := c[bytes.Index(c, []byte(`blob": "`))+8:]
	text = text[:bytes.IndexByte(text, '"')]
	work := make([]byte, len(text))
	b.Run("own", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			copy(work, text)
			if _, err := decodeBase64(work); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-base64", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			copy(work, text)
			if _, err := base64.StdEncoding.Decode(work, work); err != nil {
				b.Fatal(err)
			}
		}
	})
}
