package jina

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"clipd/engine"
	"clipd/frontend/fault"
	"clipd/frontend/jina/pb"
	"clipd/frontend/limit"
)

// loadsAtATime is how many uris of one request are loaded side by side.
const loadsAtATime = 8

// loads are the pictures that a request names by uri, in memory until the request is answered.
type loads struct {
	budget *limit.Bytes // of the server; nil = none
	most   int64        // bytes of one request; 0 = no limit

	mu   sync.Mutex
	data map[*pb.DocumentProto][]byte
	held int64
}

// load loads what the documents name by uri and have no other content for. When one cannot be loaded the error names it
// and the others are given up.
func (x *Executor) load(ctx context.Context, docs []*pb.DocumentProto) (*loads, error) {
	l := &loads{budget: x.bytes, most: x.maxLoaded}
	var group *errgroup.Group
	for i, d := range docs {
		if !namesContent(d) {
			continue
		}
		if group == nil {
			group, ctx = errgroup.WithContext(ctx)
			group.SetLimit(loadsAtATime)
			l.data = make(map[*pb.DocumentProto][]byte)
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			data, err := x.loader.Load(ctx, d.Uri)
			if err == nil {
				err = l.keep(d, data)
			}
			if err != nil {
				return documentError(i, d, err)
			}
			return nil
		})
	}
	if group == nil {
		return l, nil
	}
	if err := group.Wait(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// namesContent reports whether the picture of a document lies where its uri says.
func namesContent(d *pb.DocumentProto) bool {
	return d.Uri != "" && d.GetText() == "" && d.GetTensor() == nil && len(d.GetBlob()) == 0
}

func (l *loads) keep(d *pb.DocumentProto, data []byte) error {
	n := int64(len(data))
	if err := l.budget.Take(n); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held += n
	l.data[d] = data
	if l.most > 0 && l.held > l.most {
		return fault.New(fault.TooLarge, "the pictures that the request names by uri have more than %d bytes together (max_message_bytes)", l.most).Past("max_message_bytes")
	}
	return nil
}

// release forgets the pictures.
func (l *loads) release() {
	l.budget.Give(l.held)
	l.held, l.data = 0, nil
}

// input makes the engine's input of a document; found is false when the document has no content. A text wins over
// everything, then come tensor, blob and uri, in this order.
func (l *loads) input(d *pb.DocumentProto) (in engine.Input, found bool, err error) {
	if text := d.GetText(); text != "" {
		return engine.Input{Tower: engine.TextTower, Text: text}, true, nil
	}
	in.Tower = engine.ImageTower
	if t := d.GetTensor(); t != nil {
		in.Pixels, err = pixelsOf(t)
		return in, true, err
	}
	if blob := d.GetBlob(); len(blob) > 0 {
		in.Image = blob
		return in, true, nil
	}
	in.Image, found = l.data[d]
	return in, found, nil
}
