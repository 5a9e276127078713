//lint:file-ignore SA1019 what is recorded is reflection v1alpha

package frontend

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// captures are real exchanges of clients of gRPC with the original.
const captures = "../testdata/captures/grpc"

// standard are the captured calls of gRPC's own services. Package jina replays those of Jina's.
var standard = []string{
	"direct_health_empty", "direct_health_jinarpc", "direct_health_unknown",
	"direct_reflection_list", "direct_reflection_symbol", "direct_reflection_v1",
}

// recordedCall is a call of a capture, from its exchange.json.
type recordedCall struct {
	Method string
	Events []struct{ From, File string } `json:"events (t in seconds)"`
	Status codes.Code

	folder string
}

// TestReplayHealthAndReflection sends what was sent to the original and compares how the call ends and what is answered.
func TestReplayHealthAndReflection(t *testing.T) {
	_, conn := start(t, opened())
	folders, err := os.ReadDir(captures)
	if err != nil {
		t.Fatal(err)
	}
	var replayed []string
	for _, f := range folders {
		c := readCall(t, filepath.Join(captures, f.Name()))
		if strings.HasPrefix(c.Method, "/jina.") {
			continue
		}
		replayed = append(replayed, f.Name())
		t.Run(f.Name(), func(t *testing.T) {
			if f.Name() == "direct_reflection_v1" {
				c.replayV1(t, conn)
				return
			}
			want := c.messages(t, "server")
			got, end := c.replay(t, conn)
			if end.Code() != c.Status || len(got) != len(want) {
				t.Fatalf("%v after %d answers, want %v after %d", end, len(got), c.Status, len(want))
			}
			for i := range want {
				c.compare(t, got[i], want[i])
			}
		})
	}
	t.Logf("%d captures: %d agree, reflection v1 is refused by the original and served here", len(replayed), len(replayed)-1)
	if !slices.Equal(replayed, standard) {
		t.Errorf("replayed were %q, want %q", replayed, standard)
	}
}

func readCall(t *testing.T, folder string) *recordedCall {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "exchange.json"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []*recordedCall
	if err := json.Unmarshal(data, &calls); err != nil || len(calls) != 1 {
		t.Fatalf("%s: %d calls, %v", folder, len(calls), err)
	}
	calls[0].folder = folder
	return calls[0]
}

// messages are those of one side, in order.
func (c *recordedCall) messages(t *testing.T, from string) [][]byte {
	t.Helper()
	var all [][]byte
	for _, e := range c.Events {
		if e.From != from || e.File == "" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(c.folder, e.File))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// wireCodec sends and receives messages as they are on the wire.
type wireCodec struct{}

func (wireCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (wireCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = slices.Clone(data)
	return nil
}
func (wireCodec) Name() string { return "" }

// replay sends the recorded messages, byte by byte.
func (c *recordedCall) replay(t *testing.T, conn *grpc.ClientConn) (answers [][]byte, end *status.Status) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, c.Method, grpc.ForceCodec(wireCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range c.messages(t, "client") {
		if err := stream.SendMsg(&message); err != nil && err != io.EOF { // EOF: the call has ended
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	for {
		var answer []byte
		if err := stream.RecvMsg(&answer); err == io.EOF {
			break
		} else if err != nil {
			end = status.Convert(err)
			break
		}
		answers = append(answers, answer)
	}
	sent, _ := stream.Header()
	for _, md := range []metadata.MD{sent, stream.Trailer()} {
		delete(md, "content-type")
		if len(md) > 0 {
			t.Errorf("metadata %v; the original sends none", md)
		}
	}
	return answers, end
}

// replayV1: the original has reflection v1alpha only. Here v1 is served, too, and says the same.
func (c *recordedCall) replayV1(t *testing.T, conn *grpc.ClientConn) {
	if c.Status != codes.Unimplemented {
		t.Errorf("the original answers %v", c.Status)
	}
	got, end := c.replay(t, conn)
	c.Method = strings.Replace(c.Method, "v1", "v1alpha", 1)
	want, alphaEnd := c.replay(t, conn)
	if end.Code() != codes.OK || alphaEnd.Code() != codes.OK || len(got) != 1 || len(want) != 1 {
		t.Fatalf("v1: %d answers and %v, v1alpha: %d answers and %v", len(got), end, len(want), alphaEnd)
	}
	if g, w := services(t, got[0]), services(t, want[0]); !slices.Equal(g, w) {
		t.Errorf("v1 lists %q, v1alpha %q", g, w)
	}
}

// compare compares answers.
func (c *recordedCall) compare(t *testing.T, got, want []byte) {
	t.Helper()
	switch filepath.Base(c.folder) {
	case "direct_reflection_list": // health is a service here; reflection v1, too
		listed := services(t, got)
		for _, name := range services(t, want) {
			if !slices.Contains(listed, name) {
				t.Errorf("%s is not listed among %q", name, listed)
			}
		}
	case "direct_reflection_symbol":
		if g, w := jinaFile(t, got), jinaFile(t, want); !proto.Equal(g, w) {
			t.Errorf("the file with jina.JinaRPC is\n%v\nwant\n%v", g, w)
		}
	default:
		g, w := &healthpb.HealthCheckResponse{}, &healthpb.HealthCheckResponse{}
		unmarshal(t, got, g)
		unmarshal(t, want, w)
		if !proto.Equal(g, w) {
			t.Errorf("%v, want %v", g, w)
		}
	}
}

func unmarshal(t *testing.T, data []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
}

// services are the names in a list; v1 and v1alpha have one form.
func services(t *testing.T, answer []byte) []string {
	t.Helper()
	var r grpc_reflection_v1alpha.ServerReflectionResponse
	unmarshal(t, answer, &r)
	var names []string
	for _, s := range r.GetListServicesResponse().GetService() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// jinaFile is the described file of the package jina, with what its messages and services have on the wire.
func jinaFile(t *testing.T, answer []byte) *descriptorpb.FileDescriptorProto {
	t.Helper()
	var r grpc_reflection_v1alpha.ServerReflectionResponse
	unmarshal(t, answer, &r)
	for _, data := range r.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		unmarshal(t, data, file)
		if file.GetPackage() == "jina" {
			file.Options = nil // names of packages of one language
			clearJSONNames(file.MessageType)
			return file
		}
	}
	t.Fatalf("no file of the package jina in %q", answer)
	return nil
}

// clearJSONNames: some compilers write them down, others leave them to the reader.
func clearJSONNames(messages []*descriptorpb.DescriptorProto) {
	for _, m := range messages {
		for _, f := range m.Field {
			f.JsonName = nil
		}
		clearJSONNames(m.NestedType)
	}
}
