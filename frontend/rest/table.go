package rest

import "strings"

// The tags of the OpenAPI document.
const (
	tagModel   = "model"
	tagServer  = "server"
	tagExposed = "exposed"
	tagCRUD    = "crud"
)

// table lists every route. The original's come first: an exposed endpoint cannot take their place, but that of the
// ones that only clipd has.
func table(o *Options) []*route {
	var all []*route
	all = append(all, serverRoutes(o)...)
	if o.Post {
		if !o.NoDebugEndpoints {
			all = append(all, &route{
				method: "POST", path: "/post", id: "post", tag: tagModel, private: true,
				title: "Send a request to any endpoint",
				about: "The endpoint is the body's `execEndpoint`, `/` unless it is there: `/rank` ranks, every other one encodes.",
			})
		}
		if !o.NoCRUDEndpoints {
			all = append(all, crudRoutes()...)
		}
		all = append(all, exposedRoutes(o)...)
		all = append(all, modelRoutes()...)
	}
	return append(all, pageRoutes()...)
}

func serverRoutes(o *Options) []*route {
	all := []*route{{
		method: "GET", path: "/", id: "health", tag: tagServer, serve: serveHealth,
		title: "Is the server there?", about: "Answers as soon as the server listens. `/dry_run` tells whether the model is loaded.",
	}}
	if o.NoDebugEndpoints {
		return all
	}
	return append(all, &route{
		method: "GET", path: "/dry_run", id: "dryRun", tag: tagServer, serve: serveDryRun,
		title: "Are requests answered?", about: "Code 0 when they are; code 1 and the reason while models are loading and when the server shuts down.",
	}, &route{
		method: "GET", path: "/status", id: "status", tag: tagServer, serve: serveStatus, private: true,
		title: "Versions and environment",
	})
}

// crudRoutes are for flows with an index behind the encoder; here they encode.
func crudRoutes() []*route {
	crud := func(method, name, title string) *route {
		return &route{method: method, path: "/" + name, id: name, tag: tagCRUD, private: true, endpoint: "/" + name, title: title}
	}
	return []*route{
		crud("POST", "index", "Encode documents that are to be indexed"),
		crud("POST", "search", "Encode documents that are to be searched for"),
		crud("PUT", "update", "Encode documents that are to be updated"),
		crud("DELETE", "delete", "Encode documents that are to be deleted"),
	}
}

func modelRoutes() []*route {
	return []*route{{
		method: "POST", path: "/encode", id: "encode", tag: tagModel, private: true, endpoint: "/encode",
		title: "Embed texts and pictures", about: "Every document gets an `embedding`.",
	}, {
		method: "POST", path: "/encode/" + modelParameter, id: "encodeBy", tag: tagModel, private: true,
		title: "Embed texts and pictures by a model", about: "As `/encode`, by the model or the executor that is named.",
	}, {
		method: "POST", path: "/rank", id: "rank", tag: tagModel, private: true, endpoint: "/rank",
		title: "Rank the matches of documents",
		about: "The `matches` of every document come back in the order of their similarity to it, with the scores `clip_score` and `clip_score_cosine`.",
	}, {
		method: "POST", path: "/rank/" + modelParameter, id: "rankBy", tag: tagModel, private: true,
		title: "Rank the matches of documents by a model", about: "As `/rank`, by the model or the executor that is named.",
	}}
}

func exposedRoutes(o *Options) []*route {
	var all []*route
	for _, e := range o.Expose {
		methods := e.Methods
		if len(methods) == 0 {
			methods = []string{"POST"}
		}
		for _, method := range methods {
			title := e.Summary
			if title == "" {
				title = "Endpoint " + e.Endpoint
			}
			all = append(all, &route{
				method: method, path: e.Path, id: operationID("exposed", method, e.Path), tag: tagExposed, tags: e.Tags, private: true,
				endpoint: "/" + strings.Trim(e.Endpoint, "/"), title: title,
			})
		}
	}
	return all
}

// operationID makes an identifier of its parts: letters and digits, and an underscore for everything else.
func operationID(parts ...string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.Join(parts, "_"))
}

func pageRoutes() []*route {
	all := []*route{{
		method: "GET", path: "/openapi.json", id: "openapi", tag: tagServer, serve: serveOpenAPI,
		title: "This description",
	}, {
		method: "GET", path: "/docs", id: "docs", tag: tagServer, serve: servePage("index.html"),
		title: "A page to read this description and to try it",
	}, {
		method: "GET", path: "/redoc", id: "redoc", tag: tagServer, serve: serveRedoc,
		title: "Redirects to /docs",
	}}
	for _, name := range pageFiles {
		all = append(all, &route{method: "GET", path: "/docs/" + name, id: "docs_" + name, serve: servePage(name), hidden: true})
	}
	return all
}
