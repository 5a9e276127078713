package flows

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// differs are the values that this reader treats otherwise than the original, on purpose.
var differs = map[string]string{
	`${{root}}`:          "error: a whole object makes no value; the original writes Python's text of it",
	`${{root.deep}}`:     "error: as above",
	`${{root.other[0]}}`: "error: the original takes the first letter of the text",
}

// TestScalarsAsOriginal compares with what jina's loader makes of the same values (testdata/make_scalars.py).
func TestScalarsAsOriginal(t *testing.T) {
	f, err := os.Open("testdata/scalars.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	var setup struct {
		Env  map[string]string
		Rest string
	}
	if !lines.Scan() {
		t.Fatal("no first line")
	}
	if err := json.Unmarshal(lines.Bytes(), &setup); err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) { s, ok := setup.Env[name]; return s, ok }
	count := 0
	for ; lines.Scan(); count++ {
		var c struct {
			YAML, Error string
			Want        any
		}
		decoder := json.NewDecoder(strings.NewReader(lines.Text()))
		decoder.UseNumber()
		if err := decoder.Decode(&c); err != nil {
			t.Fatal(err)
		}
		root, errs := readDocument([]byte("v: "+c.YAML+"\n"+setup.Rest), "case.yml")
		if len(errs) == 0 {
			errs = expand(root, lookup)
		}
		if c.Error != "" || differs[c.YAML] != "" {
			if len(errs) == 0 {
				t.Errorf("%s: got %s, want an error (%s%s)", c.YAML, show(root.at("v").plain()), c.Error, differs[c.YAML])
			}
			continue
		}
		if len(errs) > 0 {
			t.Errorf("%s: %v, want %s", c.YAML, errs, show(c.Want))
		} else if got := root.at("v").plain(); !reflect.DeepEqual(show(got), show(fromJSON(t, c.Want))) {
			t.Errorf("%s: got %s, want %s", c.YAML, show(got), show(fromJSON(t, c.Want)))
		}
	}
	if count < 200 {
		t.Errorf("only %d cases", count)
	}
}

// fromJSON undoes what make_scalars.py does to write Python values as JSON.
func fromJSON(t *testing.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64() // an integer beyond 64 bits becomes a float here
		if err != nil {
			t.Fatal(err)
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fromJSON(t, v[i])
		}
		return out
	case map[string]any:
		if s, ok := v["float"].(string); ok {
			f, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		out := map[string]any{}
		for k := range v {
			out[k] = fromJSON(t, v[k])
		}
		return out
	default:
		return v
	}
}

// show writes a value with its type, so that 1 and 1.0 differ and NaN equals NaN.
func show(v any) string {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && !math.IsInf(v, 0) {
			return fmt.Sprintf("%.1f", v)
		}
		return fmt.Sprint(v)
	case string:
		return strconv.Quote(v)
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, show(item))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range []string{"a", "b", "port", "name"} {
			if item, ok := v[k]; ok {
				parts = append(parts, k+":"+show(item))
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	default:
		return fmt.Sprint(v)
	}
}

func TestReferenceErrors(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		root, errs := readDocument([]byte("a: {port: 1}\nv: "+in), "f.yml")
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		errs = expand(root, func(string) (string, bool) { return "", false })
		if len(errs) != 1 || errs[0].Error() != want {
			t.Errorf("%s: got %v, want %s", in, errs, want)
		}
	}
	check(`${{root.a.prot}}`, `f.yml:2:4: ${{root.a.prot}}: root.a has no key "prot"; did you mean "port"?`)
	check(`x ${{root.b}}`, `f.yml:2:4: ${{root.b}}: root has no key "b"; did you mean "a"?`)
	check(`${{ENV.HOME}}`, `f.yml:2:4: ${{ENV.HOME}}: the environment has no variable "HOME"`)
	check(`[1, "${{this[2]}}"]`, `f.yml:2:8: ${{this[2]}}: this has 2 items, counted from 0, and no item [2]`)
	check(`${{root.a}}`, `f.yml:2:4: ${{root.a}} names an object; a reference takes a single value or a list`)
}

// References to references grow by powers; the bound turns that into one message.
func TestReplacingIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, "a%d: %s\n", i, strings.Repeat(fmt.Sprintf("${{root.a%d}}", i+1), 300))
	}
	b.WriteString("a20: " + strings.Repeat("x", 10000) + "\n")
	root, errs := readDocument([]byte(b.String()), "f.yml")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	errs = expand(root, func(string) (string, bool) { return "", false })
	if len(errs) != 1 || !strings.Contains(errs[0].Message, "grow beyond") {
		t.Errorf("got %v", errs)
	}
	root, _ = readDocument([]byte(`a: "`+strings.Repeat("$A", 1000)+`"`), "f.yml")
	errs = expand(root, func(string) (string, bool) { return strings.Repeat("$A", 1000), true })
	if len(errs) != 1 || !strings.Contains(errs[0].Message, "grow beyond") {
		t.Errorf("got %v", errs)
	}
}
