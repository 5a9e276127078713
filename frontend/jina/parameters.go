package jina

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
)

// parameters are what a request may ask for; everything else in its struct is left alone.
type parameters struct {
	dropImageContent bool
	accessPaths      string // "" when the request names none
	minibatchSize    int    // 0 when the request names none
}

// parseParameters reads the parameters for one executor: an entry with the executor's name holds overrides, and so do
// keys of the form <executor>__<key>.
func parseParameters(s *structpb.Struct, executor string) (parameters, error) {
	var p parameters
	if s == nil {
		return p, nil
	}
	if err := p.read(s.Fields); err != nil {
		return p, err
	}
	if own := s.Fields[executor].GetStructValue(); own != nil {
		if err := p.read(own.Fields); err != nil {
			return p, err
		}
	}
	prefixed := make(map[string]*structpb.Value)
	for key, v := range s.Fields {
		if name, found := strings.CutPrefix(key, executor+"__"); found {
			prefixed[name] = v
		}
	}
	return p, p.read(prefixed)
}

func (p *parameters) read(fields map[string]*structpb.Value) error {
	if v, found := fields["drop_image_content"]; found {
		p.dropImageContent = truthy(v)
	}
	for _, key := range []string{"access_paths", "traversal_paths"} { // the older name wins
		v, found := fields[key]
		if !found {
			continue
		}
		switch v.GetKind().(type) {
		case *structpb.Value_NullValue:
		case *structpb.Value_StringValue:
			p.accessPaths = v.GetStringValue()
		default:
			return engine.Errorf(engine.Invalid, "parameter %s must be a string such as \"@r\", not %s", key, shown(v))
		}
	}
	return p.readMinibatchSize(fields["minibatch_size"])
}

// readMinibatchSize takes a whole number; the model's own limit stays in force above it.
func (p *parameters) readMinibatchSize(v *structpb.Value) error {
	if _, null := v.GetKind().(*structpb.Value_NullValue); v == nil || null {
		return nil
	}
	n := v.GetNumberValue()
	if _, number := v.GetKind().(*structpb.Value_NumberValue); !number || n != math.Trunc(n) || n < 1 || n > 1<<30 {
		return engine.Errorf(engine.Invalid, "parameter minibatch_size must be a whole number, 1 or above, not %s", shown(v))
	}
	p.minibatchSize = int(n)
	return nil
}

// truthy is Python's bool().
func truthy(v *structpb.Value) bool {
	switch v.GetKind().(type) {
	case *structpb.Value_BoolValue:
		return v.GetBoolValue()
	case *structpb.Value_NumberValue:
		return v.GetNumberValue() != 0
	case *structpb.Value_StringValue:
		return v.GetStringValue() != ""
	case *structpb.Value_ListValue:
		return len(v.GetListValue().GetValues()) > 0
	case *structpb.Value_StructValue:
		return len(v.GetStructValue().GetFields()) > 0
	}
	return false
}

// shown names a value in an error: a number, text or word as it is, as far as it is short, of everything else the kind.
func shown(v *structpb.Value) string {
	switch v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return strconv.Quote(shorten(v.GetStringValue(), 80))
	case *structpb.Value_ListValue:
		return "a list"
	case *structpb.Value_StructValue:
		return "an object"
	}
	return fmt.Sprint(v.AsInterface())
}
