package flows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds of a flow file. The largest flows known have some hundred values, eight levels deep.
const (
	maxBytes  = 1 << 20 // of the file
	maxDepth  = 32      // levels of objects and lists
	maxValues = 10_000  // values after aliases are replaced by what they stand for
)

// readDocument turns the bytes of a YAML file into values: plain scalars get their YAML 1.1 types, aliases and merge
// keys are replaced by what they stand for, a key twice in an object is a mistake.
func readDocument(data []byte, source string) (*value, Errors) {
	root, err := parseYAML(data, source)
	if err != nil {
		return nil, Errors{err}
	}
	b := &builder{source: source}
	v := b.build(root, 1)
	if len(b.errs) > 0 {
		return nil, b.errs
	}
	if v.kind != object {
		return nil, Errors{{source, v.line, v.column, fmt.Sprintf(
			"a flow file is an object with the keys jtype, version, with and executors, not %s", v.describe())}}
	}
	return v, nil
}

// parseYAML reads the only document of the file.
func parseYAML(data []byte, source string) (root *yaml.Node, problem *Error) {
	defer func() {
		// The reader of YAML promises no panic; a start of the server must not depend on that.
		if r := recover(); r != nil {
			root, problem = nil, &Error{source, 0, 0, fmt.Sprintf("cannot read the YAML: %v", r)}
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, &Error{source, 1, 1, "the file is empty; a flow file needs at least executors:"}
	case err != nil:
		return nil, syntaxError(data, source, err)
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, syntaxError(data, source, err)
	default:
		return nil, &Error{source, second.Line, second.Column,
			"a second YAML document begins here (after ---); a flow file holds one"}
	}
	root = document.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" && root.Value == "" {
		return nil, &Error{source, 1, 1, "the file holds no value; a flow file needs at least executors:"}
	}
	return root, nil
}

// builder turns the nodes of the YAML reader into values.
type builder struct {
	source string
	values int // built so far
	errs   Errors
}

func (b *builder) fail(n *yaml.Node, format string, args ...any) {
	b.errs = append(b.errs, &Error{b.source, n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// build gives the value of n, which lies depth levels down. After a mistake that ends the work it gives null.
func (b *builder) build(n *yaml.Node, depth int) *value {
	v := &value{source: b.source, line: n.Line, column: n.Column}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	v.anchor = n.Anchor != ""
	if b.values > maxValues {
		return v
	}
	if b.values++; b.values > maxValues {
		b.fail(n, "the file holds more than %d values, those that aliases stand for included", maxValues)
		return v
	}
	if depth > maxDepth {
		b.fail(n, "nested more than %d levels deep", maxDepth)
		b.values = maxValues + 1 // an alias within itself has no end
		return v
	}
	switch n.Kind {
	case yaml.MappingNode:
		v.kind = object
		v.tag = customTag(n)
		v.entries = b.entries(n, depth)
	case yaml.SequenceNode:
		v.kind = list
		for _, item := range n.Content {
			v.items = append(v.items, b.build(item, depth+1))
		}
	default:
		b.scalar(v, n)
	}
	return v
}

// customTag gives CLIPEncoder of !CLIPEncoder, and nothing for YAML's own tags.
func customTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 || strings.HasPrefix(n.ShortTag(), "!!") {
		return ""
	}
	return strings.TrimPrefix(n.Tag, "!")
}

// scalar sets v from a scalar node; one with a tag of its own and no text, such as "uses: !CLIPEncoder", is an object.
func (b *builder) scalar(v *value, n *yaml.Node) {
	quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if n.Style&yaml.TaggedStyle == 0 {
		if quoted {
			v.kind, v.text = text, n.Value
		} else {
			v.resolvePlain(n.Value)
		}
		return
	}
	switch tag := n.ShortTag(); tag {
	case "!!str":
		v.kind, v.text = text, n.Value
	case "!!null":
		v.kind, v.text = null, n.Value
	case "!!int", "!!float", "!!bool":
		v.resolvePlain(n.Value)
		if tag == "!!float" && v.kind == integer {
			v.setFloat(float64(v.integer))
		}
		if (tag == "!!int" && v.kind != integer) || (tag == "!!float" && v.kind != float) || (tag == "!!bool" && v.kind != boolean) {
			b.fail(n, "%s is not of the type that its tag %s says", quote(n.Value), tag)
		}
	default:
		if n.Value != "" || strings.HasPrefix(tag, "!!") {
			b.fail(n, "the tag %s has no meaning before %s; a tag such as !CLIPEncoder stands before an object", shorten(n.Tag), quote(n.Value))
			return
		}
		v.kind, v.tag = object, strings.TrimPrefix(n.Tag, "!")
	}
}

// entries builds the keys of an object. Merged ones (<<: *defaults) come first and give way to the object's own.
func (b *builder) entries(n *yaml.Node, depth int) []entry {
	var own, merged []entry
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0 {
			merged = append(merged, b.merge(val, depth)...)
			continue
		}
		for k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			b.fail(n.Content[i], "a key is a word, not a list or an object")
			continue
		}
		if before := first[k.Value]; before != nil {
			b.fail(n.Content[i], "key %s stands here a second time; first on line %d", quote(k.Value), before.Line)
			continue
		}
		first[k.Value] = n.Content[i]
		own = append(own, entry{k.Value, n.Content[i].Line, n.Content[i].Column, b.build(val, depth+1)})
	}
	var out []entry
	for _, e := range merged {
		if first[e.key] == nil {
			first[e.key] = n
			out = append(out, e)
		}
	}
	return append(out, own...)
}

// merge gives the entries that a merge key brings: of one object, or of several, the first of which wins.
func (b *builder) merge(n *yaml.Node, depth int) []entry {
	v := b.build(n, depth+1)
	objects := []*value{v}
	if v.kind == list {
		objects = v.items
	}
	var out []entry
	for _, o := range objects {
		if o.kind != object {
			if len(b.errs) == 0 {
				b.fail(n, "<<: merges an object or a list of objects, not %s", o.describe())
			}
			return nil
		}
		out = append(out, o.entries...)
	}
	return out
}
