package flows

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const referencePath = "../docs/flows.md"

// TestReferencePage keeps docs/flows.md equal to the tables that the reader uses; go test -update writes it.
func TestReferencePage(t *testing.T) {
	want := referencePage()
	if *update {
		if err := os.WriteFile(referencePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/flows.md does not say what the tables say; run: go test ./flows -run TestReferencePage -update")
	}
}

const pageHead = `# Flow files

A flow file says what the server listens on and which CLIP models it serves. It is the YAML of CLIP-as-service: a file
written for it starts here unchanged.

    clipd torch-flow.yml        # a file, or a built-in flow: %s
    clipd -i < my-flow.yml      # from standard input

A file goes before a built-in flow of the same name; the built-in names work without ` + "`.yml`" + `, too. The smallest flow is

` + "```yaml" + `
jtype: Flow
executors:
  - uses:
      jtype: CLIPEncoder
      with: {name: demo}
` + "```" + `

An unknown key or a wrong value ends the start with a line for each mistake: file, line, column, what is wrong, and what
was perhaps meant. Keys that CLIP-as-service knows and that have no meaning here are accepted and named once at the
start; they are listed at the end of this page. Besides the keys below, the top level may hold keys that begin with
` + "`x-`" + `, that have a YAML anchor, or that a reference names: a place for values used elsewhere in the file. A file holds
at most %d MiB, %d values and %d levels.

This page is written from the tables that the reader of flow files uses.
`

const pageTail = `
## Variables

Replaced in every text of the file. Afterwards the text is read again: ` + "`12` is a number, `true` a boolean, `[a, 2]` a list, an\nempty text nothing, and text in quotes loses them. Texts in YAML quotes are no exception: `'12'` is a number, `\"'12'\"`" + `
becomes one in the end, too.

| form | becomes |
| --- | --- |
| ` + "`${{ ENV.X }}`, `${{ env.X }}`, `$X`, `${X}`, `${{ENV.X}}`" + ` | the environment variable, also within a longer text |
| ` + "`${{root.with.port}}`, `${{root.executors[0].name}}`" + ` | another value of the file, in up to three steps |
| ` + "`${{this.port}}`" + ` | a value of the same object |
| ` + "`${{ CONTEXT.x }}`, `${{ x }}`" + ` | ` + "`$$x`" + `: only a Python program could give such values |

An environment variable that is not set stays in the text as ` + "`$X`; as `${{ENV.X}}`" + ` it is a mistake. ` + "`$$`" + ` is no escape.
The words ` + "`on` and `off` are texts, `yes` and `no`" + ` are booleans.
`

func referencePage() string {
	var b strings.Builder
	fmt.Fprintf(&b, pageHead, "`"+strings.Join(Builtin(), "`, `")+"`", maxBytes>>20, maxValues, maxDepth)
	writeExamples(&b)
	writeSection(&b, "Top level", "", &flowSection)
	writeSection(&b, "`with:` and `gateway:`", "Settings of the server. Relative paths of files start from the folder in which the server is started. Keys of `executors` that are marked with ° may stand under `with:`, too, "+
		"as defaults of every executor.", &gatewaySection)
	writeSection(&b, "`auth:`", "Under `with:` or `gateway:`. A key in either place is good. Callers show theirs in the header, or over gRPC the metadata, "+
		"`authorization: KEY` or `authorization: Bearer KEY`; health checks need none.", &authSection)
	writeSection(&b, "`allow_uris:`", "Under `with:` or `gateway:`, as an object. Addresses are looked at after the name was resolved: private, loopback "+
		"and link-local ones are refused unless `networks` holds them.", &urisSection)
	writeSection(&b, "`limits:`", "Under `with:` or `gateway:`. A request past a limit is refused with 413, 429 or 503, over gRPC with RESOURCE_EXHAUSTED "+
		"or UNAVAILABLE.", &limitsSection)
	writeSection(&b, "`uvicorn_kwargs:`", "A key of the flow with the same meaning goes before it.", &uvicornSection)
	writeSection(&b, "`grpc_server_options:`", "A key of the flow with the same meaning goes before it.", &grpcSection)
	writeSection(&b, "`executors:`", "One item for each model.", &executorSection)
	writeSection(&b, "`uses:`", "As an object. As a text it is the class `CLIPEncoder`, a module and the class "+
		"(`clip_server.executors.clip_torch.CLIPEncoder`), the path of a YAML file with the keys below (from the folder of the flow file), "+
		"or one of the encoders on Jina's hub (`jinahub+docker://CLIPTorchEncoder`; nothing is fetched, the name chooses the backend).", &usesSection)
	writeSection(&b, "`uses: with:` and `uses_with:`", "Arguments of the encoder.", &encoderSection)
	writeSection(&b, "`uses_dynamic_batching:`", "One object for each endpoint.", &batchingSection)
	writeSection(&b, "`expose_endpoints:`", "One object for each endpoint.", &exposeSection)
	b.WriteString(pageTail)
	b.WriteString("\n## Accepted without meaning\n\n| where | keys | why |\n| --- | --- | --- |\n")
	writeIgnored(&b, "`with`, `gateway`", &gatewaySection)
	writeIgnored(&b, "`uvicorn_kwargs`", &uvicornSection)
	writeIgnored(&b, "`grpc_server_options`", &grpcSection)
	writeIgnored(&b, "`executors`", &executorSection)
	writeIgnored(&b, "`uses`", &usesSection)
	writeIgnored(&b, "`metas`", &metasSection)
	writeIgnored(&b, "`uses_dynamic_batching`", &batchingSection)
	writeIgnored(&b, "`expose_endpoints`", &exposeSection)
	return b.String()
}

func writeSection[T any](b *strings.Builder, title, intro string, s *section[T]) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if intro != "" {
		b.WriteString(intro + "\n\n")
	}
	b.WriteString("| key | value | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range s.fields {
		if f.ignored != "" {
			continue
		}
		key := "`" + f.name + "`"
		for i, synonym := range f.synonyms {
			key += []string{" (also `", ", `"}[min(i, 1)] + synonym + "`"
		}
		if len(f.synonyms) > 0 {
			key += ")"
		}
		if f.inherited {
			key += "°"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", key, f.typ, f.def, f.doc)
	}
}

// writeIgnored groups the keys by the reason.
func writeIgnored[T any](b *strings.Builder, place string, s *section[T]) {
	var reasons []string
	keys := map[string][]string{}
	for _, f := range s.fields {
		if f.ignored == "" {
			continue
		}
		if !slices.Contains(reasons, f.ignored) {
			reasons = append(reasons, f.ignored)
		}
		keys[f.ignored] = append(keys[f.ignored], "`"+f.name+"`")
	}
	for _, why := range reasons {
		if why == whyDefaults {
			place = "`gateway`"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", place, strings.Join(keys[why], ", "), strings.TrimSuffix(why, "."))
	}
}

// Every key that the reader takes is explained with its type.
func TestEveryKeyIsExplained(t *testing.T) {
	checkExplained(t, &flowSection)
	checkExplained(t, &gatewaySection)
	checkExplained(t, &limitsSection)
	checkExplained(t, &authSection)
	checkExplained(t, &urisSection)
	checkExplained(t, &uvicornSection)
	checkExplained(t, &grpcSection)
	checkExplained(t, &executorSection)
	checkExplained(t, &usesSection)
	checkExplained(t, &metasSection)
	checkExplained(t, &encoderSection)
	checkExplained(t, &batchingSection)
	checkExplained(t, &exposeSection)
}

func checkExplained[T any](t *testing.T, s *section[T]) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range s.fields {
		if f.ignored == "" && (f.typ == "" || f.doc == "" || f.read == nil) {
			t.Errorf("%s in %s: typ %q, doc %q", f.name, s.name, f.typ, f.doc)
		}
		for _, name := range append([]string{f.name}, f.synonyms...) {
			if seen[name] {
				t.Errorf("%s stands twice in %s", name, s.name)
			}
			seen[name] = true
		}
	}
}
