package flows

import (
	"encoding/json"
	"slices"
	"strings"
)

// exposeSection is one entry of expose_endpoints. FastAPI, behind the original's HTTP door, knows more keys; the rest only
// decorates its documentation page.
var exposeSection = section[ExposedEndpoint]{name: "expose_endpoints", fields: append([]field[ExposedEndpoint]{
	{name: "http_path", typ: "text", def: "the endpoint", doc: "path, begins with a slash", read: func(r *reader, e *ExposedEndpoint, v *value) {
		if s, ok := r.text("http_path", v); ok {
			if !strings.HasPrefix(s, "/") || strings.ContainsAny(s, " ?#\r\n") {
				r.fail(v, "http_path is a path such as /encode, not %s", v.describe())
				return
			}
			e.HTTPPath = s
		}
	}},
	{name: "methods", typ: "HTTP method or list", def: "POST", doc: "methods that the path answers", read: func(r *reader, e *ExposedEndpoint, v *value) {
		methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
		e.Methods = nil
		for _, item := range v.oneOrMore() {
			if w, ok := r.word("methods", item, methods, nil); ok && !slices.Contains(e.Methods, w) {
				e.Methods = append(e.Methods, w)
			}
		}
	}},
	{name: "summary", typ: "text", doc: "for the OpenAPI document", read: func(r *reader, e *ExposedEndpoint, v *value) { e.Summary, _ = r.text("summary", v) }},
	{name: "tags", typ: "text or list", doc: "for the OpenAPI document", read: func(r *reader, e *ExposedEndpoint, v *value) { e.Tags = r.texts("tags", v) }},
}, ignoredFields[ExposedEndpoint](whyCosmetic, "name", "description", "response_description", "deprecated", "operation_id",
	"include_in_schema", "status_code", "response_model_exclude_unset")...)}

// readExposedEndpoints takes an object, or the JSON text of one as the original wants it.
func readExposedEndpoints(r *reader, g *Gateway, v *value) {
	if v.kind == text {
		var probe map[string]any
		if err := json.Unmarshal([]byte(v.text), &probe); err != nil {
			r.fail(v, "expose_endpoints is an object or its JSON text; as JSON %s cannot be read: %v", v.describe(), err)
			return
		}
		// JSON is YAML: the same reader checks its keys. Lines within the text are not known, so all get the text's place.
		inner, errs := readDocument([]byte(v.text), v.source)
		if len(errs) > 0 {
			r.fail(v, "expose_endpoints: %s", errs[0].Message)
			return
		}
		inner.moveTo(v)
		v = inner
	}
	if v.kind != object {
		r.fail(v, "expose_endpoints is an object such as {/encode: {http_path: /encode}}, not %s", v.describe())
		return
	}
	g.ExposeEndpoints = map[string]ExposedEndpoint{}
	for _, e := range v.entries {
		exposed := ExposedEndpoint{HTTPPath: "/" + strings.TrimPrefix(e.key, "/"), Methods: []string{"POST"}}
		readSection(r, &exposeSection, e.value, &exposed, nil)
		g.ExposeEndpoints[e.key] = exposed
	}
}

// moveTo gives v and everything inside of it the place of other.
func (v *value) moveTo(other *value) {
	v.line, v.column = other.line, other.column
	for _, item := range v.items {
		item.moveTo(other)
	}
	for i := range v.entries {
		v.entries[i].line, v.entries[i].column = other.line, other.column
		v.entries[i].value.moveTo(other)
	}
}
