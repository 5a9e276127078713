package ws

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"clipd/frontend/capturetest"
	"clipd/frontend/fetch"
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
	"clipd/frontend/rest"
)

// captures are real exchanges of clip_client, and of clients made by hand, with the original.
const captures = "../../testdata/captures"

// exchange is what exchange.json says of one.
type exchange struct {
	Path   string `json:"path"`
	Frames []struct {
		From   string        `json:"from"`
		Frame  string        `json:"frame"`
		File   string        `json:"file"`
		Code   ws.StatusCode `json:"close code"`
		Reason string        `json:"reason"`
	} `json:"frames (t in seconds)"`

	folder  string
	address string // of the pictures, instead of the one that was recorded
}

const dropped = "the original drops the connection without a close frame"

// exceptions are the exchanges that end otherwise here, for a fault of the original.
var exceptions = map[string]struct {
	why     string
	answers int // before the end, all with status ERROR
	code    ws.StatusCode
	reason  string
}{
	"direct_bytes_empty_frame": {dropped, 0, ws.StatusInvalidFramePayloadData, "empty message"},
	"direct_bytes_garbage":     {dropped, 0, ws.StatusInvalidFramePayloadData, "DataRequestProto"},
	"direct_bytes_text_frame":  {dropped, 0, ws.StatusUnsupportedData, "text message"},
	"direct_json_bad":          {dropped, 0, ws.StatusInvalidFramePayloadData, "not JSON"},
	"direct_json_no_data":      {dropped + "; here a request with a mistake in it fails alone", 1, ws.StatusNormalClosure, ""},
}

// loads are the exchanges with uris that are refused, with an error, unless the flow allows them. They are compared
// where it does.
var loads = map[string]bool{"post_server_side_uri": true}

// neverEnds are the exchanges whose recorded answer lacks the end of a route: the original never ends the route of an
// executor that it does not ask.
var neverEnds = map[string]bool{"target_executor_other": true}

// TestReplay sends what was sent to the original and compares what a client can see: the answer to the handshake,
// answers, apart from times and the values of embeddings and scores, their kind and number, and the end of the
// connection. Requests that are no WebSocket are sent to the HTTP server of a WebSocket port.
func TestReplay(t *testing.T) {
	names := capturetest.Names(t, captures, "websocket")
	address, loader := serveAssets(t)
	equal, mended, loaded, otherwise, plain := 0, 0, 0, 0, 0
	for _, name := range names {
		folder := filepath.Join(captures, "websocket", name)
		if request, err := os.ReadFile(filepath.Join(folder, "01-request.http")); err == nil {
			plain++
			t.Run(name, func(t *testing.T) { replayPlain(t, folder, request) })
			continue
		}
		_, except := exceptions[name]
		switch {
		case except:
			otherwise++
		case loads[name]:
			loaded++
		case neverEnds[name]:
			mended++
		default:
			equal++
		}
		t.Run(name, func(t *testing.T) {
			x := readExchange(t, folder)
			x.replay(t, nil)
			if loads[name] {
				x.address = address
				x.replay(t, loader)
			}
		})
	}
	t.Logf("%d captures: %d equal, %d equal to plain HTTP, %d equal but for a fault of the original, %d equal when uris are allowed, %d with another end",
		len(names), equal, plain, mended, loaded, otherwise)
	if plain != 7 || otherwise != len(exceptions) || loaded != len(loads) || mended != len(neverEnds) || equal+mended+loaded+otherwise+plain != len(names) {
		t.Error("some captures were forgotten")
	}
}

func readExchange(t *testing.T, folder string) *exchange {
	t.Helper()
	x := &exchange{folder: folder}
	var all []*exchange
	if err := json.Unmarshal(x.read(t, "exchange.json"), &all); err != nil || len(all) != 1 {
		t.Fatalf("%d connections, %v", len(all), err)
	}
	all[0].folder = folder
	return all[0]
}

// recordedAddress is where the pictures of captures were served.
const recordedAddress = "127.0.0.1:51140"

// read reads a file of the exchange.
func (x *exchange) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(x.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	if x.address != "" {
		data = bytes.ReplaceAll(data, []byte(recordedAddress), []byte(x.address))
	}
	return data
}

