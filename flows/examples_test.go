package flows

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// examples are the section of the reference page that shows whole flows: what stands before each and after it.
var examples = []struct{ title, file, before, after string }{
	{"Ports and protocols", "ports.yml",
		"Without `protocol` and with one `port`, gRPC, HTTP and WebSocket are served on that port: callers use `grpc://HOST:51000`,\n" +
			"`http://HOST:51000` or `ws://HOST:51000` as they like. A list of protocols leaves the others out; a list of ports gives each its own.", ""},
	{"TLS", "tls.yml",
		"Callers then use `grpcs://`, `https://` and `wss://`, and nothing else on that port. The files are read again when they change.\n" +
			"A certificate to try with:\n\n" +
			"    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost \\\n" +
			"        -keyout server.key -out server.pem",
		"The Python client trusts the authorities of its machine. Others are named by environment variables:\n" +
			"`GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=server.pem` for `grpcs://`, `SSL_CERT_FILE=server.pem` for `https://` and `wss://`."},
	{"Keys", "keys.yml",
		"`clipd key new alice` makes a key and prints the line for the keys file, which holds the name and a hash, not the key itself. Without a\n" +
			"file, `auth: {}` takes such lines from the environment variable `CLIPD_KEYS`, with semicolons or line ends between them. A server that\n" +
			"is to have keys and has none does not start.",
		"The Python client shows its key with `Client('grpcs://HOST:51000', credential={'Authorization': 'KEY'})`, curl with\n" +
			"`-H 'Authorization: Bearer KEY'`. Keys belong behind TLS: on a plain connection anybody on the way can read them."},
	{"Pictures by address", "uris.yml",
		"A document may hold a picture, or name it by its `uri`. Without `allow_uris` the server fetches nothing: the Python client sends the\n" +
			"pictures themselves. `allow_uris: true` lets it fetch from public addresses. In detail:",
		"`folder` alone also allows http and https; `schemes: [file]` beside it allows files and nothing else."},
	{"Several models", "models.yml",
		"Each executor is a model with replicas of its own. A caller chooses by NAME, which is the name of an executor (`large`) or of its model\n" +
			"(`ViT-L-14::openai`):\n\n" +
			"* the endpoint `/encode/NAME` or `/rank/NAME`; `client.encode(…, parameters={'model_name': 'NAME'})` in Python sends it,\n" +
			"* the parameter `model_name`,\n" +
			"* the header `clip-model`, over gRPC as metadata.\n\n" +
			"The first of these that is there decides. When nothing is named the first executor answers, here `small`; a name that no model has is an error.\n" +
			"A server of one model answers to every name in endpoint and parameter, as CLIP-as-service does.", ""},
	{"On an open network", "network.yml",
		"Every limit has a default that suits ordinary use (below). A server that strangers can reach wants TLS, keys and perhaps tighter ones:", ""},
}

// writeExamples puts the example flows into the page.
func writeExamples(b *strings.Builder) {
	b.WriteString("\n## Examples\n")
	for _, e := range examples {
		data, err := os.ReadFile(filepath.Join("testdata", "examples", e.file))
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n```yaml\n%s```\n", e.title, e.before, data)
		if e.after != "" {
			fmt.Fprintf(b, "\n%s\n", e.after)
		}
	}
}

func example(t *testing.T, file string) *Flow {
	t.Helper()
	f, err := Load(filepath.Join("testdata", "examples", file), Options{LookupEnv: environ()})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Notices) > 0 {
		t.Errorf("%s: %v", file, f.Notices)
	}
	return f
}

// Every example does what the page says of it.
func TestExamples(t *testing.T) {
	g := example(t, "ports.yml").Gateway
	equal(t, "ports", []any{g.Ports, g.Protocols}, []any{[]int{51000, 8080}, []Protocol{GRPC, HTTP}})
	g = example(t, "tls.yml").Gateway
	equal(t, "tls", []any{g.SSLCertFile, g.SSLKeyFile, g.SSLClientAuth, g.Protocols}, []any{"server.pem", "server.key", ClientAuthNone, allProtocols})
	g = example(t, "keys.yml").Gateway
	equal(t, "keys", *g.Auth, Auth{KeysFile: "keys.txt", KeysEnv: "CLIPD_KEYS"})
	g = example(t, "uris.yml").Gateway
	equal(t, "uris", g.AllowURIs, AllowURIs{HTTPS: true, Hosts: []string{"images.example.com", "*.example.org"},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Folder: "/srv/pictures", Timeout: 10 * time.Second, MaxBytes: 64 << 20, MaxRedirects: 3})
	all := example(t, "models.yml").Executors
	equal(t, "models", []any{len(all), all[0].Name, all[0].Model, all[0].Replicas, all[1].Name, all[1].Model, all[1].Replicas, all[1].MinibatchSize},
		[]any{2, "small", "demo", 2, "large", "ViT-L-14::openai", 1, 16})
	g = example(t, "network.yml").Gateway
	equal(t, "network", []any{g.SSLCertFile, g.Auth.KeysFile, g.Limits.MaxMessageBytes, g.Limits.MaxDocuments, g.Limits.MaxConnectionsPerAddress,
		g.Limits.HeaderTimeout}, []any{"server.pem", "keys.txt", int64(32 << 20), 1000, 50, 5 * time.Second})
}

// What the page shows as YAML can be read, the lines that are commented out included.
func TestYAMLOfThePage(t *testing.T) {
	page, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) != 1+len(examples) {
		t.Errorf("%d blocks of YAML", len(blocks))
	}
	for _, block := range blocks {
		yaml, _, closed := strings.Cut(block, "```")
		if !closed {
			t.Fatal("a block of YAML has no end")
		}
		accepted(t, yaml)
		accepted(t, strings.ReplaceAll(yaml, "  # ssl_", "  ssl_"))
	}
}

// Executors may share a model: callers tell them apart by their own names.
func TestSeveralModels(t *testing.T) {
	f := accepted(t, "executors: [{name: a, uses: {with: {name: demo}}}, {name: b, uses: {with: {name: demo, dtype: fp16}}}, {uses: CLIPEncoder}]")
	equal(t, "names", []string{f.Executors[0].Name, f.Executors[1].Name, f.Executors[2].Name}, []string{"a", "b", "executor2"})
	equal(t, "models", []string{f.Executors[0].Model, f.Executors[1].Model, f.Executors[2].Model}, []string{"demo", "demo", "ViT-B-32::openai"})
	refused(t, "executors: [{name: a, uses: CLIPEncoder}, {name: a, uses: CLIPEncoder}]", `f.yml:1:43: the name "a" belongs to the executor on line 1 already`)
	refused(t, "executors: [{uses: CLIPEncoder}, {name: executor0, uses: CLIPEncoder}]", `f.yml:1:34: the name "executor0" belongs to the executor on line 1 already`)
}
