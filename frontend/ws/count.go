package ws

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields on the way from a jina.DataRequestProto to its documents, and from those to the ones below them.
const (
	fieldData    protowire.Number = 4  // of a request
	fieldDocs    protowire.Number = 1  // of its data, and of the list in there
	fieldChunks  protowire.Number = 14 // of a document
	fieldMatches protowire.Number = 15 // of a document
)

var errNoProtobuf = errors.New("broken field")

// countRequest counts the documents of a serialised request, chunks and matches included, without decoding it: two bytes
// on the wire are a document of hundreds in memory.
func countRequest(b []byte) (n int, err error) {
	err = each(b, func(field protowire.Number, data []byte) error {
		if field != fieldData {
			return nil
		}
		return each(data, func(field protowire.Number, list []byte) error {
			if field != fieldDocs {
				return nil
			}
			return each(list, func(field protowire.Number, document []byte) error {
				if field != fieldDocs {
					return nil
				}
				return count(document, &n, protowire.DefaultRecursionLimit)
			})
		})
	})
	return n, err
}

func count(document []byte, n *int, depth int) error {
	if *n++; depth == 0 {
		return errNoProtobuf
	}
	return each(document, func(field protowire.Number, below []byte) error {
		if field != fieldChunks && field != fieldMatches {
			return nil
		}
		return count(below, n, depth-1)
	})
}

// each calls do with every field of a message that has a length, and with its content.
func each(b []byte, do func(field protowire.Number, content []byte) error) error {
	for len(b) > 0 {
		field, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(field, wire, b); n < 0 {
			return protowire.ParseError(n)
		}
		if wire == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(b)
			if err := do(field, content); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}
