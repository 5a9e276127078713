package ws

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"clipd/frontend/jina/pb"
)

// captures are real exchanges of clip_client, and of clients made by hand, with the original.
const captures = "../../testdata/captures/websocket"

// exchange is what exchange.json says of one.
type exchange struct {
	Path     string  `json:"path"`
	Protocol *string `json:"offered subprotocol"`
	Frames   []struct {
		From   string        `json:"from"`
		Frame  string        `json:"frame"`
		File   string        `json:"file"`
		Code   ws.StatusCode `json:"close code"`
		Reason string        `json:"reason"`
	} `json:"frames (t in seconds)"`
}

// differs names the exchanges whose outcome is a fault of the original, and how the connection ends here instead.
var differs = map[string]struct {
	why     string
	answers int // before the end, all with status ERROR
	code    ws.StatusCode
	reason  string
}{
	"direct_bytes_empty_frame": {"the original drops the connection without a close frame", 0, ws.StatusInvalidFramePayloadData, "empty message"},
	"direct_bytes_garbage":     {"the original drops the connection without a close frame", 0, ws.StatusInvalidFramePayloadData, "DataRequestProto"},
	"direct_bytes_text_frame":  {"the original drops the connection without a close frame", 0, ws.StatusUnsupportedData, "text message"},
	"direct_json_bad":          {"the original drops the connection without a close frame", 0, ws.StatusInvalidFramePayloadData, "not JSON"},
	"direct_json_no_data": {"the original drops the connection; here a request with a mistake in it fails alone",
		1, ws.StatusNormalClosure, ""},
}

// otherAnswers names the exchanges whose recorded answer has a fault of the original in it, and how the one here differs.
var otherAnswers = map[string]string{
	"post_server_side_uri": "http URIs are off here: an error",
}

// TestReplay sends what was sent to the original and compares what a client can see: answers, apart from times and the
// values of embeddings and scores, their kind and number, and the end of the connection.
func TestReplay(t *testing.T) {
	folders, err := os.ReadDir(captures)
	if err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, f := range folders {
		if !f.IsDir() || f.Name() == "direct_unknown_path" || strings.HasPrefix(f.Name(), "direct_http_") { // TestRefusals, and the HTTP server's
			continue
		}
		replayed++
		t.Run(f.Name(), func(t *testing.T) { replay(t, filepath.Join(captures, f.Name())) })
	}
	if replayed < 43 {
		t.Errorf("only %d exchanges were replayed", replayed)
	}
}

func replay(t *testing.T, folder string) {
	var all []exchange
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := json.Unmarshal(read("exchange.json"), &all); err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		var want []recorded
		code, clientLeaves, lines := ws.StatusCode(0), false, []string(nil)
		if x.Protocol != nil {
			lines = append(lines, "Sec-WebSocket-Protocol: "+*x.Protocol)
		}
		executor := "clip_t"
		for i, f := range x.Frames {
			switch {
			case f.From == "server" && f.Frame == "close":
				code = f.Code
			case f.From == "server":
				r := recorded{f.Frame, read(f.File)}
				want = append(want, r)
				executor = r.executor(t, executor)
			case f.Frame == "close":
				clientLeaves = i+1 < len(x.Frames)
			}
		}
		s := startNamed(t, executor, hashModel{}, Options{Prefetch: 100})
		c := dial(t, s.address, x.Path, lines...)
		for _, f := range x.Frames {
			if f.From == "client" && f.Frame != "close" {
				c.send(opCodes[f.Frame], read(f.File))
			}
		}
		if d, other := differs[filepath.Base(folder)]; other {
			for range d.answers {
				if a := (recorded{"text", c.next().Payload}); !a.failed(t) {
					t.Errorf("answer %s", a.payload)
				}
			}
			c.closed(d.code, d.reason)
			return
		}
		compare(t, c, want, otherAnswers[filepath.Base(folder)])
		if clientLeaves {
			c.send(ws.OpClose, ws.NewCloseFrameBody(code, ""))
		}
		c.closed(code, "")
	}
}

var opCodes = map[string]ws.OpCode{"text": ws.OpText, "binary": ws.OpBinary}

// compare receives as many answers as were recorded, in any order.
func compare(t *testing.T, c *client, want []recorded, other string) {
	t.Helper()
	var wanted, got []string
	for _, w := range want {
		f := c.next()
		g := recorded{map[ws.OpCode]string{ws.OpText: "text", ws.OpBinary: "binary"}[f.Header.OpCode], f.Payload}
		if other != "" {
			if !g.failed(t) || w.failed(t) {
				t.Errorf("%s: answer %.300q", other, g.payload)
			}
			continue
		}
		got, wanted = append(got, g.comparable(t)), append(wanted, w.comparable(t))
	}
	slices.Sort(got)
	slices.Sort(wanted)
	for i := range got {
		if got[i] != wanted[i] {
			t.Errorf("answer\n%s\nwant\n%s", got[i], wanted[i])
		}
	}
}

