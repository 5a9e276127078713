package rest

import (
	"encoding/json"
	"strconv"
	"strings"

	"clipd/frontend/jina"
)

// object is a JSON object of the OpenAPI document.
type object = map[string]any

// document writes the OpenAPI document of the routes.
func (s *Server) document() []byte {
	paths := object{}
	used := map[string]bool{}
	for _, r := range s.router.routes {
		if r.hidden {
			continue
		}
		item, _ := paths[r.path].(object)
		if item == nil {
			item = object{}
			paths[r.path] = item
		}
		op := s.operation(r)
		for _, tag := range op["tags"].([]string) {
			used[tag] = true
		}
		item[strings.ToLower(r.method)] = op
	}
	components := object{"schemas": schemas()}
	if s.o.Keys != nil {
		components["securitySchemes"] = object{"key": object{
			"type": "http", "scheme": "bearer",
			"description": "A key of this server. `Authorization: KEY` works as well as `Authorization: Bearer KEY`.",
		}}
	}
	var tags []object
	for _, t := range []struct{ name, about string }{
		{tagModel, "Embeddings and rankings"}, {tagExposed, "Endpoints that the flow exposes"},
		{tagCRUD, "Endpoints for flows with an index; here they encode"}, {tagServer, "The server itself"},
	} {
		if used[t.name] {
			tags = append(tags, object{"name": t.name, "description": t.about})
		}
	}
	info := object{"title": s.o.Title, "version": s.o.Version}
	if s.o.Description != "" {
		info["description"] = s.o.Description
	}
	if s.o.Version == "" {
		info["version"] = "unknown"
	}
	out, err := json.Marshal(object{"openapi": "3.1.0", "info": info, "tags": tags, "paths": paths, "components": components})
	if err != nil {
		panic("BUG: the OpenAPI document: " + err.Error())
	}
	return out
}

// operation describes a route.
func (s *Server) operation(r *route) object {
	tags := r.tags
	if len(tags) == 0 {
		tags = []string{r.tag}
	}
	op := object{"operationId": r.id, "summary": r.title, "tags": tags, "responses": s.responses(r)}
	if r.about != "" {
		op["description"] = r.about
	}
	if s.o.Keys != nil && r.private {
		op["security"] = []object{{"key": []string{}}}
	}
	if !r.exchange() {
		return op
	}
	parameters := []object{{
		"name": "encoding_format", "in": "query",
		"description": "`base64`: embeddings as base64 of little-endian float32 rather than as lists of numbers.",
		"schema":      object{"type": "string", "enum": []string{"float", "base64"}, "default": "float"},
	}}
	if strings.HasSuffix(r.path, modelParameter) {
		parameters = append(parameters, object{
			"name": "model", "in": "path", "required": true,
			"description": "Name of a model or of an executor of the flow. It may have slashes. A flow of one executor takes any name.",
			"schema":      object{"type": "string", "minLength": 1}, "example": "ViT-B-32::openai",
		})
	} else {
		parameters = append(parameters, object{
			"name": jina.ModelHeader, "in": "header",
			"description": "Name of a model or of an executor of the flow; the first one answers without it.",
			"schema":      object{"type": "string"},
		})
	}
	op["parameters"] = append(parameters, object{
		"name": jina.PriorityHeader, "in": "header",
		"description": "`high`: before requests of normal priority. Where there are keys, the key must have the right; without the header its own priority holds.",
		"schema":      object{"type": "string", "enum": []string{"normal", "high"}},
	}, object{
		"name": jina.TimeoutHeader, "in": "header",
		"description": "Seconds that the answer may take, counted from the request's header, such as `2.5`, or a time such as `500ms`; past it the answer is 504.",
		"schema":      object{"type": "string", "pattern": timeoutPattern}, "example": "2.5",
	})
	op["requestBody"] = object{
		"required": true,
		"description": "May be compressed by gzip, deflate, br or zstd (`Content-Encoding`). Keys that are not listed are ignored. " +
			"The endpoint is the path's; `execEndpoint` counts on `/post` only.",
		"content": object{jsonType: object{"schema": ref("Request"), "examples": examples(r)}},
	}
	return op
}

// timeoutPattern describes the values of the header that are read; 0 in all its forms is not, and an empty one is none.
const timeoutPattern = `^((?=.*[1-9])([0-9]{1,9}(\.[0-9]{1,9})?|\.[0-9]{1,9}) ?(ms|s)?)?$`

