package ws

import (
	"clipd/frontend/jina"
	"clipd/frontend/jina/pb"
)

// answerDryRun says whether requests would be answered, without waiting to be asked, and ends the connection.
func (c *conn) answerDryRun() {
	status := &pb.StatusProto{}
	if err := c.door.options.Gateway.Ready(); err != nil {
		status = jina.StatusOf(err)
	}
	form := c.form()
	c.out.message(form.op, false, false, func(dst []byte) ([]byte, error) { return form.status(dst, status) }) // an error is the reader's to notice
	c.finish(normal)
}
