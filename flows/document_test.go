package flows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const minimal = "executors: [{uses: CLIPEncoder}]\n"

// refused checks that the flow is refused with exactly these messages.
func refused(t *testing.T, yaml string, want ...string) {
	t.Helper()
	_, err := Parse(strings.NewReader(yaml), "f.yml", Options{LookupEnv: environ()})
	if err == nil {
		t.Errorf("%q was accepted, want %q", yaml, want)
	} else if got := strings.Split(err.Error(), "\n"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q: got %q, want %q", yaml, got, want)
	}
}

func accepted(t *testing.T, yaml string) *Flow {
	t.Helper()
	f, err := Parse(strings.NewReader(yaml), "f.yml", Options{LookupEnv: environ()})
	if err != nil {
		t.Fatalf("%q: %v", yaml, err)
	}
	return f
}

func TestNoFlow(t *testing.T) {
	refused(t, "", "f.yml:1:1: the file is empty; a flow file needs at least executors:")
	refused(t, "# only a comment\n", "f.yml:1:1: the file is empty; a flow file needs at least executors:")
	refused(t, "---\n", "f.yml:1:1: the file holds no value; a flow file needs at least executors:")
	refused(t, "torch-flow.yml", `f.yml:1:1: a flow file is an object with the keys jtype, version, with and executors, not "torch-flow.yml"`)
	refused(t, "- a\n", "f.yml:1:1: a flow file is an object with the keys jtype, version, with and executors, not a list")
	refused(t, minimal+"---\n"+minimal, "f.yml:2:1: a second YAML document begins here (after ---); a flow file holds one")
	refused(t, minimal+"---\n", "f.yml:2:1: a second YAML document begins here (after ---); a flow file holds one")
	refused(t, "with: {port: 1}\n", "f.yml:1:1: the flow has no executors, so there is nothing to serve; write executors: with a dash, a name and uses for each model")
	refused(t, "executors: []\n", "f.yml:1:12: executors is a list of 1 to 64 models, each beginning with a dash, not a list of 0")
	refused(t, "executors:\n", "f.yml:1:11: the flow has no executors, so there is nothing to serve; write executors: with a dash, a name and uses for each model")
	refused(t, "jtype: Deployment\n"+minimal, `f.yml:1:8: jtype of a flow file is Flow, not "Deployment"`)
	refused(t, "!Executor\n"+minimal, `f.yml:1:1: the tag of a flow file is !Flow, not !Executor`)
	accepted(t, "---\n"+minimal+"...\n")
	accepted(t, "\ufeff"+strings.ReplaceAll("with:\n  port: 1\n"+minimal, "\n", "\r\n"))
}

func TestSyntaxErrorsNameTheLine(t *testing.T) {
	refused(t, "with:\n\tport: 1\n"+minimal, "f.yml:2:1: a tab stands in the indentation; YAML is indented with spaces")
	refused(t, "with:\n  port: 1\n  \tcors: true\n", "f.yml:3:3: a tab stands in the indentation; YAML is indented with spaces")
	refused(t, "a: 1\nb: 2\nwith:\n  port: 1\n   cors: true\n", "f.yml:5: the YAML cannot be read: mapping values are not allowed in this context "+
		"(a second colon in a line, or a wrong indentation above; text with a colon and a blank needs quotes)")
	refused(t, "with:\n  port: 1\n  host: x\n cors: true\n"+minimal, "f.yml:4: the YAML cannot be read: did not find expected key")
	refused(t, minimal+"with:\n  x: @r\n", "f.yml:3: the YAML cannot be read: found character that cannot start any token (text that begins with @, ` or % needs quotes: '@r')")
	refused(t, "a: *nothing\n", "f.yml:1: the YAML cannot be read: unknown anchor 'nothing' referenced")
	refused(t, minimal+"a: \"x\x01\"\n", "f.yml:2: the YAML cannot be read: control characters are not allowed")
	refused(t, minimal+"a: \xff\xfe\n", "f.yml:2: the YAML cannot be read: invalid leading UTF-8 octet")
	refused(t, minimal+"with: {port: 1\n\n\n", "f.yml:2: the YAML cannot be read: did not find expected ',' or '}'")
}