// examples are requests that a flow answers.
func examples(r *route) object {
	name := strings.Trim(r.endpointOf(r.path), "/")
	if strings.HasPrefix(name, "rank") {
		return object{"rank": object{"summary": "Which text describes the document best?", "value": object{"data": []object{{
			"text": "a photo of a dog", "matches": []object{{"text": "a puppy"}, {"text": "a red car"}},
		}}}}}
	}
	return object{
		"texts":        object{"summary": "Two texts", "value": object{"data": []object{{"text": "First do it"}, {"text": "then do it right"}}}},
		"with_picture": object{"summary": "A picture", "value": object{"data": []object{{"uri": dot}}, "parameters": object{"drop_image_content": true}}},
	}
}

// dot is a picture of 8 x 8 red pixels.
const dot = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mP4z8CAFTEMLQkAKP8/wc53yE8AAAAASUVORK5CYII="

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// responses lists every status that can come.
func (s *Server) responses(r *route) object {
	all := object{}
	add := func(status int, about, schema string, headers ...string) {
		content := object{jsonType: object{"schema": ref(schema)}}
		response := object{"description": about, "content": content}
		if len(headers) > 0 {
			h := object{}
			for _, name := range headers {
				h[name] = headerObjects[name]
			}
			response["headers"] = h
		}
		all[strconv.Itoa(status)] = response
	}
	add(400, "The request is broken: its header, its path, or its body's length or coding.", "Error")
	add(431, "The header is too long.", "Error")
	add(408, "The request came in too slowly.", "Error")
	add(500, "The server failed.", "Error")
	if r.private && s.o.Keys != nil {
		add(401, "There is no key, or one that is not known.", "Error", "WWW-Authenticate")
	}
	if !r.exchange() {
		all["200"], all["307"] = success(r)
		if all["307"] == nil {
			delete(all, "307")
		} else {
			delete(all, "200")
		}
		return all
	}
	add(200, "The request with embeddings or scores. What is wrong with a document stands in `header.status`, whose `code` is 1 then; "+
		"the documents are as they came.", "Answer")
	if s.plain(r) {
		all["200"].(object)["content"].(object)["text/plain"] = object{"schema": object{
			"type": "string", "description": "The answer in the form that current versions of jina's client hand out documents from (`plain_returns`).",
		}}
	}
	if s.o.Keys != nil {
		add(403, "The key may not use the model, or may not ask for high priority.", "Error")
	}
	add(413, "The body, or the number of its documents, is past a limit.", "TooLarge")
	add(415, "The content type or the content encoding is not read.", "Error", "Accept-Encoding")
	add(422, "The body is no request.", "Invalid")
	add(429, "There is no room now.", "Failure", "Retry-After")
	add(503, "Models are loading, or the server shuts down.", "Failure", "Retry-After")
	add(504, "The answer would have come later than the request or the flow allows.", "Failure")
	return all
}

// plain reports whether answers of the route may come in the text/plain form.
func (s *Server) plain(r *route) bool {
	if !s.o.PlainReturns || r.method != "POST" {
		return false
	}
	endpoint := r.endpointOf(r.path)
	return endpoint == "" || returnsDocuments(endpoint)
}

var headerObjects = map[string]object{
	"Retry-After":      {"description": "Seconds after which to try again.", "required": true, "schema": object{"type": "integer", "minimum": 1}},
	"WWW-Authenticate": {"description": "Bearer", "required": true, "schema": object{"type": "string"}},
	"Accept-Encoding":  {"description": "The content encodings that are read, when another one was sent.", "schema": object{"type": "string"}},
}

// success describes what a path that is no exchange answers: status 200, or 307.
func success(r *route) (ok, redirect any) {
	body := func(about, contentType string, schema object) object {
		return object{"description": about, "content": object{contentType: object{"schema": schema}}}
	}
	switch r.id {
	case "health":
		return body("The server is there.", jsonType, object{"type": "object", "maxProperties": 0}), nil
	case "dryRun":
		return body("Whether requests are answered.", jsonType, ref("Readiness")), nil
	case "status":
		return body("Versions of what runs, and the variables that matter to it.", jsonType, ref("Info")), nil
	case "openapi":
		return body("An OpenAPI 3.1 document.", jsonType, object{"type": "object", "required": []string{"openapi", "paths"}}), nil
	case "docs":
		return body("A page.", contentTypes[".html"], object{"type": "string"}), nil
	case "redoc":
		r := body("The page is /docs.", textType, object{"type": "string"})
		r["headers"] = object{"Location": object{"required": true, "schema": object{"type": "string"}}}
		return nil, r
	}
	panic("BUG: the OpenAPI document does not know " + r.path)
}