// recorded is a message of the server.
type recorded struct {
	kind    string
	payload []byte
}

func (r recorded) proto(t *testing.T) *pb.DataRequestProto {
	t.Helper()
	m := &pb.DataRequestProto{}
	if err := proto.Unmarshal(r.payload, m); err != nil {
		t.Fatalf("%q: %v", r.payload, err)
	}
	return m
}

func (r recorded) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.payload, &m); err != nil {
		t.Fatalf("%q: %v", r.payload, err)
	}
	return m
}

// executor is who answered.
func (r recorded) executor(t *testing.T, otherwise string) string {
	if r.kind == "binary" {
		if routes := r.proto(t).Routes; len(routes) > 1 {
			return routes[1].Executor
		}
		return otherwise
	}
	if routes, ok := r.json(t)["routes"].([]any); ok && len(routes) > 1 {
		return routes[1].(map[string]any)["executor"].(string)
	}
	return otherwise
}

func (r recorded) failed(t *testing.T) bool {
	if r.kind == "binary" {
		return r.proto(t).GetHeader().GetStatus().GetCode() == pb.StatusProto_ERROR
	}
	header, _ := r.json(t)["header"].(map[string]any)
	status, _ := header["status"].(map[string]any)
	return status["code"] == 1.0
}

// comparable is the message without what two servers may differ in.
func (r recorded) comparable(t *testing.T) string {
	t.Helper()
	if r.kind == "binary" {
		m := r.proto(t)
		normalise(m)
		text, err := json.Marshal(m) // of the Go structs: one order of fields and map keys
		if err != nil {
			t.Fatal(err)
		}
		return "binary " + string(text)
	}
	m := r.json(t)
	normaliseJSON(m, m)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return "text " + string(text)
}

func normalise(m *pb.DataRequestProto) {
	for _, r := range m.Routes {
		r.StartTime, r.EndTime = nil, nil
		normaliseStatus(r.Status)
	}
	normaliseStatus(m.GetHeader().GetStatus())
	normaliseDocs(m.GetData().GetDocs().GetDocs(), m.GetHeader().GetStatus() != nil)
}

// normaliseStatus keeps the code and that there are words; the words are each server's own.
func normaliseStatus(s *pb.StatusProto) {
	if s == nil {
		return
	}
	if s.Description != "" {
		s.Description = "words"
	}
	if s.Exception != nil {
		s.Exception = &pb.StatusProto_ExceptionProto{Executor: s.Exception.Executor}
	}
}

func normaliseDocs(docs []*pb.DocumentProto, failed bool) {
	for _, d := range docs {
		if len(d.Id) == 32 {
			d.Id = "id"
		}
		if e := d.Embedding; e != nil && !failed {
			e.GetDense().Buffer = e.GetDense().Buffer[:0]
		}
		for _, s := range d.Scores {
			s.Value = 0
		}
		normaliseDocs(d.Chunks, failed)
		normaliseDocs(d.Matches, failed)
		slices.SortFunc(d.Matches, func(a, b *pb.DocumentProto) int { return strings.Compare(a.String(), b.String()) })
	}
}

// normaliseJSON does the same to an answer in JSON; what is at is a part of it.
func normaliseJSON(whole map[string]any, at any) {
	switch at := at.(type) {
	case []any:
		for _, v := range at {
			normaliseJSON(whole, v)
		}
	case map[string]any:
		for key, v := range at {
			switch s, isText := v.(string); {
			case isText && slices.Contains([]string{"request_id", "id", "start_time", "end_time", "description", "name"}, key):
				at[key] = min(len(s), 1)
			case key == "args" || key == "stacks":
				at[key] = min(len(v.([]any)), 1)
			case key == "embedding" && v != nil:
				at[key] = len(v.([]any))
			default:
				normaliseJSON(whole, v)
			}
		}
	}
}

func TestRefusesUnknownPath(t *testing.T) {
	s := start(t, hashModel{}, Options{})
	f, err := os.Open(filepath.Join(captures, "direct_unknown_path/01-response.http"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	c := handshake(t, s.address, "/nope", binary)
	if !strings.HasPrefix(string(want), "HTTP/1.1 403 ") || c.response.StatusCode != http.StatusForbidden {
		t.Errorf("status %d, the original's answer is %.30s", c.response.StatusCode, want)
	}
}
