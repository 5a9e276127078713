package jina

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"clipd/engine"
)

// parameters are what a request may ask for; everything else in its struct is left alone.
type parameters struct {
	dropImageContent bool
	accessPaths      string // "" when the request names none
	minibatchSize    int    // 0 when the request names none

	asked   string        // priority: "high", "normal", or "" when the request names none
	high    bool          // what came of it
	timeout time.Duration // 0 when the request names none
}

func (p *parameters) priority() engine.Priority {
	if p.high {
		return engine.High
	}
	return engine.Normal
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
	if err := p.readPriority(fields["priority"]); err != nil {
		return err
	}
	if err := p.readTimeout(fields["timeout"]); err != nil {
		return err
	}
	return p.readMinibatchSize(fields["minibatch_size"])
}

func isNull(v *structpb.Value) bool {
	_, null := v.GetKind().(*structpb.Value_NullValue)
	return v == nil || null
}

// readPriority takes the word of one.
func (p *parameters) readPriority(v *structpb.Value) error {
	if isNull(v) {
		return nil
	}
	asked, ok := parsePriority(v.GetStringValue())
	if !ok {
		return engine.Errorf(engine.Invalid, "parameter priority must be \"high\" or \"normal\", not %s", shown(v))
	}
	p.asked = asked
	return nil
}

// readTimeout takes a number of seconds, or a time as the header has it.
func (p *parameters) readTimeout(v *structpb.Value) error {
	if isNull(v) {
		return nil
	}
	d, ok := time.Duration(0), false
	switch v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		d, ok = timeoutOf(v.GetNumberValue(), time.Second)
	case *structpb.Value_StringValue:
		d, ok = parseTimeout(v.GetStringValue(), time.Second)
	}
	if !ok {
		return engine.Errorf(engine.Invalid, "parameter timeout must be %s, not %s", timeoutForm(time.Second), shown(v))
	}
	p.timeout = d
	return nil
}

// readMinibatchSize takes a whole number; the model's own limit stays in force above it.
func (p *parameters) readMinibatchSize(v *structpb.Value) error {
	if isNull(v) {
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