func TestKeysTwice(t *testing.T) {
	refused(t, "with:\n  port: 1\n  host: a\n  port: 2\n"+minimal, `f.yml:4:3: key "port" stands here a second time; first on line 2`)
	refused(t, "with:\n  port: 1\n  port_expose: 2\n"+minimal, `f.yml:3:3: "port_expose" means the same as the key "port" on line 2; keep one of them`)
	refused(t, "deployments: []\n"+minimal, `f.yml:1:14: executors is a list of 1 to 64 models, each beginning with a dash, not a list of 0`,
		`f.yml:2:1: "executors" means the same as the key "executors" on line 1; keep one of them`)
	refused(t, "? [a, b]\n: 1\n"+minimal, "f.yml:1:3: a key is a word, not a list or an object")
}

func TestMergeKeysAndTags(t *testing.T) {
	f := accepted(t, "x-a: &a {port: 7, prefetch: 3}\nx-b: &b {prefetch: 5, cors: true}\nwith:\n  <<: [*a, *b]\n  port: 8\nexecutors: [{uses: !CLIPEncoder }]\n")
	if g := f.Gateway; g.Ports[0] != 8 || g.Prefetch != 3 || !g.CORS {
		t.Errorf("merged: %+v", g)
	}
	refused(t, "with: {<<: 5}\n"+minimal, "f.yml:1:12: <<: merges an object or a list of objects, not 5")
	refused(t, "with: {port: !!int x}\n"+minimal, `f.yml:1:14: "x" is not of the type that its tag !!int says`)
	refused(t, "with: {title: !Foo x}\n"+minimal, `f.yml:1:15: the tag !Foo has no meaning before "x"; a tag such as !CLIPEncoder stands before an object`)
}

// An alias bomb, deep nesting and long files end in one clear message.
func TestBombs(t *testing.T) {
	bomb := "x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("x-%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	_, err := Parse(strings.NewReader(bomb+minimal), "f.yml", Options{})
	if err == nil || !strings.Contains(err.Error(), "more than 10000 values, those that aliases stand for included") || strings.Contains(err.Error(), "\n") {
		t.Errorf("alias bomb: %v", err)
	}
	_, err = Parse(strings.NewReader("x-a: &a [*a]\n"+minimal), "f.yml", Options{})
	if err == nil || !strings.Contains(err.Error(), "nested more than 32 levels deep") {
		t.Errorf("cycle: %v", err)
	}
	_, err = Parse(strings.NewReader("x-a: &a {b: {<<: *a}}\n"+minimal), "f.yml", Options{})
	if err == nil || !strings.Contains(err.Error(), "nested more than 32 levels deep") {
		t.Errorf("merge cycle: %v", err)
	}
	_, err = Parse(strings.NewReader("x-a: "+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+"\n"+minimal), "f.yml", Options{})
	if err == nil || !strings.Contains(err.Error(), "nested more than 32 levels deep") {
		t.Errorf("deep: %v", err)
	}
	for _, s := range []string{"[", "- ", "? ", "{a: ", "#\n", "a\n", "&a ", "! ", "x: |\n ", "'", "%TAG ! x\n", "- a\n", "<<: ", "*a ", "--- \n", "[a, "} {
		if _, err := Parse(strings.NewReader(strings.Repeat(s, (128<<10)/len(s))), "f.yml", Options{}); err == nil {
			t.Errorf("%q repeated was accepted", s)
		}
	}
	_, err = Parse(strings.NewReader(strings.Repeat("#", maxBytes+1)), "f.yml", Options{})
	if err == nil || err.Error() != "f.yml is longer than 1048576 bytes, which no flow file needs" {
		t.Errorf("long file: %v", err)
	}
}

func TestLoadErrors(t *testing.T) {
	check := func(name, want string) {
		t.Helper()
		if _, err := Load(name, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	check("torhc-flow.yml", `there is no flow "torhc-flow.yml": no such file, and the built-in flows are demo-flow.yml, onnx-flow.yml, `+
		`tensorrt-flow.yml, torch-flow.yml; did you mean "torch-flow.yml"?`)
	check("no/such.yml", "cannot read the flow: stat no/such.yml: no such file or directory")
	check(t.TempDir(), "is no regular file")
	if _, err := ReadBuiltin("demo"); err == nil || !strings.Contains(err.Error(), "there is no built-in flow") {
		t.Error(err)
	}
	// A file of the same name goes before the built-in flow.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "demo-flow.yml"), []byte("with: {port: 5}\n"+minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if f, err := Load("demo-flow.yml", Options{}); err != nil || f.Gateway.Ports[0] != 5 {
		t.Error(f, err)
	}
}
