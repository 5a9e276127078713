package flows

import (
	"regexp"
	"strings"
)

// outline is the top level of a flow file: its parts, not read yet.
type outline struct {
	with, gateway, executors, modules *value
}

var flowSection = section[outline]{name: "the flow", fields: []field[outline]{
	{name: "jtype", typ: "`Flow`", doc: "what the file describes; the YAML tag `!Flow` says the same", read: readFlowType},
	{name: "version", typ: "`'1'`", doc: "version of the syntax", read: readVersion},
	{name: "with", typ: "object", doc: "settings of the server, and defaults for every executor (below)",
		read: func(_ *reader, o *outline, v *value) { o.with = v }},
	{name: "gateway", typ: "object", doc: "settings of the server once more; what stands here goes before `with`",
		read: func(_ *reader, o *outline, v *value) { o.gateway = v }},
	{name: "executors", synonyms: []string{"deployments"}, typ: "list of objects", doc: "the models to serve, at least one; " +
		"an item may be the path of a YAML file with `jtype: Deployment`",
		read: func(_ *reader, o *outline, v *value) { o.executors = v }},
	{name: "py_modules", typ: "text or list", doc: "Python modules, for executors that name none themselves",
		read: func(_ *reader, o *outline, v *value) { o.modules = v }},
}}

func readFlowType(r *reader, _ *outline, v *value) {
	if v.kind != text || v.text != "Flow" {
		r.fail(v, "jtype of a flow file is Flow, not %s", v.describe())
	}
}

func readVersion(r *reader, _ *outline, v *value) {
	major, _, _ := strings.Cut(v.text, ".")
	if major != "1" || v.kind == list || v.kind == object {
		r.fail(v, "version is '1', the only version of the syntax, not %s", v.describe())
	}
}

// shelf says whether a key of the top level only holds values for use elsewhere in the file: it begins with x-, its value
// has an anchor, or a reference such as ${{root.key.port}} names it. What looks like a misspelt key is none.
func (r *reader) shelf(root *value) func(key string) bool {
	return func(key string) bool {
		switch {
		case flowSection.find(key) != nil:
			return false
		case strings.HasPrefix(key, "x-"):
			return true
		case nearest(key, flowSection.meaningful("")) != "":
			return false
		}
		named := regexp.MustCompile(`\$\{\{root\.` + regexp.QuoteMeta(key) + `[.\[}]`)
		return root.at(key).anchor || named.Match(r.data)
	}
}
