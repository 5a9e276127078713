package rest

import (
	"strings"

	"clipd/frontend/fault"
)

// route is a method of a path: how it is answered, and how the OpenAPI document describes it.
type route struct {
	method string
	path   string // one that ends in {model} takes everything below
	id     string // operationId
	tag    string
	tags   []string // of an exposed endpoint, in the place of tag
	title  string
	about  string

	private  bool                     // needs a key where there are keys
	endpoint string                   // of an exchange: the endpoint, "" for the one that the body names
	serve    func(*Server, *exchange) // of everything else
	hidden   bool                     // not in the document
}

// exchange reports whether the route takes requests for the model.
func (r *route) exchange() bool { return r.serve == nil }

// modelParameter is the last part of a path that takes the name of a model.
const modelParameter = "{model}"

// router finds the route of a request.
type router struct {
	routes []*route // in the order of the OpenAPI document
	fixed  map[string][]*route
	below  map[string][]*route // by what stands before {model}, with the slash
}

func newRouter(o *Options) *router {
	r := &router{fixed: map[string][]*route{}, below: map[string][]*route{}}
	for _, route := range table(o) {
		r.add(route)
	}
	return r
}

// add adds a route unless the method of the path has one.
func (r *router) add(route *route) {
	set, key := r.fixed, route.path
	if before, found := strings.CutSuffix(route.path, modelParameter); found {
		set, key = r.below, before
	}
	for _, other := range set[key] {
		if other.method == route.method {
			return
		}
	}
	set[key] = append(set[key], route)
	r.routes = append(r.routes, route)
}

// find returns the route of a request, or an error for an unknown path or method.
func (r *router) find(method []byte, path string) (*route, error) {
	routes, found := r.at(path)
	if !found {
		return nil, errNoPath
	}
	for _, route := range routes {
		if route.method == string(method) {
			return route, nil
		}
	}
	return nil, methodNotAllowed(routes)
}

// at returns the routes of a path.
func (r *router) at(path string) (routes []*route, found bool) {
	if routes, found = r.fixed[path]; found {
		return routes, true
	}
	longest := 0
	for before, below := range r.below {
		if len(before) > longest && len(path) > len(before) && strings.HasPrefix(path, before) {
			longest, routes = len(before), below
		}
	}
	return routes, longest > 0
}

// endpointOf is the endpoint of an exchange by its path; "" when the body names it.
func (r *route) endpointOf(path string) string {
	if strings.HasSuffix(r.path, modelParameter) {
		return strings.TrimRight(path, "/")
	}
	return r.endpoint
}

var errNoPath = &refusal{fault: fault.New(fault.NotFound, "Not Found"), body: []byte(`{"detail":"Not Found"}`)}

func methodNotAllowed(routes []*route) error {
	methods := make([]string, len(routes))
	for i, r := range routes {
		methods[i] = r.method
	}
	return &refusal{
		fault: fault.New(fault.MethodNotAllowed, "Method Not Allowed"), body: []byte(`{"detail":"Method Not Allowed"}`),
		header: "Allow", value: strings.Join(methods, ", "),
	}
}