// replay sends the client's part to a server that loads uris with loader, or has them refused when that is nil.
func (x *exchange) replay(t *testing.T, loader *fetch.Loader) {
	t.Helper()
	var want []recorded
	code, clientLeaves, executor := ws.StatusCode(0), false, "clip_t"
	for i, f := range x.Frames {
		switch {
		case f.From == "server" && f.Frame == "close":
			code = f.Code
		case f.From == "server":
			r := recorded{f.Frame, x.read(t, f.File)}
			want = append(want, r)
			executor = r.executor(t, executor)
		case f.Frame == "close":
			clientLeaves = i+1 < len(x.Frames)
		}
	}
	s := startNamed(t, executor, hashModel{}, Options{Prefetch: 100})
	if loader != nil {
		e, err := jina.NewExecutor(jina.ExecutorOptions{Name: executor, Model: hashModel{}, LogitScale: 100, Loader: *loader})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.gateway.SetExecutors(e); err != nil {
			t.Fatal(err)
		}
	}
	c := x.handshake(t, s.address)
	for _, f := range x.Frames {
		if f.From == "client" && f.Frame != "close" {
			c.send(opCodes[f.Frame], x.read(t, f.File))
		}
	}
	name := filepath.Base(x.folder)
	if d, other := exceptions[name]; other {
		if len(want) > 0 || code != 0 {
			t.Errorf("recorded are %d answers and the code %d: %s", len(want), code, d.why)
		}
		for range d.answers {
			if a := (recorded{"text", c.next().Payload}); !a.failed(t) {
				t.Errorf("answer %s", a.payload)
			}
		}
		c.closed(d.code, d.reason)
		return
	}
	compare(t, c, want, loader == nil && loads[name], neverEnds[name])
	if clientLeaves {
		c.send(ws.OpClose, ws.NewCloseFrameBody(code, ""))
	}
	c.closed(code, "")
}

// handshake sends the recorded request for a WebSocket, byte by byte, and compares what a client checks of the answer. Here
// the subprotocol is answered, too, which the original does not; every client takes that.
func (x *exchange) handshake(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(x.read(t, "00-handshake-request.http")); err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, Conn: conn, in: bufio.NewReader(conn)}
	if c.response, err = http.ReadResponse(c.in, nil); err != nil {
		t.Fatal(err)
	}
	want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(x.read(t, "00-handshake-response.http"))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.response.StatusCode != want.StatusCode {
		t.Fatalf("status %d, want %d", c.response.StatusCode, want.StatusCode)
	}
	for _, name := range []string{"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions"} {
		if g, w := c.response.Header.Get(name), want.Header.Get(name); !strings.EqualFold(g, w) {
			t.Errorf("header %s: %q, want %q", name, g, w)
		}
	}
	return c
}

