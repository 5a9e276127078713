package rest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"clipd/frontend/jina"
	"clipd/frontend/jina/jinajson"
	"clipd/frontend/jina/pb"
)

// post reads a request for the model and answers it.
func (x *exchange) post() {
	asBase64, err := embeddingFormat(x.ctx.QueryArgs().PeekMulti("encoding_format"))
	if err != nil {
		x.refuse(err)
		return
	}
	body, err := x.readBody()
	if err != nil {
		x.refuse(err)
		return
	}
	arrived := time.Now()
	x.received = len(body)
	r, err := jinajson.Parse(body, jinajson.Limits{MaxDocuments: x.s.o.MaxDocuments, Take: x.take})
	if err != nil {
		x.refuse(err)
		return
	}
	jinajson.Complete(r.Proto.GetData().GetDocs().GetDocs())
	header := r.Proto.Header
	x.requestID, x.asked = header.RequestId, header.GetExecEndpoint()
	if endpoint := x.route.endpointOf(x.path); endpoint != "" {
		header.ExecEndpoint = &endpoint
	}
	if err := x.run(r.Proto, arrived); err != nil {
		x.refuse(err)
		return
	}
	x.sendAnswer(r.Proto, asBase64 || r.Base64)
}

// run has the gateway answer the request, in place, while the connection is watched.
func (x *exchange) run(req *pb.DataRequestProto, arrived time.Time) error {
	if x.key != nil {
		end, err := x.key.Begin(jina.CountDocuments(req.GetData().GetDocs().GetDocs()))
		if err != nil {
			return err
		}
		defer end()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if x.c != nil {
		defer x.c.watch(cancel)()
	}
	// What a body takes to come in counts in the caller's timeout.
	c := &jina.Call{Caller: x.caller, Request: req, Arrived: arrived, Since: x.began}
	err := x.s.o.Gateway.Handle(ctx, c)
	x.fault = c.Fault
	return err
}

// embeddingFormat reads the query's encoding_format.
func embeddingFormat(values [][]byte) (asBase64 bool, err error) {
	for _, v := range values {
		switch string(v) {
		case "base64":
			asBase64 = true
		case "float":
			asBase64 = false
		default:
			return false, wrongFormat(v)
		}
	}
	return asBase64, nil
}

// sendAnswer writes the answer in the form that it is asked in. It counts in the budget until the caller has taken it:
// 200 KB of request may have an answer of 100 MB, and a caller who reads none of it costs nothing to play.
func (x *exchange) sendAnswer(answer *pb.DataRequestProto, asBase64 bool) {
	if x.c != nil {
		if err := x.c.holdAnswer(jinajson.AnswerMemory(answer)); err != nil {
			x.refuse(err)
			return
		}
	}
	to, contentType := newBuffer(), jsonType
	if x.s.o.PlainReturns && x.ctx.IsPost() && answer.Header.Status == nil && returnsDocuments(answer.Header.GetExecEndpoint()) {
		to.b, contentType = jinajson.AppendPlainReturn(to.b, answer), "text/plain"
	} else {
		to.b = jinajson.Append(to.b, answer, jinajson.Options{Base64: asBase64})
	}
	if x.c != nil {
		x.c.body = to
		x.c.keepAnswer(int64(len(to.b)))
	}
	x.sent = len(to.b)
	x.send(fasthttp.StatusOK, contentType, to.b)
	if x.c != nil && x.c.coded != nil {
		x.c.keepAnswer(int64(len(x.c.coded.b)))
	}
}

// returnsDocuments reports whether the client hands out the documents of an answer from the endpoint.
func returnsDocuments(endpoint string) bool {
	name, _, _ := strings.Cut(strings.Trim(endpoint, "/"), "/")
	return name == "encode" || name == "rank" || name == "index" || name == "search"
}

// endpoint is what the request's answer has as its endpoint, as far as it is known.
func (x *exchange) endpoint() string {
	if endpoint := x.route.endpointOf(x.path); endpoint != "" {
		return endpoint
	}
	if x.asked != "" {
		return x.asked
	}
	return "/"
}

func wrongFormat(v []byte) error {
	return &refusal{
		fault: invalidFormat(v),
		body: fmt.Appendf(nil, `{"detail":[{"type":"value_error.const","loc":["query","encoding_format"],"msg":%s}]}`,
			appendString(nil, invalidFormat(v).Message)),
	}
}
