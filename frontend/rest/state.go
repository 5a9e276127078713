package rest

import (
	"encoding/json"

	"github.com/valyala/fasthttp"

	"clipd/frontend/jina/pb"
)

func serveHealth(_ *Server, x *exchange) { x.send(fasthttp.StatusOK, jsonType, []byte("{}")) }

// serveDryRun says whether requests are answered; "no" has status 200, too, as in the original.
func serveDryRun(s *Server, x *exchange) {
	code, description := pb.StatusProto_SUCCESS, ""
	if err := s.o.Gateway.Ready(); err != nil {
		code, description = pb.StatusProto_ERROR, err.Error()
	}
	x.sendJSON(struct {
		Code        pb.StatusProto_StatusCode `json:"code"`
		Description string                    `json:"description"`
		Exception   *struct{}                 `json:"exception"`
	}{code, description, nil})
}

func serveStatus(s *Server, x *exchange) {
	info := s.o.Gateway.Info()
	x.sendJSON(struct {
		Jina map[string]string `json:"jina"`
		Envs map[string]string `json:"envs"`
	}{info.Jina, info.Envs})
}

// sendJSON sends a value that always can be written.
func (x *exchange) sendJSON(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	x.send(fasthttp.StatusOK, jsonType, body)
}