// replayPlain sends a request that opens no WebSocket to the port of one.
func replayPlain(t *testing.T, folder string, request []byte) {
	s := startNamed(t, "clip_o", hashModel{}, Options{Prefetch: 100})
	server := rest.New(rest.Options{Gateway: s.gateway, WebSocket: s.Handle, Version: "test"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		server.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	got, body := readResponse(t, conn)
	file, err := os.Open(filepath.Join(folder, "01-response.http"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want, wantBody := readResponse(t, file)
	if got.StatusCode != want.StatusCode {
		t.Fatalf("status %d, want %d", got.StatusCode, want.StatusCode)
	}
	if g, w := got.Header.Get("Content-Type"), want.Header.Get("Content-Type"); g != w && want.StatusCode != http.StatusForbidden {
		t.Errorf("Content-Type %q, want %q", g, w)
	}
	switch path := strings.Fields(string(request))[1]; path {
	case "/docs": // the page is each server's own, and was not kept
		if !strings.Contains(string(body), "</html>") {
			t.Errorf("body %.300q", body)
		}
	case "/status":
		compareStatus(t, body, wantBody)
	case "/openapi.json":
		comparePaths(t, body, wantBody)
	case "/nope": // a refused handshake, of which clients read the status
	default:
		if !bytes.Equal(body, wantBody) {
			t.Errorf("body %.300q, want %q", body, wantBody)
		}
	}
}

func readResponse(t *testing.T, r io.Reader) (*http.Response, []byte) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// compareStatus compares the form, objects of texts; what they say is the machine's.
func compareStatus(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w map[string]map[string]string
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &g); err != nil || len(g) != len(w) || len(g["jina"]) == 0 || g["envs"] == nil {
		t.Errorf("status %s, %v", got, err)
	}
}

// comparePaths looks for the recorded paths and methods in the description. There may be pages beside them, but nothing
// that takes a request: a client would send it there.
func comparePaths(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &w); err != nil || len(w.Paths) == 0 {
		t.Fatal(len(w.Paths), err)
	}
	for path, methods := range w.Paths {
		for method := range methods {
			if g.Paths[path][method] == nil {
				t.Errorf("the description has no %s %s", method, path)
			}
		}
	}
	for path, methods := range g.Paths {
		if len(methods) != 1 || methods["get"] == nil {
			t.Errorf("the description has %s with %v", path, methods)
		}
	}
}

// serveAssets serves the pictures of captures, and makes a loader that may load them.
func serveAssets(t *testing.T) (address string, loader *fetch.Loader) {
	t.Helper()
	folder := filepath.Join(captures, "assets")
	s := httptest.NewUnstartedServer(http.FileServer(http.Dir(folder)))
	s.Config.SetKeepAlivesEnabled(false) // open descriptors are counted
	s.Start()
	t.Cleanup(s.Close)
	address = s.Listener.Addr().String()
	if len(address) != len(recordedAddress) { // messages have lengths in them
		t.Fatalf("the pictures are served at %s, which is not as long as %s", address, recordedAddress)
	}
	loader, err := fetch.New(fetch.Options{HTTP: true, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { loader.Close() })
	return address, loader
}

var opCodes = map[string]ws.OpCode{"text": ws.OpText, "binary": ws.OpBinary}

// compare receives as many answers as were recorded, in any order. refused: uris are not loaded here, so that there are
// errors instead; neverEnds: a recorded route lacks its end.
func compare(t *testing.T, c *client, want []recorded, refused, neverEnds bool) {
	t.Helper()
	var wanted, got []string
	for _, w := range want {
		f := c.next()
		g := recorded{map[ws.OpCode]string{ws.OpText: "text", ws.OpBinary: "binary"}[f.Header.OpCode], f.Payload}
		if refused {
			if !g.failed(t) || w.failed(t) {
				t.Errorf("uris are refused, but the answer is %.300q", g.payload)
			}
			continue
		}
		got, wanted = append(got, g.comparable(t, false)), append(wanted, w.comparable(t, neverEnds))
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
func (r recorded) comparable(t *testing.T, neverEnds bool) string {
	t.Helper()
	if r.kind == "binary" {
		m := r.proto(t)
		if neverEnds {
			m.Routes[1].EndTime = m.Routes[0].EndTime
		}
		normalise(t, m)
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

func normalise(t *testing.T, m *pb.DataRequestProto) {
	t.Helper()
	for _, r := range m.Routes {
		for _, at := range []**timestamppb.Timestamp{&r.StartTime, &r.EndTime} {
			if *at != nil {
				*at = &timestamppb.Timestamp{}
			}
		}
		normaliseStatus(t, r.Status)
	}
	normaliseStatus(t, m.GetHeader().GetStatus())
	normaliseDocs(m.GetData().GetDocs().GetDocs(), m.GetHeader().GetStatus() != nil)
}

// normaliseStatus keeps the code, who failed, and that there are words, in the form that jina has for them.
func normaliseStatus(t *testing.T, s *pb.StatusProto) {
	t.Helper()
	if e := s.GetException(); e != nil {
		if e.Name == "" || len(e.Args) == 0 || len(e.Stacks) == 0 || !strings.HasPrefix(s.Description, e.Name+"(") || !strings.HasSuffix(s.Description, ")") {
			t.Errorf("the error is no NAME('words') with its parts: %v", s)
		}
		s.Description, s.Exception = "words", &pb.StatusProto_ExceptionProto{Executor: e.Executor}
	}
}

func normaliseDocs(docs []*pb.DocumentProto, failed bool) {
	for _, d := range docs {
		if e := d.Embedding; e != nil && !failed {
			e.GetDense().Buffer = fmt.Append(nil, len(e.GetDense().Buffer))
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
